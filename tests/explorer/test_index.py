"""The index: writing twice changes nothing, and following every reorg ends where a rebuild does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.batch import Segment
from opendepin.explorer.adapters.sqlite import SqliteStore
from opendepin.explorer.errors import SourceAway, SourceDisagrees, StoreBroken
from opendepin.explorer.indexer import Indexer
from opendepin.explorer.live import Live
from opendepin.explorer.ports import BatchRecord, Sources
from tests.explorer import history
from tests.explorer.conftest import Recorded, indexed
from tests.explorer.history import World, WorldPorts

SCRIPT = history.built(settled=2, sealed=3)
"""A world whose events and batches the tests replay in other blocks."""


class Stage(WorldPorts):
    """A world that is shown piece by piece: blocks, feed and bodies each as far as the test let
    it.
    """

    def __init__(self) -> None:
        super().__init__(World())
        self.world.batches, self.world.calls = SCRIPT.batches, SCRIPT.calls
        self.queue = [list(events) for events in SCRIPT.events]
        self.bodies = 0
        self.forks = 0
        self.world.mine()

    def grow(self, count: int) -> None:
        for _ in range(count):
            if self.queue:
                self.world.mine(*self.queue.pop(0))

    def fork(self, depth: int, gap: bool) -> None:
        """Take blocks back; what stood in them comes again, in other blocks."""
        self.forks += 1
        keep = max(0, len(self.world.blocks) - 1 - depth)
        self.queue = self.world.events[keep + 1 :] + self.queue
        if gap:
            self.queue.insert(0, [])
        self.world.fork(keep, f"fork {self.forks}")

    def feed(self, count: int) -> None:
        self.world.feed = SCRIPT.feed[: len(self.world.feed) + count]

    async def batch(self, number: int) -> BatchRecord | None:
        return self.world.batches.get(number) if number <= self.bodies else None

    def sources(self) -> Sources:
        return Sources(self, self, {history.GATEWAY.address: self})


STEPS = st.one_of(
    st.tuples(st.just("grow"), st.integers(1, 12)),
    st.tuples(st.just("fork"), st.integers(0, 30)),
    st.tuples(st.just("gap"), st.integers(0, 30)),
    st.tuples(st.just("feed"), st.integers(1, 8)),
    st.tuples(st.just("bodies"), st.integers(1, 2)),
    st.tuples(st.just("round"), st.integers(1, 2)),
)


async def _settle(indexer: Indexer) -> None:
    while await indexer.round():
        pass


def _indexer(store: SqliteStore, sources: Sources) -> Indexer:
    projects = {history.PROJECT: history.project_sheet()}
    return Indexer(store, sources, history.network_sheet(), projects, Live(1))


async def _follow(steps: list[tuple[str, int]], folder: Path) -> tuple[bytes, bytes]:
    stage = Stage()
    followed = SqliteStore(folder / "followed.sqlite")
    indexer = _indexer(followed, stage.sources())
    stage.grow(14)
    stage.bodies = 1
    await indexer.round()
    for name, amount in steps:
        match name:
            case "grow":
                stage.grow(amount)
            case "fork" | "gap":
                stage.fork(amount, name == "gap")
            case "feed":
                stage.feed(amount)
            case "bodies":
                stage.bodies += amount
            case _:
                for _ in range(amount):
                    await indexer.round()
    stage.grow(len(stage.queue))
    stage.feed(len(SCRIPT.feed))
    stage.bodies = 99
    while await indexer.round():
        pass
    await indexer.round()
    rebuilt = SqliteStore(folder / "rebuilt.sqlite")
    anew = _indexer(rebuilt, stage.sources())
    while await anew.round():
        pass
    found = followed.digest(), rebuilt.digest()
    counts = rebuilt.counts()
    assert (counts["settled"], counts["batches"], counts["devices"]) == (2, 3, 70)
    followed.close()
    rebuilt.close()
    return found


@settings(max_examples=12)
@given(st.lists(STEPS, max_size=14))
def test_following_every_reorg_ends_where_a_rebuild_does(steps: list[tuple[str, int]]) -> None:
    steps = [("gap", 12), *steps] if len(steps) % 2 else steps
    with TemporaryDirectory() as folder:
        followed, rebuilt = asyncio.run(_follow(steps, Path(folder)))
    assert followed == rebuilt


def _steps(store: SqliteStore, query: Callable[[], object]) -> int:
    """Return the instructions that the database runs for a query, in tens."""
    ran: list[None] = []
    connection = store.connection()
    connection.set_progress_handler(lambda: ran.append(None), 10)
    query()
    connection.set_progress_handler(None, 0)
    return len(ran)


def _lengthen(store: SqliteStore, times: int) -> None:
    """Let the gateway admit as much again, `times` over: other messages, not in any batch."""
    with store.connection() as write:
        for n in range(1, times + 1):
            write.execute(
                "INSERT INTO messages SELECT randomblob(32), gateway, project,"
                " group_first + 100000 * ?1, position + 100000 * ?1, device, seq + 100000 * ?1,"
                " time_ms, observed_s, value, raw FROM messages WHERE position < 100000",
                (n,),
            )


def test_what_one_group_or_task_is_asked_for_does_not_grow_with_the_log(
    recorded: Recorded,
) -> None:
    store = recorded.store
    group = store.segment_groups(3, 0)[1]
    at = group["gateway"], group["project"], group["first"]
    queries: dict[str, Callable[[], object]] = {
        "settle_delays": lambda: store.settle_delays(2_000),
        "group_messages": lambda: store.group_messages(*at),
        "segment_groups": lambda: store.segment_groups(3, 0),
    }
    answers = {name: query() for name, query in queries.items()}
    before = {name: _steps(store, query) for name, query in queries.items()}
    _lengthen(store, 8)
    after = {name: _steps(store, query) for name, query in queries.items()}
    assert {name: query() for name, query in queries.items()} == answers
    assert answers["settle_delays"]
    assert all(after[name] <= 1.5 * before[name] for name in queries), (before, after)


async def test_a_repeated_round_changes_nothing(recorded: Recorded) -> None:
    before = recorded.store.digest()
    indexer = _indexer(recorded.store, recorded.world.sources())
    for _ in range(3):
        assert not await indexer.round()
    assert recorded.store.digest() == before


async def test_applying_the_same_rows_again_changes_nothing(recorded: Recorded) -> None:
    before = recorded.store.digest()
    indexer = _indexer(recorded.store, recorded.world.sources())
    for number, record in recorded.world.batches.items():
        row = recorded.store.batch(number)
        assert row is not None
        recorded.store.add_batch(indexer.batch_rows(row["height"], record))
    assert recorded.store.digest() == before


async def test_the_digest_sees_one_changed_byte(recorded: Recorded) -> None:
    before = recorded.store.digest()
    with recorded.store.connection() as write:
        write.execute(
            "UPDATE messages SET raw = zeroblob(9) WHERE message_id ="
            " (SELECT max(message_id) FROM messages)"
        )
    assert recorded.store.digest() != before


async def test_a_rewind_forgets_what_came_later_and_nothing_else(recorded: Recorded) -> None:
    middle = recorded.store.batch(5)
    assert middle is not None
    recorded.store.rewind(middle["height"])
    assert recorded.store.batch(5) is not None
    assert recorded.store.batch(6) is None
    counts = recorded.store.counts()
    assert counts["batches"] == 5
    assert counts["settled"] == 4
    assert counts["admitted"] == sum(map(len, history.days())), "what gateways admitted stays"


async def test_a_rewind_to_the_first_block_is_an_empty_chain(
    recorded: Recorded, tmp_path: Path
) -> None:
    recorded.store.rewind(-1)
    fresh = SqliteStore(tmp_path / "fresh.sqlite")
    indexer = _indexer(fresh, recorded.world.sources())
    for gateway in recorded.world.sources().feeds:
        while await indexer.read_feed(gateway):
            pass
    assert recorded.store.digest() == fresh.digest()
    fresh.close()


class Wrong(WorldPorts):
    """A world one of whose answers is spoilt."""

    spoil = ""

    async def batch(self, number: int) -> BatchRecord | None:
        record = await super().batch(number)
        if record is None:
            return None
        if self.spoil == "header":
            return replace(record, header=replace(record.header, time=record.header.time + 1))
        if self.spoil == "body":
            return replace(record, body=self.world.batches[number % 2 + 1].body)
        if self.spoil == "garbage":
            return replace(record, body=b"\x80")
        if self.spoil == "segments":
            s = record.segments[0]
            other = Segment(s.project, s.root, s.field_root + 1, s.count, s.ranges)
            return replace(record, segments=(other,))
        return record

    async def events(self, first: int, last: int) -> Any:
        found = await super().events(first, last)
        if self.spoil == "fork" and found:
            return [replace(found[0], block_hash=bytes(32)), *found[1:]]
        return found

    async def after(self, number: int, limit: int) -> Any:
        found = await super().after(number, limit)
        if self.spoil == "feed" and found:
            return [(found[0][0], found[0][1][:-1])]
        if self.spoil == "away":
            raise SourceAway("no answer")
        return found


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ("header", "header"),
        ("body", "body"),
        ("garbage", "body"),
        ("segments", "body"),
        ("fork", "fork"),
        ("feed", "body"),
    ],
)
async def test_a_source_that_contradicts_the_l1_is_refused(
    spoil: str, code: str, tmp_path: Path
) -> None:
    port = Wrong(SCRIPT)
    port.spoil = spoil
    store = SqliteStore(tmp_path / "index.sqlite")
    sources = Sources(port, port, {history.GATEWAY.address: port})
    indexer = _indexer(store, sources)
    with pytest.raises(SourceDisagrees) as refused:
        await _settle(indexer)
    assert refused.value.code == code
    port.spoil = ""
    while await indexer.round():
        pass
    whole = await indexed(SCRIPT, tmp_path / "whole.sqlite")
    assert store.digest() == whole.digest(), "after the fault the same index comes out"
    whole.close()
    store.close()


async def test_a_source_that_is_away_keeps_what_was_read(tmp_path: Path) -> None:
    port = Wrong(SCRIPT)
    port.spoil = "away"
    store = SqliteStore(tmp_path / "index.sqlite")
    indexer = _indexer(store, Sources(port, port, {history.GATEWAY.address: port}))
    with pytest.raises(SourceAway):
        await indexer.round()
    assert store.counts()["batches"] == 3
    store.close()


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 30)
    with pytest.raises(StoreBroken):
        SqliteStore(path)


async def test_an_index_of_another_form_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "index.sqlite")
    store.connection().execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(StoreBroken):
        SqliteStore(tmp_path / "index.sqlite")
