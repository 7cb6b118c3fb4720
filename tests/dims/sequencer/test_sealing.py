"""Sealing: every good group is in exactly one batch, in order, within the limits; what is bad is
set aside alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opendepin.core.batch import decode_body
from opendepin.core.group import Group
from opendepin.core.identity import Status
from opendepin.core.journey import Batched
from opendepin.core.limits import MAX_RANGES_PER_SEGMENT, MAX_SEGMENTS_PER_BATCH
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.dims.sequencer.packing import Packing, Taken
from opendepin.dims.sequencer.records import decode_aside
from opendepin.runtime.clock import ManualClock
from tests.dims.availability.world import (
    GATEWAY,
    NETWORK,
    OTHER_GATEWAY,
    STRANGER,
    World,
    signed_group,
)
from tests.dims.sequencer.ground import Bench, covered_of

CONFIG = SequencerConfig(NETWORK, max_messages=64, max_wait_s=1.0, snapshot_every=3)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path, World(), CONFIG, clock=ManualClock())
    yield found
    found.close()


def groups_of(batches: list[Batched]) -> list[Group]:
    return [g for b in batches for body in decode_body(b.body, NETWORK) for g in body.groups]


async def test_a_batch_commits_to_its_groups_and_follows_the_one_before(bench: Bench) -> None:
    groups = [bench.world.group(40), bench.world.group(10, 2), bench.world.group(30)]
    bench.feed.put(*groups)
    first, second = await bench.seal_all()
    assert (first.header.number, first.header.parent) == (1, NETWORK)
    assert (second.header.number, second.header.parent) == (2, first.header.hash())
    assert [s.count for s in first.segments] == [40, 10]
    assert first.segments[0].field_root != 0
    assert first.segments[1].field_root == 0
    assert groups_of([first, second]) == groups


async def test_a_batch_is_due_by_count_by_bytes_and_by_time(bench: Bench) -> None:
    clock = bench.clock
    assert isinstance(clock, ManualClock)
    assert not await bench.sequencer.fill()
    bench.feed.put(bench.world.group(10))
    assert not await bench.sequencer.fill()
    clock.advance(0.9)
    assert not await bench.sequencer.fill()
    clock.advance(0.2)
    assert await bench.sequencer.fill()
    await bench.sequencer.seal()
    bench.feed.put(bench.world.group(60))
    assert not await bench.sequencer.fill()
    bench.feed.put(bench.world.group(4))
    assert await bench.sequencer.fill()
    assert (await bench.sequencer.seal()).segments[0].count == 64
    bench.feed.put(bench.world.group(60), bench.world.group(5))
    assert await bench.sequencer.fill()
    assert (await bench.sequencer.seal()).segments[0].count == 60
    bench.sequencer._config = replace(CONFIG, max_bytes=1_500)
    await bench.seal_all()
    bench.feed.put(bench.world.group(5), bench.world.group(5))
    assert await bench.sequencer.fill()
    assert (await bench.sequencer.seal()).segments[0].count == 5


async def test_a_failed_engine_delays_and_loses_nothing(bench: Bench) -> None:
    bench.feed.put(bench.world.group(64))
    bench.roots.fails = 1
    assert await bench.sequencer.fill()
    assert not await bench.sequencer._sealed()
    assert bench.ledger.number == 0
    assert await bench.sequencer.fill()
    assert await bench.sequencer._sealed()
    assert bench.ledger.number == 1


def bad_groups() -> dict[str, Callable[[World], Group | bytes]]:
    """One group of each bad kind, at the place where a good one is due."""

    def forged(world: World) -> Group:
        good = world.group(2)
        return Group(replace(good.header, root=bytes(32)), good.signature, good.messages)

    def wrong_root(world: World) -> Group:
        good = world.group(2)
        header = replace(good.header, root=bytes(32))
        return Group(header, GATEWAY.sign_recoverable(header.digest()), good.messages)

    def message(code: str, **over: object) -> Callable[[World], Group]:
        def make(world: World) -> Group:
            return world.group(messages=[world.message(), world.message(**over)])  # type: ignore[arg-type]

        return make

    def suspended(world: World) -> Group:
        device = world.devices[1][7].address
        before = world.histories[device][0]
        change = replace(before, status=Status.SUSPENDED, from_block=6)
        world.histories[device] = [before, change]
        return world.group(messages=[world.message(device=7)])

    def replayed(world: World) -> Group:
        raw = world.message()
        return world.group(messages=[raw, raw])

    return {
        "group": lambda world: b"\x80",
        "wrong-gateway": lambda world: signed_group(OTHER_GATEWAY, 1, 1, [world.message()]),
        "unknown-project": lambda world: signed_group(GATEWAY, 9, 1, [world.message()]),
        "group-signature": forged,
        "group-root": wrong_root,
        "signature": message("signature", key=STRANGER),
        "schema": message("schema", value=-5),
        "suspended": suspended,
        "replayed": replayed,
        "range": lambda world: world.group(2, first=7),
        "identity-order": lambda world: world.group(2, block=9),
        "unknown-device": lambda world: world.group(
            2, block=4, gateway=GATEWAY, project=2, first=1
        ),
    }


@pytest.mark.parametrize("code", list(bad_groups()))
async def test_a_bad_group_is_set_aside_and_stops_no_other(bench: Bench, code: str) -> None:
    world = bench.world
    bench.feed.put(world.group(2))
    at = world.positions[GATEWAY.address, 1]
    bench.feed.put(bad_groups()[code](world))
    world.positions[GATEWAY.address, 1] = at
    good = [world.group(3, 1 if code == "unknown-device" else 2)]
    bench.feed.put(*good)
    other = [world.group(3, 1, OTHER_GATEWAY)]
    bench.feeds[OTHER_GATEWAY.address].put(*other)
    resent = [world.group(2)]
    bench.feed.put(*resent)
    (batch,) = await bench.seal_all()
    kept = groups_of([batch])
    assert all(group in kept for group in [*good, *other, *resent])
    assert len(kept) == 4
    number, data = bench._logs[1].read(0, 10)[0]
    aside = decode_aside(number, data)
    assert (aside.code, aside.number, aside.feed) == (code, 2, GATEWAY.address)
    assert aside.group == bench.feed.groups[1]
    assert bench.sequencer.status()["set_aside"][0]["code"] == code


async def test_what_follows_a_bad_group_of_its_lane_is_a_gap(bench: Bench) -> None:
    world = bench.world
    bench.feed.put(
        world.group(messages=[world.message(value=-1)]), world.group(2), world.group(2, 2)
    )
    (batch,) = await bench.seal_all()
    assert [s.project for s in batch.segments] == [2]
    asides = [decode_aside(*row).code for row in bench._logs[1].read(0, 10)]
    assert asides == ["schema", "range"]
    bench.reopen()
    assert await bench.seal_all() == []
    assert len(bench._logs[1].read(0, 10)) == 2


async def test_a_group_whose_identity_block_will_be_too_old_is_set_aside(bench: Bench) -> None:
    bench.intake._config = replace(CONFIG, max_identity_age=100, identity_margin=10)
    bench.identity.final = 1000
    bench.feed.put(bench.world.group(2, 2, block=909))
    bench.feed.put(bench.world.group(2, block=910))
    (batch,) = await bench.seal_all()
    assert [s.project for s in batch.segments] == [1]
    assert decode_aside(*bench._logs[1].read(0, 10)[0]).code == "identity-stale"


async def test_a_group_ahead_of_our_view_waits_and_others_do_not(bench: Bench) -> None:
    bench.identity.final = 10
    bench.feed.put(bench.world.group(2, block=11))
    bench.feeds[OTHER_GATEWAY.address].put(bench.world.group(3, 1, OTHER_GATEWAY, block=10))
    (first,) = await bench.seal_all()
    assert [r.gateway for r in first.segments[0].ranges] == [OTHER_GATEWAY.address]
    bench.identity.final = 11
    (second,) = await bench.seal_all()
    assert [r.gateway for r in second.segments[0].ranges] == [GATEWAY.address]


async def test_a_feed_that_is_away_stops_no_other(bench: Bench) -> None:
    clock = bench.clock
    assert isinstance(clock, ManualClock)
    bench.feed.away = True
    bench.feed.put(bench.world.group(2))
    bench.feeds[OTHER_GATEWAY.address].put(bench.world.group(3, 1, OTHER_GATEWAY))
    assert len(await bench.seal_all()) == 1
    bench.feed.away = False
    clock.advance(CONFIG.retry_s)
    (batch,) = await bench.seal_all()
    assert batch.segments[0].count == 2


plans = st.lists(
    st.tuples(
        st.sampled_from([GATEWAY, OTHER_GATEWAY]), st.sampled_from([1, 2]), st.integers(1, 30)
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans, st.integers(20, 80), st.integers(1_000, 30_000), st.data())
def test_every_group_once_in_order_within_the_limits(
    tmp_path_factory: pytest.TempPathFactory,
    plan: list[tuple[object, int, int]],
    most: int,
    size: int,
    data: st.DataObject,
) -> None:
    world = World()
    config = replace(CONFIG, max_messages=most, max_bytes=size)
    bench = Bench(tmp_path_factory.mktemp("s"), world, config, clock=ManualClock())
    lanes: dict[tuple[bytes, int], list[Group]] = {}

    async def go() -> list[Batched]:
        found: list[Batched] = []
        for gateway, project, count in plan:
            group = world.group(count, project, gateway)  # type: ignore[arg-type]
            lanes.setdefault((group.header.gateway, project), []).append(group)
            bench.feeds[group.header.gateway].put(group)
            act = data.draw(st.sampled_from(["wait", "fill", "seal", "crash"]))
            if act == "seal":
                found += await bench.seal_all()
            elif act == "fill" and await bench.sequencer.fill():
                found.append(await bench.sequencer.seal())
            elif act == "crash":
                await bench.sequencer.fill()
                bench.reopen()
        return found + await bench.seal_all()

    try:
        batches = asyncio.run(go())
    finally:
        bench.close()
    kept: dict[tuple[bytes, int], list[Group]] = {}
    for at, batch in enumerate(batches):
        assert batch.header.number == at + 1
        assert batch.header.parent == (batches[at - 1].header.hash() if at else NETWORK)
        assert len(batch.segments) <= MAX_SEGMENTS_PER_BATCH
        groups = groups_of([batch])
        messages = sum(g.header.count for g in groups)
        assert messages == sum(s.count for s in batch.segments)
        assert messages <= most or len(groups) == 1
        assert len(batch.body) <= size or len(groups) == 1
        assert all(
            s.count <= 256 and len(s.ranges) <= MAX_RANGES_PER_SEGMENT for s in batch.segments
        )
        for group in groups:
            kept.setdefault((group.header.gateway, group.header.project), []).append(group)
    assert kept == lanes
    covered = covered_of(batches)
    assert {lane: c.position for lane, c in covered.lanes().items()} == {
        lane: sum(g.header.count for g in groups) for lane, groups in lanes.items()
    }
    assert covered.encode() == bench.ledger.coverage.encode()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 20), st.integers(1, 256)), max_size=60),
    st.integers(1, 4_096),
)
def test_packing_keeps_every_limit(plan: list[tuple[int, int, int]], most: int) -> None:
    """Many gateways and projects, messages of no content: only the shape is looked at."""
    packing = Packing(most, 1 << 30)
    added: list[Taken] = []
    for gateway, project, count in plan:
        header = replace(_HEADER, gateway=bytes([gateway]) * 20, project=project, count=count)
        taken = Taken(Group(header, b"", (b"",) * count), (), 256, header.gateway, len(added))
        if not packing.add(taken):
            break
        added.append(taken)
    segments = packing.segments()
    assert len(segments) <= MAX_SEGMENTS_PER_BATCH
    assert sum(body.count for body, _ in segments) <= most or len(added) == 1
    placed = [taken for _, groups in segments for taken in groups]
    assert sorted(t.number for t in placed) == list(range(len(added)))
    for body, groups in segments:
        assert body.count <= 256
        assert len({t.feed for t in groups}) <= MAX_RANGES_PER_SEGMENT
        assert {t.group.header.project for t in groups} == {body.project}
    for lane in {(t.feed, t.group.header.project) for t in placed}:
        numbers = [t.number for t in placed if (t.feed, t.group.header.project) == lane]
        assert numbers == sorted(numbers)


_HEADER = World().group(1).header
