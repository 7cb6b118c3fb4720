"""kill -9 at any durable step: the same header or none, never two; and every message ends in one
batch.

A child process runs the real sequencer over a real log, on a feed that every run builds alike. It
ends itself by SIGKILL at its n-th step (a record before and after it is written, a batch before and
after it leaves for stores and inbox). Whoever is outside notes each header in a file that is synced
before the child goes on, so nothing seen is forgotten.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.batch_form import decode_batched
from opendepin.core.encodings import cbor_decode
from opendepin.core.journey import Batched
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.runtime.clock import ManualClock
from opendepin.runtime.stagelog import SegmentLog
from tests.dims.availability.nursery import Nursery
from tests.dims.availability.world import NETWORK, World
from tests.dims.sequencer.ground import Bench, Witness, covered_of

CONFIG = SequencerConfig(NETWORK, max_messages=32, max_wait_s=0.01, snapshot_every=2)


class Killed(BaseException):
    """Stands for SIGKILL where the process has to live on."""


class CrashingLog:
    """A stage log whose process dies at a chosen step: before a record, torn, or after it."""

    def __init__(self, inner: SegmentLog, plan: list[str]) -> None:
        self._inner, self._plan = inner, plan

    def append(self, records: Sequence[bytes]) -> int:
        act = self._plan.pop(0) if self._plan else "go"
        if act == "before":
            raise Killed
        number = self._inner.append(records)
        if act == "torn":
            self._tear()
        if act in ("after", "torn"):
            raise Killed
        return number

    def _tear(self) -> None:
        path = max(self._inner._folder.glob("*.log"))
        with path.open("r+b") as handle:
            handle.truncate(path.stat().st_size - 7)

    def read(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        return self._inner.read(after, limit)

    def last(self) -> int:
        return self._inner.last()


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from(["before", "torn", "after", "go"]), max_size=8),
    st.lists(st.integers(1, 30), min_size=3, max_size=8),
)
def test_crashes_around_the_record_never_make_two_headers(
    tmp_path_factory: pytest.TempPathFactory, plan: list[str], sizes: list[int]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("kill"), World(), CONFIG, clock=ManualClock())
    bench.wrap_log = lambda inner: CrashingLog(inner, plan)
    bench.reopen()
    bench.feed.put(*(bench.world.group(size) for size in sizes))

    async def life() -> None:
        while await bench.sequencer.fill() or bench.sequencer._packing.taken:
            batch = await bench.sequencer.seal()
            bench.witness.see(batch)
            bench.clock.advance(1.7)  # type: ignore[union-attr]

    try:
        while True:
            try:
                asyncio.run(life())
                break
            except Killed:
                bench.clock.advance(1.3)  # type: ignore[union-attr]
                bench.reopen()
        assert bench.witness.forks() == []
        batches = [bench.ledger.batch(n) for n in range(1, bench.ledger.number + 1)]
        covered = covered_of(batches)
        assert [c.position for c in covered.lanes().values()] == [sum(sizes)]
        for number, hashes in bench.witness.seen.items():
            assert hashes == {batches[number - 1].header.hash()}
    finally:
        bench.close()


STEPS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 18)
"""Where the children die, one after the other over the same log; at each start the L1 has
lost everything, so that even a run which has nothing more to seal has 20 steps.
"""


def test_killed_at_every_step_and_started_again(tmp_path: Path) -> None:
    """One network over all kills: each child goes some steps further than the one before."""
    module = "tests.dims.sequencer.killed_process"
    nursery = Nursery(module)
    try:
        for step in (*STEPS, 1_000):
            out = tmp_path / "out"
            end = nursery.reap(nursery.spawn(module, out, tmp_path, step))
            assert end == (0 if step == 1_000 else -signal.SIGKILL), (step, out.read_text())
    finally:
        nursery.close()
    seen = Witness()
    for line in (tmp_path / "seen").read_bytes().split(b"\n"):
        if line:
            row = cbor_decode(bytes.fromhex(line.decode()))
            seen.see(decode_batched(row, NETWORK))
    assert seen.forks() == []
    log = SegmentLog(tmp_path / "sealed")
    sealed: list[Batched] = []
    for _, data in log.read(0, 100):
        sealed.append(decode_batched(cbor_decode(data, 3)[0], NETWORK))
    log.close()
    assert {n: {b.header.hash()} for n, b in enumerate(sealed, 1)} == seen.seen
    assert sum(c.position for c in covered_of(sealed).lanes().values()) == 5 * (20 + 9)
