"""Bringing a batch to all stores at once and collecting t attestations.

In: a sealed batch, the stores. Out: t signatures by ascending attester address. Promises: batches
reach each store in order; a store that is away or refuses stops nobody else; one that comes back is
brought what it missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from opendepin.core.errors import DepinError
from opendepin.core.journey import Batched
from opendepin.dims.availability.config import DispersalConfig
from opendepin.dims.availability.errors import BatchRefused, TooFewAttestations
from opendepin.dims.availability.ports import Attester, Earlier
from opendepin.runtime.clock import Clock


@dataclass
class _Round:
    """One batch on its way."""

    batch: Batched
    earlier: Earlier
    found: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    enough: asyncio.Event = field(default_factory=asyncio.Event)


class Dispersal:
    """`disperse` of the availability port, over any stores."""

    def __init__(
        self, stores: Sequence[Attester], config: DispersalConfig, clock: Clock, events: Any
    ) -> None:
        self._stores, self._config, self._clock, self._events = stores, config, clock, events
        self._lanes = [asyncio.Lock() for _ in stores]
        self._couriers: set[asyncio.Task[None]] = set()
        self._queues = [dict[asyncio.Task[None], _Round]() for _ in stores]
        """Couriers that wait for an earlier one of their store."""

    async def disperse(self, batch: Batched, earlier: Earlier) -> tuple[bytes, ...]:
        """Return t attestations by ascending address; who is slow gets the batch in the background.

        Raises:
            TooFewAttestations: so many stores refused that t cannot be reached.
        """
        going = _Round(batch, earlier)
        for at in range(len(self._stores)):
            self._send_courier(at, going)
        while True:
            await going.moved.wait()
            going.moved.clear()
            if len(going.found) >= self._config.threshold:
                going.enough.set()
                chosen = sorted(going.found)[: self._config.threshold]
                return tuple(going.found[address] for address in chosen)
            if len(self._stores) - len(going.refused) < self._config.threshold:
                going.enough.set()
                text = f"batch {batch.header.number} was refused: {going.refused}"
                raise TooFewAttestations(text, dict(going.refused))

    async def close(self) -> None:
        """Stop what still goes on in the background."""
        couriers = list(self._couriers)
        for courier in couriers:
            courier.cancel()
        await asyncio.gather(*couriers, return_exceptions=True)

    def _send_courier(self, at: int, going: _Round) -> None:
        """Send a courier to a store. It brings what the store missed, so those that still wait with
        batches that have their attestations are called back: a store that never answers would
        gather them without end.
        """
        queue = self._queues[at]
        for waiting in [each for each, round_ in queue.items() if round_.enough.is_set()]:
            del queue[waiting]
            waiting.cancel()
        courier = asyncio.create_task(self._carry(at, going))
        queue[courier] = going
        self._couriers.add(courier)
        courier.add_done_callback(self._couriers.discard)
        courier.add_done_callback(lambda done: queue.pop(done, None))

    async def _carry(self, at: int, going: _Round) -> None:
        store, number, wait = (
            self._stores[at],
            going.batch.header.number,
            self._config.first_backoff_s,
        )
        async with self._lanes[at]:
            courier = asyncio.current_task()
            if courier is not None:
                self._queues[at].pop(courier, None)
            while True:
                try:
                    going.found[store.address] = await self._bring(store, going)
                except BatchRefused as error:
                    going.refused[str(store)] = error.code
                    self._events.warning("refused", trace=number, code=error.code, text=str(error))
                except DepinError as error:
                    self._events.warning(
                        "store away", trace=number, code=error.code, text=str(error)
                    )
                    if await self._enough(going, wait):
                        return
                    wait = min(2 * wait, self._config.max_backoff_s)
                    continue
                going.moved.set()
                return

    async def _bring(self, store: Attester, going: _Round) -> bytes:
        """Have one store attest, after it was brought what it missed."""
        number = going.batch.header.number
        try:
            return await store.attest(going.batch)
        except BatchRefused as error:
            due = error.expected
            if error.code != "number-gap" or due is None or not 1 <= due < number:
                raise
        for missed in range(due, number):
            await store.attest(await going.earlier(missed))
        return await store.attest(going.batch)

    async def _enough(self, going: _Round, seconds: float) -> bool:
        """Wait, but not longer than until the batch has its attestations; tell whether it has."""
        pause = asyncio.ensure_future(self._clock.sleep(seconds))
        done = asyncio.ensure_future(going.enough.wait())
        try:
            await asyncio.wait({pause, done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            done.cancel()
        return going.enough.is_set()
