"""The contract of the availability port. Another code's test module gives the fixture `ground` and
inherits this.
"""

from __future__ import annotations

import asyncio

import httpx
import pytest

from opendepin.core import keys
from opendepin.core.batch import BatchHeader
from opendepin.core.journey import Batched
from opendepin.dims.availability.errors import StoreFaulty, TooFewAttestations, TooFewChunks
from tests.dims.availability.fleet import Fleet, eventually, layer
from tests.dims.availability.world import STORES, THRESHOLD, chain, resealed

ADDRESSES = [key.address for key in STORES]


class Ground:
    """Four running stores of one code, all at the same batch, and honest batches they have not
    seen.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.chain: list[Batched] = []
        self.batches: list[Batched] = []
        self.before: BatchHeader | None = None

    async def earlier(self, number: int) -> Batched:
        return self.chain[number - 1]

    async def fresh(self, count: int = 3) -> None:
        """Have all stores run and attest all that was made before; then make new batches."""
        self.fleet.start(*(i for i in range(len(STORES)) if i not in self.fleet.running))
        if self.chain:
            async with layer(self.fleet) as port:
                await port.disperse(self.chain[-1], self.earlier)
                await settle(port, self.chain[-1])
        self.before = self.chain[-1].header if self.chain else None
        self.batches = chain(self.fleet.world, count, before=self.before)
        self.chain += self.batches


class Between(httpx.AsyncBaseTransport):
    """Stands between a client and a real store."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def aclose(self) -> None:
        await self._inner.aclose()


class Tampering(Between):
    """Flips a bit in every chunk that passes."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        if "/v1/chunks/" not in str(request.url):
            return answer
        body = bytearray(await answer.aread())
        await answer.aclose()
        body[len(body) // 3] ^= 1
        return httpx.Response(answer.status_code, headers=answer.headers, content=bytes(body))


class AvailabilityContract:
    """What every code and every engine of the layer must keep."""

    async def test_a_batch_is_attested_by_enough_and_read_back(self, ground: Ground) -> None:
        async with layer(ground.fleet) as port:
            for batch in ground.batches:
                marks = await port.disperse(batch, ground.earlier)
                signers = [keys.recover(batch.header.attest_digest(), mark) for mark in marks]
                assert len(marks) == THRESHOLD
                assert signers == sorted(signers)
                assert set(signers) <= set(ADDRESSES)
                assert await port.read(batch.header) == batch.body

    async def test_the_same_batch_again_gets_the_same_attestation(self, ground: Ground) -> None:
        async with layer(ground.fleet) as port:
            first = await port.stores[0].attest(ground.batches[0])
            assert await port.stores[0].attest(ground.batches[0]) == first
            held = await port.stores[0].batch(ground.batches[0].header.number)
            assert held.attestation == first

    async def test_it_is_read_with_as_many_dead_as_the_threshold_allows(
        self, ground: Ground
    ) -> None:
        batch = ground.batches[0]
        async with layer(ground.fleet) as port:
            await port.disperse(batch, ground.earlier)
            await settle(port, batch)
            for dead in range(len(STORES) - THRESHOLD):
                ground.fleet.kill(dead)
            assert await port.read(batch.header) == batch.body

    async def test_exactly_half_the_chunks_restore_and_half_minus_one_do_not(
        self, ground: Ground
    ) -> None:
        batch, half = ground.batches[0], ground.fleet.code.data_chunks
        async with layer(ground.fleet) as port:
            await port.disperse(batch, ground.earlier)
            await settle(port, batch)
        served = set(range(half // 2, half + half // 2))
        async with layer(ground.fleet, lambda _, t: Serving(t, served)) as port:
            assert await port.read(batch.header) == batch.body
        async with layer(ground.fleet, lambda _, t: Serving(t, served - {half})) as port:
            with pytest.raises(TooFewChunks):
                await port.read(batch.header)

    async def test_tampered_chunks_are_refused_and_others_used(self, ground: Ground) -> None:
        batch = ground.batches[0]
        async with layer(ground.fleet) as port:
            await port.disperse(batch, ground.earlier)
            await settle(port, batch)
        async with layer(ground.fleet, lambda i, t: Tampering(t) if i < 2 else t) as port:
            for index in range(ground.fleet.code.total):
                if index % len(STORES) < 2:
                    with pytest.raises(StoreFaulty):
                        await port.stores[index % len(STORES)].chunk(batch.header.data_root, index)
            assert await port.read(batch.header) == batch.body
        async with layer(ground.fleet, lambda i, t: Tampering(t) if i < 3 else t) as port:
            with pytest.raises(TooFewChunks):
                await port.read(batch.header)

    async def test_sampling_says_what_is_missing_and_how_sure_it_is(self, ground: Ground) -> None:
        batch, code = ground.batches[0], ground.fleet.code
        async with layer(ground.fleet) as port:
            await port.disperse(batch, ground.earlier)
            await settle(port, batch)
            good = await port.sample(batch.header, 8)
            assert good.available
            assert len(set(good.asked)) == 8
            assert good.error == code.error(8) < code.error(7) < 1
            assert code.error(code.total) == 0
        lost = set(range(0, code.total, 2))
        served = set(range(code.total)) - lost
        async with layer(ground.fleet, lambda _, t: Serving(t, served)) as port:
            bad = await port.sample(batch.header, code.total)
            assert set(bad.missing) == lost
            assert not bad.available

    async def test_a_store_that_was_away_catches_up_in_order(self, ground: Ground) -> None:
        ground.fleet.kill(3)
        async with layer(ground.fleet) as port:
            for batch in ground.batches[:2]:
                assert len(await port.disperse(batch, ground.earlier)) == THRESHOLD
            ground.fleet.start(3)
            await port.disperse(ground.batches[2], ground.earlier)
            await settle(port, ground.batches[2])
            for batch in ground.batches[:3]:
                held = await port.stores[3].batch(batch.header.number)
                assert held.header == batch.header

    async def test_too_many_dead_stores_only_delay(self, ground: Ground) -> None:
        batch = ground.batches[0]
        ground.fleet.kill(2, 3)
        async with layer(ground.fleet) as port:
            going = asyncio.ensure_future(port.disperse(batch, ground.earlier))
            await asyncio.sleep(0.3)
            assert not going.done()
            ground.fleet.start(2)
            assert len(await asyncio.wait_for(going, 20)) == THRESHOLD

    async def test_too_many_refusals_are_said(self, ground: Ground) -> None:
        good = ground.batches[0]
        wrong = resealed(good.segments, good.body, ground.before, data_root=bytes(32))
        async with layer(ground.fleet) as port:
            with pytest.raises(TooFewAttestations) as caught:
                await port.disperse(wrong, ground.earlier)
            assert set(caught.value.refusals.values()) == {"data-root"}

    async def test_killed_stores_keep_what_they_attested(self, ground: Ground) -> None:
        first, second = ground.batches[:2]
        async with layer(ground.fleet) as port:
            await port.disperse(first, ground.earlier)
            await settle(port, first)
        ground.fleet.kill(0, 1, 2, 3)
        ground.fleet.start(0, 1, 2, 3)
        async with layer(ground.fleet) as port:
            assert await port.read(first.header) == first.body
            assert len(await port.disperse(second, ground.earlier)) == THRESHOLD


class Serving(Between):
    """Lets only some chunks through."""

    def __init__(self, inner: httpx.AsyncBaseTransport, served: set[int]) -> None:
        super().__init__(inner)
        self._served = served

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        parts = str(request.url).split("/")
        if "chunks" in parts and int(parts[-1]) not in self._served:
            return httpx.Response(404, json={"code": "unknown-chunk"})
        return await self._inner.handle_async_request(request)


async def settle(port: object, batch: Batched) -> None:
    """Wait until every store has attested a batch, the ones in the background too."""
    await eventually(lambda: not port.dispersal._couriers)  # type: ignore[attr-defined]
    for store in port.stores:  # type: ignore[attr-defined]
        await store.attest(batch)
