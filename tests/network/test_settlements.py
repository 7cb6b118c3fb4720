"""Settlements are looked up without reading a final block twice, through takebacks of others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from opendepin.core.errors import PeerFault
from opendepin.explorer.ports import L1Block, L1Event, SettleCall
from opendepin.network.sources.layer1 import Settlements

FIRST, SECOND = b"\1" * 32, b"\2" * 32


class Chain:
    """A Layer 1 in memory that tells which blocks it was asked for."""

    def __init__(self) -> None:
        self.height, self.final = 0, 0
        self.settled: dict[int, bytes] = {}
        self.asked: list[tuple[int, int]] = []

    async def head(self) -> L1Block:
        return L1Block(self.height, bytes(32), bytes(32), 0)

    async def final_height(self) -> int:
        return self.final

    async def blocks(self, first: int, last: int) -> Sequence[L1Block]:
        raise NotImplementedError

    async def settle_call(self, transaction: bytes, task: bytes) -> SettleCall | None:
        raise NotImplementedError

    async def events(self, first: int, last: int) -> Sequence[L1Event]:
        self.asked.append((first, last))
        return [
            L1Event("Settlement", name, {"task": task}, height, bytes(32), 0, bytes([height]) * 32)
            for height, task in sorted(self.settled.items())
            for name in ("TaskAssigned", "TaskSettled")
            if first <= height <= last
        ]


def test_final_blocks_are_read_once() -> None:
    chain = Chain()
    chain.height, chain.final, chain.settled = 9, 7, {3: FIRST, 9: SECOND}
    settlements = Settlements(chain)
    assert asyncio.run(settlements.of(FIRST)).height == 3
    chain.height, chain.final = 12, 10
    assert asyncio.run(settlements.of(SECOND)).height == 9
    assert asyncio.run(settlements.of(FIRST)).name == "TaskSettled"
    assert chain.asked == [(0, 9), (8, 12), (11, 12)]


def test_a_settlement_that_is_taken_back_is_not_remembered() -> None:
    chain = Chain()
    chain.height, chain.final, chain.settled = 9, 7, {9: FIRST}
    settlements = Settlements(chain)
    assert asyncio.run(settlements.of(FIRST)).height == 9
    chain.height, chain.settled = 8, {}
    with pytest.raises(PeerFault):
        asyncio.run(settlements.of(FIRST))
    chain.height, chain.final, chain.settled = 11, 8, {11: FIRST}
    assert asyncio.run(settlements.of(FIRST)).height == 11
