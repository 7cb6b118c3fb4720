"""From sealed to final: true stores attest, the inbox takes in order; rollbacks, absences and
refusals only delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from opendepin.core.journey import Batched
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.dims.sequencer.errors import ForkFound, InboxRefused, LogBehind
from opendepin.dims.sequencer.ports import InboxState
from opendepin.runtime.service import Stop
from tests.dims.availability.world import NETWORK, SEQUENCER, STORES, World
from tests.dims.sequencer.ground import Bench, TrueStores

CONFIG = SequencerConfig(
    NETWORK, max_messages=32, max_wait_s=0.01, poll_s=0.005, watch_s=0.005, retry_s=0.02,
    resubmit_s=0.3, snapshot_every=3,
)  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path, World(), CONFIG)
    found.stores = TrueStores(tmp_path, found.world, found.witness)
    found.reopen()
    yield found
    found.close()
    found.stores.close()


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not holds():
        assert loop.time() < end, "it did not come to hold in time"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[asyncio.Task[None]]:
    stop = Stop()
    task = asyncio.create_task(bench.sequencer.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 10)


async def test_groups_become_final_batches_that_every_store_attested(bench: Bench) -> None:
    async with running(bench):
        for _ in range(3):
            bench.feed.put(bench.world.group(10), bench.world.group(8, 2))
            await asyncio.sleep(0.03)
        await until(lambda: sum(s.count for b in bench.inbox.batches for s in b.segments) == 54)
        bench.inbox.finalise()
        await until(lambda: len(bench.published) == len(bench.inbox.batches))
    assert bench.witness.forks() == []
    for published, batch, marks in zip(
        bench.published, bench.inbox.batches, bench.inbox.attestations, strict=True
    ):
        assert published.header == batch.header
        assert published.attestations == marks
        assert published.inbox_block == 100 + batch.header.number
    assert {store.position.number for store in bench.stores.stores} == {len(bench.inbox.batches)}
    assert bench.publishing.trouble == ""


async def test_a_rollback_is_answered_by_submitting_again(bench: Bench) -> None:
    async with running(bench):
        for _ in range(3):
            bench.feed.put(bench.world.group(32))
        await until(lambda: len(bench.inbox.batches) == 3)
        bench.inbox.finalise()
        bench.inbox.final = 1
        before = [batch.header for batch in bench.inbox.batches]
        bench.inbox.roll_back(1)
        await until(lambda: len(bench.inbox.batches) == 3)
        assert [batch.header for batch in bench.inbox.batches] == before
        assert bench.counters.counts["rollbacks"] == 1
        bench.inbox.finalise()
        await until(lambda: len(bench.published) == 3)
        assert [p.header.number for p in bench.published] == [1, 2, 3]


async def test_a_rollback_below_what_was_told_final_is_submitted_again(bench: Bench) -> None:
    async with running(bench):
        for _ in range(3):
            bench.feed.put(bench.world.group(32))
        await until(lambda: len(bench.inbox.batches) == 3)
        bench.inbox.finalise()
        await until(lambda: len(bench.published) == 3)
        before = [batch.header for batch in bench.inbox.batches]
        bench.inbox.roll_back(1)
        await until(lambda: len(bench.inbox.batches) == 3)
        assert [batch.header for batch in bench.inbox.batches] == before
        bench.feed.put(bench.world.group(32))
        await until(lambda: len(bench.inbox.batches) == 4)


async def test_a_transaction_that_is_lost_is_submitted_again(bench: Bench) -> None:
    bench.inbox.held = True
    async with running(bench):
        bench.feed.put(bench.world.group(32))
        await until(lambda: bench.inbox.submitted == [1])
        bench.inbox.queue.clear()
        bench.inbox.held = False
        await until(lambda: len(bench.inbox.batches) == 1)
    assert bench.inbox.submitted == [1, 1]


async def test_several_are_in_flight_and_submitted_in_order(bench: Bench) -> None:
    bench.publishing._config = replace(CONFIG, submit_ahead=3, resubmit_s=60.0)
    bench.inbox.held = True
    async with running(bench):
        for _ in range(6):
            bench.feed.put(bench.world.group(32))
        await until(lambda: bench.inbox.submitted == [1, 2, 3])
        await until(lambda: bench.ledger.number == CONFIG.max_in_flight)
        await asyncio.sleep(0.05)
        assert bench.ledger.number == CONFIG.max_in_flight
        bench.inbox.held = False
        bench.inbox.mine()
        await until(lambda: len(bench.inbox.batches) == 6)


@pytest.mark.parametrize("away", [1, 2])
async def test_dead_stores_stop_nothing_unless_too_many(bench: Bench, away: int) -> None:
    bench.stores.alive = set(range(len(STORES) - away))
    async with running(bench):
        bench.feed.put(bench.world.group(32))
        if away == 1:
            await until(lambda: len(bench.inbox.batches) == 1)
        else:
            await until(lambda: "too few" in bench.publishing.trouble)
            assert bench.inbox.batches == []
        bench.stores.alive = set(range(len(STORES)))
        bench.feed.put(bench.world.group(32))
        await until(lambda: len(bench.inbox.batches) == 2)


async def test_an_l1_that_is_away_only_delays(bench: Bench) -> None:
    bench.inbox.away = True
    async with running(bench):
        bench.feed.put(bench.world.group(32))
        await until(lambda: "node-away" in bench.publishing.trouble)
        bench.inbox.away = False
        await until(lambda: len(bench.inbox.batches) == 1)


async def test_a_refusal_is_shown_and_tried_again(bench: Bench) -> None:
    refusals = ["time", "time"]
    accept = bench.inbox.accept

    def first_refuse(batch: Batched, marks: tuple[bytes, ...]) -> None:
        if refusals:
            reason = refusals.pop()
            raise InboxRefused(f"the inbox refused: {reason}", reason)
        accept(batch, marks)

    bench.inbox.accept = first_refuse  # type: ignore[method-assign, assignment]
    async with running(bench):
        bench.feed.put(bench.world.group(32))
        await until(lambda: "refused: time" in bench.publishing.trouble)
        await until(lambda: len(bench.inbox.batches) == 1)
    assert bench.counters.counts["inbox.refused.time"] == 2
    assert bench.publishing.trouble == ""


async def test_a_new_process_goes_on_from_log_and_inbox(bench: Bench) -> None:
    async with running(bench):
        for _ in range(5):
            bench.feed.put(bench.world.group(32))
        await until(lambda: len(bench.inbox.batches) == 5)
    bench.inbox.final = 2
    bench.inbox.roll_back(3)
    bench.reopen()
    bench.feed.put(bench.world.group(32))
    async with running(bench):
        await until(lambda: len(bench.inbox.batches) == 6)
        bench.inbox.finalise()
        await until(lambda: [p.header.number for p in bench.published] == [3, 4, 5, 6])
    assert bench.witness.forks() == []


async def test_an_inbox_with_a_header_that_is_not_ours_stops_the_sequencer(bench: Bench) -> None:
    bench.feed.put(bench.world.group(32))
    (batch,) = await bench.seal_all()
    header = replace(batch.header, time=batch.header.time + 1)
    signature = SEQUENCER.sign_recoverable(header.sequence_digest())
    bench.inbox.batches.append(replace(batch, header=header, signature=signature))
    async with running(bench) as task:
        with pytest.raises(ForkFound):
            await asyncio.wait_for(task, 5)


async def test_an_inbox_that_moves_while_it_is_read_is_no_fork(bench: Bench) -> None:
    """Count and head are two calls: a block between them makes a pair that never was."""
    torn, state = [True], bench.inbox.state

    async def between_two_blocks() -> InboxState:
        found = await state()
        if found.count == 1 and torn:
            torn.clear()
            return InboxState(0, found.head, 0)
        return found

    bench.inbox.state = between_two_blocks
    async with running(bench):
        bench.feed.put(bench.world.group(32))
        await until(lambda: not torn)
        bench.feed.put(bench.world.group(32))
        await until(lambda: len(bench.inbox.batches) == 2)


async def test_an_inbox_that_is_ahead_of_our_log_stops_the_sequencer(bench: Bench) -> None:
    bench.feed.put(bench.world.group(32), bench.world.group(32))
    bench.inbox.batches += await bench.seal_all()
    bench.close()
    for path in (bench.folder / "sealed").iterdir():
        path.unlink()
    bench.open()
    async with running(bench) as task:
        with pytest.raises(LogBehind):
            await asyncio.wait_for(task, 5)
    assert bench.ledger.number == 0
