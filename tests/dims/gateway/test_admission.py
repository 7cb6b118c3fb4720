"""Admission against a model: seq, repeats, conflicts, quotas, registry changes, restarts, disk
faults.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from opendepin.core.group import Receipt, decode_group, receipt_of_json
from opendepin.core.identity import Status
from opendepin.core.keys import Key
from opendepin.dims.gateway.config import CHANGING_RETRY_S
from opendepin.dims.gateway.errors import Refusal
from opendepin.dims.gateway.lanes import Lane, Outcome
from opendepin.runtime.clock import ManualClock
from opendepin.runtime.errors import LogFull
from opendepin.runtime.service import Stop
from opendepin.runtime.stagelog import SegmentLog
from tests.dims.gateway.world import (
    DEVICES,
    ELSEWHERE,
    GATEWAY,
    NETWORK,
    NOW_MS,
    PROJECT,
    STRANGER,
    World,
    message_id,
    registry,
    running,
)


def code_of(outcome: Outcome) -> str:
    if isinstance(outcome, Refusal):
        return outcome.code
    return "repeat" if outcome.repeated else "ok"


def receipt_of(outcome: Outcome) -> Receipt:
    assert not isinstance(outcome, Refusal), outcome
    sealed, index = outcome.place()
    receipt = receipt_of_json(json.loads(sealed.receipt_json(index)))
    receipt.check(GATEWAY.address)
    return receipt


class FullLog:
    """A stage log whose disk can be full."""

    def __init__(self, inner: SegmentLog) -> None:
        self.inner, self.full = inner, False

    def append(self, records: Sequence[bytes]) -> int:
        if self.full:
            raise LogFull("no room")
        return self.inner.append(records)

    def read(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        return self.inner.read(after, limit)

    def last(self) -> int:
        return self.inner.last()


class Machine(RuleBasedStateMachine):
    """Sends bursts of messages, good and bad, at once; a plain model says what must become of
    each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name), group_messages=3, checkpoint_messages=7)
        self.world.own_log = FullLog(SegmentLog(Path(self.folder.name) / "log"))
        self.keys = [device.key for device in DEVICES]
        self.last = {device.id: 0 for device in DEVICES}
        self.receipts: dict[bytes, Receipt] = {}
        self.raws: dict[bytes, bytes] = {}

    @initialize()
    def start(self) -> None:
        self.stop = Stop()
        self.gateway = self.world.open()
        self.lane = self.lane_of()
        self.task = self.loop.create_task(self.gateway.run(self.stop))
        self.loop.run_until_complete(asyncio.sleep(0))

    def lane_of(self) -> Lane:
        lane = self.gateway.lane(PROJECT)
        assert lane is not None
        return lane

    def send(self, raws: Sequence[bytes], framed: bool) -> list[Outcome]:
        async def go() -> list[Outcome]:
            if framed:
                return await self.gateway.admit_frame(self.lane, b"".join(raws))
            rows = await asyncio.gather(*(self.gateway.admit(self.lane, raw) for raw in raws))
            return list(rows)

        return self.loop.run_until_complete(go())

    def expect(self, device: int, seq: int, raw: bytes, sender: Key) -> str:
        at, state = DEVICES[device], self.world.registry.states[DEVICES[device].id]
        identity = message_id(raw)
        if self.raws.get(identity) == raw:
            return "repeat"
        if state.status is Status.SUSPENDED:
            return "suspended"
        if sender.public != state.public:
            return "signature"
        if identity in self.raws:
            return "repeat"
        if seq <= self.last[at.id]:
            return "seq-conflict" if seq == self.last[at.id] else "seq-stale"
        return "ok"

    @rule(
        rows=st.lists(
            st.tuples(st.integers(0, 2), st.integers(-2, 2), st.integers(0, 1), st.booleans()),
            min_size=1,
            max_size=9,
        ),
        framed=st.booleans(),
    )
    def burst(self, rows: list[tuple[int, int, int, bool]], framed: bool) -> None:
        raws, codes = list[bytes](), list[str]()
        for device, step, value, forged in rows:
            seq = max(1, self.last[DEVICES[device].id] + step)
            sender = Key.from_seed(b"forger") if forged else self.keys[device]
            raw = DEVICES[device].sign(seq, value, key=sender)
            code = self.expect(device, seq, raw, sender)
            if code == "ok":
                self.last[DEVICES[device].id] = seq
                self.raws[message_id(raw)] = raw
            raws.append(raw)
            codes.append(code)
        outcomes = self.send(raws, framed)
        assert [code_of(row) for row in outcomes] == codes
        for raw, outcome in zip(raws, outcomes, strict=True):
            if not isinstance(outcome, Refusal):
                receipt = receipt_of(outcome)
                assert receipt.message_id == message_id(raw)
                assert self.receipts.setdefault(receipt.message_id, receipt) == receipt

    @rule(device=st.integers(0, 2), status=st.sampled_from([Status.ACTIVE, Status.SUSPENDED]))
    def change_status(self, device: int, status: Status) -> None:
        see = self.world.registry
        see.states[DEVICES[device].id] = DEVICES[device].change(status, self.keys[device])
        see.block += 1

    @rule(device=st.integers(0, 2), seed=st.binary(max_size=2))
    def rotate(self, device: int, seed: bytes) -> None:
        see = self.world.registry
        status = see.states[DEVICES[device].id].status
        self.keys[device] = Key.from_seed(b"rotated" + seed)
        see.states[DEVICES[device].id] = DEVICES[device].change(status, self.keys[device])
        see.block += 1

    @rule(device=st.integers(0, 2))
    def full_disk(self, device: int) -> None:
        if self.world.registry.states[DEVICES[device].id].status is Status.SUSPENDED:
            return
        log = self.world.own_log
        assert isinstance(log, FullLog)
        raw = DEVICES[device].sign(self.last[DEVICES[device].id] + 1, key=self.keys[device])
        log.full = True
        assert [code_of(row) for row in self.send([raw, raw], framed=False)] == ["busy", "busy"]
        log.full = False
        assert self.gateway.status()["waiting"] == 0

    @rule()
    def restart(self) -> None:
        self.stop.set()
        self.loop.run_until_complete(self.task)
        self.start()
        state = self.world.index.state
        assert {d: s for d, s in self.last.items() if s} == state.last_seq

    @invariant()
    def log_is_dense_and_holds_every_receipt(self) -> None:
        log = self.world.own_log
        assert log is not None
        due, block, seen = 1, 0, set[bytes]()
        for number, record in log.read(0, 10_000):
            group = decode_group(record, NETWORK)
            header = group.header
            assert (header.project, header.first) == (PROJECT, due)
            assert header.identity_block >= block
            assert header.include_by_block == self.world.registry.at + 120
            due, block = due + header.count, header.identity_block
            for index, raw in enumerate(group.messages):
                receipt = self.receipts[message_id(raw)]
                assert receipt.position == header.first + index
                assert receipt.header == header, number
                seen.add(message_id(raw))
        assert seen == set(self.receipts)

    def teardown(self) -> None:
        if hasattr(self, "task"):
            self.stop.set()
            self.loop.run_until_complete(self.task)
        log = self.world.own_log
        assert isinstance(log, FullLog)
        log.inner.close()
        self.loop.close()
        self.folder.cleanup()


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


async def codes(world: World, raws: Sequence[bytes]) -> list[str]:
    lane = world.gateway.lane(PROJECT)
    assert lane is not None
    return [code_of(await world.gateway.admit(lane, raw)) for raw in raws]


async def test_every_flipped_bit_of_an_admitted_message_is_refused(tmp_path: Path) -> None:
    world, known = World(tmp_path), DEVICES[0].sign(10)
    async with running(world) as gateway:
        assert await codes(world, [known]) == ["ok"]
        lane = gateway.lane(PROJECT)
        assert lane is not None
        for at in range(len(known)):
            for bit in range(8):
                raw = bytearray(known)
                raw[at] ^= 1 << bit
                assert isinstance(gateway.take(lane, bytes(raw)), Refusal), (at, bit)
        assert gateway.status()["waiting"] == 0


async def test_ages_are_held_at_their_bounds(tmp_path: Path) -> None:
    world, device = World(tmp_path), DEVICES[0]
    async with running(world):
        oldest, newest = NOW_MS - 7 * 86_400_000, NOW_MS + 60_000
        rows = [(1, oldest - 1), (2, oldest), (3, newest), (4, newest + 1)]
        sent = [device.sign(seq, time_ms=time_ms) for seq, time_ms in rows]
        assert await codes(world, sent) == ["too-old", "ok", "ok", "too-early"]
        assert isinstance(world.clock, ManualClock)
        world.clock.advance(8 * 86_400)
        assert await codes(world, sent[1:3]) == ["repeat", "repeat"]


async def test_quotas_per_device_and_project(tmp_path: Path) -> None:
    world = World(
        tmp_path, device_rate_per_s=1, device_burst=2, project_rate_per_s=10, project_burst=5
    )
    async with running(world) as gateway:
        sent = [DEVICES[i % 3].sign(1 + i // 3) for i in range(9)]
        assert await codes(world, sent) == ["ok"] * 5 + ["rate-project"] + ["rate-device"] * 2 + [
            "rate-project"
        ]
        lane = gateway.lane(PROJECT)
        assert lane is not None
        refused = await gateway.admit(lane, sent[6])
        assert isinstance(refused, Refusal)
        assert refused.retry_after_s is not None
        assert (refused.code, refused.status) == ("rate-device", 429)
        assert await codes(world, sent[:2]) == ["repeat", "repeat"], "a repeat costs nothing"
        assert isinstance(world.clock, ManualClock)
        world.clock.advance(refused.retry_after_s)
        assert await codes(world, [sent[6]]) == ["ok"]


async def test_a_full_queue_refuses_and_recovers(tmp_path: Path) -> None:
    world = World(tmp_path, queue_messages=4, group_wait_ms=20)
    async with running(world) as gateway:
        lane = gateway.lane(PROJECT)
        assert lane is not None
        sent = [DEVICES[0].sign(seq) for seq in range(1, 8)]
        outcomes = await asyncio.gather(*(gateway.admit(lane, raw) for raw in sent))
        assert [code_of(row) for row in outcomes] == ["ok"] * 4 + ["busy"] * 3
        assert await codes(world, sent[4:]) == ["ok"] * 3


async def test_a_device_that_changes_while_its_message_waits(tmp_path: Path) -> None:
    world = World(tmp_path, group_wait_ms=30)
    async with running(world) as gateway:
        lane = gateway.lane(PROJECT)
        assert lane is not None
        sent = [DEVICES[i].sign(1) for i in range(5)]
        waiting = [asyncio.ensure_future(gateway.admit(lane, raw)) for raw in sent]
        await asyncio.sleep(0.005)
        see = world.registry
        see.states[DEVICES[1].id] = DEVICES[1].change(Status.SUSPENDED)
        see.states[DEVICES[2].id] = DEVICES[2].change(key=Key.from_seed(b"new"))
        see.states[DEVICES[4].id] = DEVICES[4].change(Status.SUSPENDED)
        see.in_change.add(DEVICES[4].id)
        see.block += 1
        *outcomes, changing = await asyncio.gather(*waiting)
        assert [code_of(row) for row in outcomes] == ["ok", "suspended", "signature", "ok"]
        assert code_of(changing) == "key-changing"
        receipts = [receipt_of(outcomes[0]), receipt_of(outcomes[3])]
        assert [row.position for row in receipts] == [1, 2]
        assert {row.header.identity_block for row in receipts} == {see.block}
        assert receipts[0].header.count == 2


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.REVOKED])
async def test_a_change_that_is_not_final_yet_is_no_verdict(tmp_path: Path, status: Status) -> None:
    device, other, world = DEVICES[0], DEVICES[1], World(tmp_path)
    see = world.registry
    async with running(world) as gateway:
        lane = gateway.lane(PROJECT)
        assert lane is not None
        assert await codes(world, [device.sign(1)]) == ["ok"]
        see.states[device.id] = device.change(status)
        see.in_change.add(device.id)
        refusal = gateway.take(lane, device.sign(2))
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.status) == ("key-changing", 503)
        assert refusal.retry_after_s == CHANGING_RETRY_S > 0
        assert await codes(world, [device.sign(1), other.sign(1)]) == ["repeat", "ok"]
        see.in_change.clear()
        assert await codes(world, [device.sign(2)]) == [status.name.lower()]
        see.states[device.id] = device.change(key=Key.from_seed(b"new"))
        assert await codes(world, [device.sign(2, key=Key.from_seed(b"new"))]) == ["ok"]


async def test_a_device_in_change_of_another_project_stays_wrong(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with running(world):
        world.registry.in_change.add(ELSEWHERE.id)
        assert await codes(world, [ELSEWHERE.sign(1, project=PROJECT)]) == ["wrong-project"]


async def test_an_identity_block_never_goes_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with running(world):
        assert await codes(world, [DEVICES[0].sign(1)]) == ["ok"]
    world.registry.block -= 1
    async with running(world):
        assert await codes(world, [DEVICES[0].sign(2)]) == ["not-ready"]
        world.registry.block += 1
        assert await codes(world, [DEVICES[0].sign(2)]) == ["ok"]


async def test_nothing_is_taken_before_the_registry_is_read_or_after_the_stop(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    world.registry.block = 0
    async with running(world) as gateway:
        assert not gateway.is_open
        assert await codes(world, [DEVICES[0].sign(1)]) == ["not-ready"]
        world.registry.block = 9
        assert gateway.is_open
        assert await codes(world, [DEVICES[0].sign(1)]) == ["ok"]
    lane = gateway.lane(PROJECT)
    assert lane is not None
    outcome = gateway.take(lane, DEVICES[0].sign(2))
    assert code_of(outcome) == "busy"


async def test_who_may_not_speak(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with running(world):
        world.registry.states[DEVICES[1].id] = DEVICES[1].change(Status.REVOKED)
        sent = [STRANGER.sign(1), ELSEWHERE.sign(1, project=PROJECT), DEVICES[1].sign(1)]
        assert await codes(world, sent) == ["unknown-device", "wrong-project", "revoked"]
        assert world.log.last() == 0


async def test_the_feed_waits_for_the_next_group(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with running(world) as gateway:
        assert await gateway.feed(0, 10) == []
        assert await gateway.feed(0, 10, wait_ms=10) == []
        waiting = asyncio.ensure_future(gateway.feed(0, 10, wait_ms=5_000))
        await asyncio.sleep(0)
        assert await codes(world, [DEVICES[0].sign(1)]) == ["ok"]
        rows = await asyncio.wait_for(waiting, 2)
        assert [number for number, _ in rows] == [1]
        assert await gateway.feed(1, 10) == []


async def test_two_projects_have_positions_of_their_own(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with running(world) as gateway:
        for device, seq in ((DEVICES[0], 1), (ELSEWHERE, 1), (DEVICES[0], 2)):
            lane = gateway.lane(device.project)
            assert lane is not None
            receipt = receipt_of(await gateway.admit(lane, device.sign(seq)))
            assert receipt.header.project == device.project
            assert receipt.position == seq
        assert gateway.lane(77) is None
        assert gateway.status()["positions"] == {"1": 2, "2": 1}
    assert registry().schema(77) is None
