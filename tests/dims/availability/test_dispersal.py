"""Dispersal beside a store that takes batches and never answers: nobody waits for it, nothing piles
up, and it is brought everything once it answers.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field, replace
from typing import Any

from opendepin.core.batch import BatchHeader
from opendepin.core.journey import Batched
from opendepin.dims.availability.config import DispersalConfig
from opendepin.dims.availability.dispersal import Dispersal
from opendepin.dims.availability.errors import BatchRefused
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.telemetry import log

FIRST = Batched(
    BatchHeader(bytes(32), 1, bytes(32), bytes(32), bytes(32), 0, 0), bytes(65), (), b""
)
BATCHES = 40


def batch(number: int) -> Batched:
    return replace(FIRST, header=replace(FIRST.header, number=number))


async def earlier(number: int) -> Batched:
    return batch(number)


@dataclass
class Attesting:
    """Attests batches in order, as a store does; holds every answer back while `silent`."""

    address: bytes
    silent: bool = False
    taken: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    has_all: asyncio.Event = field(default_factory=asyncio.Event)

    async def attest(self, batch: Batched) -> bytes:
        if self.silent:
            await self.answers.wait()
        if batch.header.number > self.taken + 1:
            raise BatchRefused("a gap", code="number-gap", expected=self.taken + 1)
        self.taken = max(self.taken, batch.header.number)
        if self.taken == BATCHES:
            self.has_all.set()
        return self.address


def dispersal(stores: list[Any]) -> Dispersal:
    return Dispersal(stores, DispersalConfig(3), SystemClock(), log("test", io.StringIO()))


async def test_a_store_that_never_answers_gathers_no_batches() -> None:
    stores = [Attesting(bytes([i]) * 20, silent=i == 3) for i in range(4)]
    sending = dispersal(stores)
    for number in range(1, BATCHES + 1):
        await sending.disperse(batch(number), earlier)
    await asyncio.sleep(0)
    held = len(sending._couriers)
    stores[3].silent = False
    stores[3].answers.set()
    async with asyncio.timeout(5):
        await stores[3].has_all.wait()
    await sending.close()
    assert held <= 2


async def test_batches_without_their_attestations_are_never_called_back() -> None:
    stores = [Attesting(bytes([i]) * 20, silent=i >= 2) for i in range(4)]
    sending = dispersal(stores)
    rounds = [asyncio.ensure_future(sending.disperse(batch(n), earlier)) for n in (1, 2, 3)]
    await asyncio.sleep(0.02)
    assert not any(each.done() for each in rounds)
    for store in stores:
        store.answers.set()
    async with asyncio.timeout(5):
        found = await asyncio.gather(*rounds)
    assert all(len(marks) == 3 for marks in found)
    await sending.close()
