"""A group that was set aside stops its lane until its cause is mended and the sequencer started
anew; then nothing of the lane is missing, and nothing is batched twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opendepin.core.batch import decode_body
from opendepin.core.group import Group
from opendepin.core.journey import Batched
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.dims.sequencer.records import decode_aside
from opendepin.runtime.clock import ManualClock
from tests.dims.availability.world import NETWORK, World
from tests.dims.sequencer.ground import Bench, covered_of

CONFIG = SequencerConfig(NETWORK, max_messages=64, max_wait_s=1.0, snapshot_every=2)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path, World(), CONFIG, clock=ManualClock())
    yield found
    found.close()


def serve(bench: Bench, *projects: int) -> None:
    """Let the sequencer know these projects' rules and no others."""
    bench.world.projects = projects


def lane_of(batches: list[Batched], project: int) -> list[Group]:
    bodies = [body for batch in batches for body in decode_body(batch.body, NETWORK)]
    return [g for body in bodies for g in body.groups if g.header.project == project]


def codes(bench: Bench) -> list[str]:
    return [decode_aside(*row).code for row in bench._logs[1].read(0, 100)]


async def test_a_mended_lane_is_taken_up_again_after_a_restart(bench: Bench) -> None:
    world = bench.world
    stopped, others = [world.group(3), world.group(2)], [world.group(2, 2), world.group(4, 2)]
    bench.feed.put(stopped[0], others[0], stopped[1], others[1])
    serve(bench, 2)
    batches = await bench.seal_all()
    assert (lane_of(batches, 1), lane_of(batches, 2)) == ([], others)
    assert [row["code"] for row in bench.sequencer.status()["set_aside"]] == [
        "unknown-project",
        "range",
    ]
    serve(bench, 1, 2)
    assert await bench.seal_all() == []
    bench.reopen()
    more = world.group(5)
    bench.feed.put(more)
    batches += await bench.seal_all()
    assert lane_of(batches, 1) == [*stopped, more]
    assert lane_of(batches, 2) == others
    assert bench.sequencer.status()["set_aside"] == []
    assert codes(bench) == ["unknown-project", "range"]


async def test_an_unmended_lane_stays_set_aside_and_is_written_down_once(bench: Bench) -> None:
    bench.feed.put(bench.world.group(3), bench.world.group(2, 2))
    serve(bench, 2)
    assert len(await bench.seal_all()) == 1
    for _ in range(2):
        bench.reopen()
        assert await bench.seal_all() == []
        assert [row["group"] for row in bench.sequencer.status()["set_aside"]] == [1]
    assert codes(bench) == ["unknown-project"]


async def test_a_crash_while_a_lane_is_taken_up_again_loses_nothing(bench: Bench) -> None:
    groups = [bench.world.group(40) for _ in range(4)]
    bench.feed.put(*groups, bench.world.group(2, 2))
    serve(bench, 2)
    batches = await bench.seal_all()
    serve(bench, 1, 2)
    bench.reopen()
    await bench.sequencer.fill()
    batches.append(await bench.sequencer.seal())
    assert lane_of(batches, 1) == groups[:1]
    bench.reopen()
    batches += await bench.seal_all()
    assert lane_of(batches, 1) == groups
    assert len(lane_of(batches, 2)) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2]),
            st.integers(1, 20),
            st.sampled_from(["break", "mend", "seal", "crash", "wait"]),
        ),
        min_size=1,
        max_size=14,
    )
)
def test_whatever_was_set_aside_every_group_is_batched_once_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[int, int, str]]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("m"), World(), CONFIG, clock=ManualClock())
    lanes: dict[int, list[Group]] = {1: [], 2: []}

    async def go() -> list[Batched]:
        found: list[Batched] = []
        for project, count, act in plan:
            group = bench.world.group(count, project)
            lanes[project].append(group)
            bench.feed.put(group)
            if act in ("break", "mend"):
                found += await bench.seal_all()
                serve(bench, *((2,) if act == "break" else (1, 2)))
                bench.reopen()
            elif act == "seal":
                found += await bench.seal_all()
            elif act == "crash":
                await bench.sequencer.fill()
                bench.reopen()
        serve(bench, 1, 2)
        bench.reopen()
        return found + await bench.seal_all()

    try:
        batches = asyncio.run(go())
    finally:
        bench.close()
    assert {project: lane_of(batches, project) for project in lanes} == lanes
    assert covered_of(batches).encode() == bench.ledger.coverage.encode()
