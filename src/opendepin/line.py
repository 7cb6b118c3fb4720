"""One message's way, from the antenna to the map, readable in a minute.

    device ──▶ gateway ──▶ sequencer ──▶ availability ──▶ compute ──▶ settlement
    signs      admits      orders        keeps, attests   proves      verifies, pays

Each station takes a frozen stage of `core.journey` and gives the next, so a wrong order does not
type-check. In production every station is a process of its own with a cursor on the one before it
(`network/builders/`); `carry` follows the same messages through the same stations, for tests and
the tutorial.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opendepin.core.journey import Admitted, Batched, Proven, Published, Settled, Signed


class Gateway(Protocol):
    """Admits signed messages of one project."""

    async def admit(self, project: int, messages: Sequence[Signed]) -> list[Admitted]:
        """Return every message with its receipt: durable, at a position that is its own."""
        ...


class Sequencer(Protocol):
    """Orders admitted messages."""

    async def order(self, admitted: Sequence[Admitted]) -> list[Batched]:
        """Return the sealed batches that hold the messages, in order."""
        ...


class Availability(Protocol):
    """Keeps batches and attests that everything in them was recomputed."""

    async def publish(self, batch: Batched) -> Published:
        """Return the batch with its attestations, accepted by the inbox contract."""
        ...


class Compute(Protocol):
    """Runs a project's program over a segment and proves the outputs."""

    async def prove(self, batch: Published) -> list[Proven]:
        """Return a proof for every segment that has a program."""
        ...


class Settlement(Protocol):
    """Has a contract check proofs, and pays."""

    async def settle(self, proven: Proven) -> Settled:
        """Return the task once its state on Layer 1 is final."""
        ...


@dataclass(frozen=True)
class Stations:
    """The five stations of one network."""

    gateway: Gateway
    sequencer: Sequencer
    availability: Availability
    compute: Compute
    settlement: Settlement


async def carry(at: Stations, project: int, messages: Sequence[Signed]) -> list[Settled]:
    """Carry messages of one project through every station; return the tasks that settled them."""
    admitted = await at.gateway.admit(project, messages)
    batches = await at.sequencer.order(admitted)
    published = await asyncio.gather(*(at.availability.publish(each) for each in batches))
    proven = await asyncio.gather(*(at.compute.prove(each) for each in published))
    tasks = [each for of_batch in proven for each in of_batch]
    return list(await asyncio.gather(*(at.settlement.settle(each) for each in tasks)))
