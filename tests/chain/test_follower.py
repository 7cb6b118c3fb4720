"""A listener that follows ends with what the chain says, whatever was taken back on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from opendepin.chain.abi import Contract
from opendepin.chain.artifacts import Artifact
from opendepin.chain.errors import FinalTakenBack, NodeAway
from opendepin.chain.follower import Follower, FollowerConfig, Mark, Span, kept_marks
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.service import Stop

from .conftest import FUNDED, QUIET, Node
from .test_client import Written

pytestmark = pytest.mark.asyncio(loop_scope="session")

TAG = bytes(32)


class Notes:
    """A listener that keeps rows by height, as an index does."""

    def __init__(self) -> None:
        self.kept: list[Mark] = []
        self.rows: dict[int, list[bytes]] = {}
        self.spans: list[tuple[int, int]] = []
        self.rewinds: list[int] = []

    def marks(self) -> Sequence[Mark]:
        return self.kept

    async def apply(self, span: Span) -> None:
        if self.kept:
            assert span.first == self.kept[-1].height + 1
        for log in span.logs:
            assert span.first <= log.block <= span.last.number
            self.rows.setdefault(log.block, []).append(log.data)
        self.kept = kept_marks(self.kept, span)
        self.spans.append((span.first, span.last.number))

    async def rewind(self, height: int) -> None:
        self.rows = {at: row for at, row in self.rows.items() if at <= height}
        self.kept = [mark for mark in self.kept if mark.height <= height]
        self.rewinds.append(height)


def follower(
    node: Node, contract: Contract, notes: Notes, chain: Any = None, **config: Any
) -> Follower:
    settings = FollowerConfig(poll_s=0.05, **config)
    return Follower(chain or node.client, [contract.address], notes, SystemClock(), QUIET, settings)


async def catch_up(following: Follower) -> None:
    while await following.step():
        pass


async def told(node: Node, contract: Contract, last: int) -> dict[int, list[bytes]]:
    rows: dict[int, list[bytes]] = {}
    for log in await node.client.logs([contract.address], 0, last):
        rows.setdefault(log.block, []).append(log.data)
    return rows


async def write(node: Node, contract: Contract, key: int, sender: int = 0) -> None:
    data = contract.data("write", key, key + 100, TAG)
    await node.mined(await node.send(FUNDED[sender], contract.address, data))


async def test_logs_come_in_order_and_once(node: Node, register: Artifact) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    notes = Notes()
    following = follower(node, contract, notes)
    for key in range(3):
        await write(node, contract, key)
        await catch_up(following)
    assert notes.rows == await told(node, contract, notes.kept[-1].height)
    assert sum(map(len, notes.rows.values())) == 3
    assert notes.rewinds == []
    firsts, lasts = zip(*notes.spans, strict=True)
    assert firsts == (0, *(last + 1 for last in lasts[:-1]))


async def test_final_blocks_come_in_spans_of_the_limit_and_others_singly(
    node: Node, register: Artifact
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    await write(node, contract, 1)
    while (await node.client.finalized()).height < 12:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    notes = Notes()
    await catch_up(follower(node, contract, notes, span_blocks=5))
    final = (await node.client.finalized()).height
    sizes = [last - first + 1 for first, last in notes.spans]
    assert sizes[:2] == [5, 5]
    assert max(sizes) == 5
    assert all(last == first for first, last in notes.spans if first > final)
    assert notes.kept[0].final
    assert [mark.final for mark in notes.kept[1:]] == [False] * (len(notes.kept) - 1)


async def test_a_follower_of_final_blocks_stays_below_finality(
    node: Node, register: Artifact
) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    await write(node, contract, 1)
    notes = Notes()
    await catch_up(follower(node, contract, notes, only_final=True))
    assert notes.kept[-1].height <= (await node.client.finalized()).height
    assert len(notes.kept) == 1


@pytest.mark.serial
async def test_a_deep_reorg_is_rewound_to_the_block_that_stands(
    fresh: Node, register: Artifact
) -> None:
    contract = register.interface.at(await fresh.deploy(register, 1))
    notes = Notes()
    following = follower(fresh, contract, notes)
    await write(fresh, contract, 1)
    await catch_up(following)
    await fresh.engine.keep()
    for key in (2, 3, 4):
        await write(fresh, contract, key)
        await catch_up(following)
    top = notes.kept[-1].height
    await fresh.rollback()
    await write(fresh, contract, 9, sender=1)
    await catch_up(following)
    assert len(notes.rewinds) >= 1
    assert notes.rows == await told(fresh, contract, notes.kept[-1].height)
    written = contract.event(Written)
    logs = await fresh.client.logs([contract.address], 0, notes.kept[-1].height)
    assert [written.decode(log.topics, log.data).key for log in logs] == [1, 9]
    assert all(mark.height > notes.rewinds[0] or mark.height <= top for mark in notes.kept)


async def test_a_change_while_reading_is_read_again(node: Node, register: Artifact) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    await write(node, contract, 1)
    real = node.client

    class Moving:
        """Gives another hash for the newest block while logs are read, once."""

        reads = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        async def block(self, height: int | None = None) -> Any:
            self.reads += 1
            header = await real.block(height)
            return replace(header, hash=bytes(32)) if self.reads == 3 and header else header

    notes = Notes()
    await catch_up(follower(node, contract, notes, Moving()))
    assert notes.rows == await told(node, contract, notes.kept[-1].height)
    assert all(mark.hash != bytes(32) for mark in notes.kept)


async def test_another_chain_is_not_followed(node: Node, register: Artifact) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    notes = Notes()
    following = follower(node, contract, notes)
    await catch_up(following)
    notes.kept = [Mark(mark.height, bytes(32), mark.final) for mark in notes.kept]
    with pytest.raises(FinalTakenBack):
        await following.step()
    assert notes.rewinds == []


async def test_blocks_that_were_never_final_may_all_go(node: Node, register: Artifact) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    notes = Notes()
    notes.kept = [Mark(5, bytes(32)), Mark(6, bytes(32))]
    await catch_up(follower(node, contract, notes, first_block=5))
    assert notes.rewinds == [4]
    assert notes.spans[0][0] == 5


async def test_run_goes_on_after_the_node_was_away(node: Node, register: Artifact) -> None:
    contract = register.interface.at(await node.deploy(register, 1))
    real, away = node.client, [3]

    class Away:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        async def block_number(self) -> int:
            if away[0]:
                away[0] -= 1
                raise NodeAway("away")
            return await real.block_number()

    notes, stop, rounds = Notes(), Stop(), []
    following = follower(node, contract, notes, Away())
    following.on_round = lambda head, applied: (rounds.append((head, applied)), stop.set())[0]
    await asyncio.wait_for(following.run(stop), 20)
    assert away == [0]
    assert rounds[-1][0] >= rounds[-1][1]
    assert notes.kept


async def test_marks_keep_the_newest_final_one_and_all_above(node: Node) -> None:
    header, final = await node.client.block(), await node.client.finalized()
    assert header is not None

    def span(height: int, final_height: int) -> Span:
        return Span(height, replace(header, number=height), (), replace(final, height=final_height))

    marks: list[Mark] = []
    for height in range(5):
        marks = kept_marks(marks, span(height, height - 2))
    assert [(mark.height, mark.final) for mark in marks] == [(2, True), (3, False), (4, False)]
    assert [mark.height for mark in kept_marks(marks, span(5, 5))] == [5]
    assert [mark.height for mark in kept_marks([], span(3, 1))] == [3]
