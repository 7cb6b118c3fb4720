"""Both rooms on a real engine: operators race and die, proofs fail, each task is paid once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from opendepin.core.errors import PeerFault
from opendepin.core.statement import task_id
from opendepin.core.task import Task, TaskState
from opendepin.core.units import WEI_PER_TOKEN
from tests.chain.conftest import start_node
from tests.dims.settlement.ground import (
    BOND,
    BPS,
    FEE,
    NEWER,
    NEWER_HASHES,
    OPERATORS,
    OWNER,
    PROGRAM,
    RATE,
    Counting,
    Ground,
    Operator,
    lay,
    until,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    home: Path = tmp_path_factory.mktemp("settlement")
    node = await start_node(home / "l1")
    yield await lay(node, home)
    await node.close()


@asynccontextmanager
async def running(*operators: Operator) -> AsyncIterator[None]:
    for operator in operators:
        operator.start()
    try:
        yield
    finally:
        for operator in operators:
            await operator.end()


async def tasks_of(ground: Ground, batch: int, segments: int = 1) -> list[tuple[bytes, Task]]:
    found = []
    for index in range(segments):
        task = await ground.read("Settlement", "task_at", batch, index, returns=bytes)
        found.append((task, await ground.read("Settlement", "task", task, returns=Task)))
    return found


async def all_settled(ground: Ground, batches: list[int]) -> bool:
    tasks = [task for batch in batches for _, task in await tasks_of(ground, batch)]
    return all(task.state is TaskState.SETTLED for task in tasks)


async def paid_so_far(ground: Ground) -> int:
    """What left the project's balance for good; slashed bonds came in."""
    balance = await ground.read("Escrow", "balance_of", 1, returns=int)
    slashed = len(OPERATORS) * BOND - await ground.read("Operators", "bonds_held", returns=int)
    return WEI_PER_TOKEN + slashed - balance


async def test_two_operators_race_and_each_task_is_paid_once(ground: Ground) -> None:
    before = await paid_so_far(ground)
    both = [ground.operator(0), ground.operator(1)]
    async with running(*both):
        batches = [await ground.batch(6), await ground.batch(8, 3)]
        await until(lambda: sum(len(o.settled) for o in both) == 6, both)
    tasks = await tasks_of(ground, batches[0]) + await tasks_of(ground, batches[1], 2)
    assert all(task.state is TaskState.SETTLED for _, task in tasks)
    for operator in both:
        assert {s.task_id for s in operator.settled} == {identifier for identifier, _ in tasks}
        assert operator.counters.counts["settled"] == 3
    assert sum(o.counters.counts["settled_here"] for o in both) == 3
    assert sum(o.counters.counts["proven"] for o in both) == 3
    assert sum(o.counters.counts["failed"] for o in both) == 0
    work = 3 * FEE + 17 * RATE
    assert abs(await paid_so_far(ground) - before - work - work * BPS // 10_000) <= 3
    held = [await ground.read("Escrow", "held", identifier, returns=int) for identifier, _ in tasks]
    assert held == [6 * RATE, 8 * RATE, 3 * RATE]


async def test_a_dead_operators_task_is_settled_by_the_other(ground: Ground) -> None:
    alive = ground.operator(0)
    batches = [await ground.batch(2) for _ in range(4)]
    async with running(alive):
        await until(lambda: all_settled(ground, batches), [alive])
    tasks = [(await tasks_of(ground, batch))[0][1] for batch in batches]
    assert {task.assignee for task in tasks} == {OPERATORS[0].address}
    assert alive.counters.counts["proven"] == len(batches)


async def test_one_tasks_failures_stop_no_other_and_are_tried_again(ground: Ground) -> None:
    kind = Counting()
    kind.faults = [PeerFault("the engine died", code="engine-fault"), RuntimeError("a defect")]
    both = [ground.operator(0, kind), ground.operator(1, kind)]
    async with running(*both):
        hidden = await ground.batch(2)
        ground.stores.away.add(hidden)
        seen = [await ground.batch(3), await ground.batch(4)]
        await until(lambda: all_settled(ground, seen), both)
        assert not await all_settled(ground, [hidden])
        ground.stores.away.clear()
        await until(lambda: all_settled(ground, [hidden]), both)
    failed = [o.counters.counts for o in both]
    assert sum(c["failed.engine-fault"] for c in failed) == 1
    assert sum(c["failed.unexpected"] for c in failed) == 1


async def test_a_batch_taken_before_its_program_was_replaced_settles_under_that_program(
    ground: Ground,
) -> None:
    before = await ground.batch(5)
    await ground.send(OWNER, "Programs", "register", 1, *NEWER_HASHES, *ground.terms)
    after = await ground.batch(4)
    both = [ground.operator(0), ground.operator(1)]
    async with running(*both):
        await until(lambda: all_settled(ground, [before, after]), both)
    await ground.send(OWNER, "Programs", "select", 1, PROGRAM)
    for batch, program in ((before, PROGRAM), (after, NEWER)):
        ((identifier, task),) = await tasks_of(ground, batch)
        assert task.program == program
        inbox = ground.book["BatchInbox"].address
        assert identifier == task_id(ground.network_id, inbox, batch, 0, 1, program)
    assert sum(o.counters.counts["failed"] for o in both) == 0


async def test_false_segments_are_not_opened(ground: Ground) -> None:
    one = ground.operator(0)
    batch = await ground.batch(2, 3)
    ground.stores.false.add(batch)
    async with running(one):
        await until(lambda: one.counters.counts["waits.segments"] >= 2, [one])
        assert await ground.read("Settlement", "task_at", batch, 0, returns=bytes) == bytes(32)
        ground.stores.false.clear()
        await until(lambda: one.settlement.status()["batches_unopened"] == 0, [one])
    assert await ground.read("Settlement", "task_at", batch, 1, returns=bytes) != bytes(32)


async def test_killed_at_any_moment_an_operator_goes_on_and_settles_once(ground: Ground) -> None:
    before = await paid_so_far(ground)
    batches = [await ground.batch(2) for _ in range(3)]
    for pause in (0.4, 1.0, 1.6, 2.2):
        both = [ground.operator(0), ground.operator(1)]
        for operator in both:
            operator.start()
        with pytest.raises(TimeoutError):
            await until(lambda: False, both, limit=pause)
        for operator in both:
            await operator.end()
    last = [ground.operator(0), ground.operator(1)]
    async with running(*last):
        await until(lambda: all_settled(ground, batches), last)
    assert await paid_so_far(ground) - before >= 3 * FEE
    events = await settles(ground)
    assert len(events) == len(set(events))


async def settles(ground: Ground) -> list[bytes]:
    """Task ids of every TaskSettled there ever was."""
    contract = ground.book["Settlement"]
    head = await ground.node.client.block_number()
    found = []
    for log in await ground.node.client.logs([contract.address], 0, head):
        read = contract.interface.read_log(log.topics, log.data)
        if read is not None and read[0] == "TaskSettled":
            found.append(read[1]["task"])
    return found
