"""The view is what the blocks that stand tell, however often they were taken back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.chain.abi import Contract, Interface
from opendepin.chain.follower import Span
from opendepin.chain.header import Header
from opendepin.chain.ports import Final, Log
from opendepin.core.encodings import abi_encode, keccak256
from opendepin.dims.settlement.view import View


def _event(name: str, *fields: tuple[str, str, bool]) -> dict[str, Any]:
    inputs = [{"name": n, "type": t, "indexed": indexed} for n, t, indexed in fields]
    return {"type": "event", "name": name, "inputs": inputs}


BYTES, ADDRESS = "bytes32", "address"
SETTLEMENT = Contract(
    b"\x01" * 20,
    Interface(
        "Settlement",
        [
            _event(
                "TaskOpened",
                ("task", BYTES, True),
                ("project", "uint64", True),
                ("batch", "uint64", True),
                ("segment_index", "uint256", False),
                ("program", BYTES, False),
                ("count", "uint256", False),
            ),
            _event(
                "TaskSettled",
                ("task", BYTES, True),
                ("project", "uint64", True),
                ("producer", ADDRESS, True),
                ("outputs_hash", BYTES, False),
                ("pay_root", BYTES, False),
                *((n, "uint256", False) for n in ("operator_paid", "devices_held")),
                *((n, "uint256", False) for n in ("burned", "refunded")),
            ),
            _event("TaskRecalled", ("task", BYTES, True), ("project", "uint64", True)),
        ],
    ),
)
INBOX = Contract(
    b"\x02" * 20,
    Interface(
        "BatchInbox",
        [
            _event(
                "BatchAccepted",
                ("number", "uint64", True),
                ("header_hash", BYTES, False),
                ("data_root", BYTES, False),
                ("segments", "uint256", False),
            )
        ],
    ),
)
PRODUCER = b"\x03" * 20
Move = tuple[str, int, int]
"""What happens in a block: kind, batch, segment."""


def task_of(batch: int, index: int) -> bytes:
    return keccak256(bytes([batch, index]))


def log_of(move: Move, block: int) -> Log:
    kind, batch, index = move
    topic = {
        "accept": "BatchAccepted(uint64,bytes32,bytes32,uint256)",
        "open": "TaskOpened(bytes32,uint64,uint64,uint256,bytes32,uint256)",
        "settle": f"TaskSettled(bytes32,uint64,address,bytes32,bytes32{4 * ',uint256'})",
        "recall": "TaskRecalled(bytes32,uint64)",
    }[kind]
    word = [value.to_bytes(32, "big") for value in (1, batch, int.from_bytes(PRODUCER, "big"))]
    topics = {
        "accept": (word[1],),
        "open": (task_of(batch, index), word[0], word[1]),
        "settle": (task_of(batch, index), word[0], word[2]),
        "recall": (task_of(batch, index), word[0]),
    }[kind]
    data = {
        "accept": abi_encode([BYTES, BYTES, "uint256"], [bytes(32), bytes(32), 2]),
        "open": abi_encode(["uint256", BYTES, "uint256"], [index, bytes(32), 5]),
        "settle": abi_encode([BYTES, BYTES, *["uint256"] * 4], [bytes(32), bytes(32), 1, 2, 3, 4]),
        "recall": b"",
    }[kind]
    address = INBOX.address if kind == "accept" else SETTLEMENT.address
    at = (block, hash_of(block), keccak256(b"tx %d" % block), 0)
    return Log(address, (keccak256(topic.encode()), *topics), data, *at)


def hash_of(block: int) -> bytes:
    return keccak256(b"block %d" % block)


def span(block: int, moves: list[Move], final: int) -> Span:
    header = object.__new__(Header)
    for name, value in {"number": block, "hash": hash_of(block)}.items():
        object.__setattr__(header, name, value)
    logs = tuple(log_of(move, block) for move in moves)
    return Span(block, header, logs, Final(final, hash_of(final), "test"))


def seen(view: View) -> Any:
    return view.unopened(), sorted(task for task, _ in view.live()), sorted(view.tasks)


class Chain:
    """Blocks that make sense: a batch is accepted before it is opened, opened before it ends."""

    def __init__(self) -> None:
        self.blocks: list[list[Move]] = []

    def add(self, data: st.DataObject) -> None:
        past = [move for block in self.blocks for move in block]
        batches = [batch for kind, batch, _ in past if kind == "accept"]
        opened = [(b, i) for kind, b, i in past if kind == "open"]
        ended = [(b, i) for kind, b, i in past if kind in ("settle", "recall")]
        choices: list[Move] = [("accept", len(batches) + 1, 0)]
        choices += [("open", b, i) for b in batches for i in (0, 1) if (b, i) not in opened]
        choices += [
            (k, b, i) for b, i in opened if (b, i) not in ended for k in ("settle", "recall")
        ]
        self.blocks.append(
            [data.draw(st.sampled_from(choices))] if data.draw(st.booleans()) else []
        )


async def told(blocks: list[list[Move]], final: int) -> View:
    view = View(SETTLEMENT, INBOX)
    for number, moves in enumerate(blocks):
        await view.apply(span(number, moves, min(final, number)))
    return view


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_after_any_rewinds_the_view_is_that_of_the_blocks_that_stand(data: Any) -> None:
    asyncio.run(rewinds(data))


async def rewinds(data: Any) -> None:
    chain, view, final = Chain(), View(SETTLEMENT, INBOX), 0
    emitted: list[bytes] = []
    for _ in range(data.draw(st.integers(1, 25))):
        height = len(chain.blocks) - 1
        if height > final and data.draw(st.integers(0, 3)) == 0:
            back = data.draw(st.integers(final, height - 1))
            del chain.blocks[back + 1 :]
            await view.rewind(back)
        else:
            chain.add(data)
            final = data.draw(st.integers(final, len(chain.blocks) - 1))
            await view.apply(span(len(chain.blocks) - 1, chain.blocks[-1], final))
        emitted += [each.settled.task_id for each in view.take_final()]
    await view.apply(span(len(chain.blocks), [], final))
    chain.blocks.append([])
    fresh = await told(chain.blocks, final)
    emitted += [each.settled.task_id for each in view.take_final()]
    assert seen(view) == seen(fresh)
    standing = [
        task_of(b, i) for block in chain.blocks[: final + 1] for k, b, i in block if k == "settle"
    ]
    assert sorted(emitted) == sorted(standing) == sorted(set(emitted))


async def test_a_settled_task_is_told_when_its_block_is_final() -> None:
    moves: list[list[Move]] = [[("accept", 1, 0)], [("open", 1, 0)], [("settle", 1, 0)]]
    view = await told(moves, 1)
    assert view.take_final() == []
    await view.apply(span(3, [], 2))
    (final,) = view.take_final()
    assert (final.settled.task_id, final.settled.block) == (task_of(1, 0), 2)
    assert final.settled.transaction == keccak256(b"tx 2")
    assert (final.event.producer, final.opened.batch) == (PRODUCER, 1)
    assert view.take_final() == []


async def test_a_segment_without_program_is_forgotten() -> None:
    view = await told([[("accept", 1, 0)], [("open", 1, 0)]], 0)
    assert view.unopened() == [(1, [1])]
    view.forget(1, 1)
    assert view.unopened() == []


@pytest.mark.parametrize("height", [0, 5])
async def test_rewinding_keeps_the_marks_below(height: int) -> None:
    view = await told([[] for _ in range(8)], 0)
    await view.rewind(height)
    assert [mark.height for mark in view.marks()] == list(range(height + 1))
