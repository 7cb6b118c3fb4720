"""A sequencer that kills itself at its n-th step: `killed_process FOLDER N`; exit 0 when it came to
the end before.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from opendepin.core.batch_form import encode_batched
from opendepin.core.encodings import cbor_encode
from opendepin.core.journey import Batched
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.dims.sequencer.ports import Earlier
from opendepin.runtime.service import Stop
from opendepin.runtime.stagelog import SegmentLog
from tests.dims.availability.world import NETWORK, World
from tests.dims.sequencer.ground import Bench, ModelInbox, SigningStores

CONFIG = SequencerConfig(
    NETWORK, max_messages=32, max_wait_s=0.01, poll_s=0.002, watch_s=0.002, snapshot_every=2
)


MESSAGES = 5 * (20 + 9)


class Steps:
    """Counts durable steps; at the n-th the process is gone."""

    def __init__(self, folder: Path, kill_at: int) -> None:
        self._left, self._path = kill_at, folder / "seen"

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def see(self, batch: Batched) -> None:
        """Note a header outside, durably, as a store or the L1 would remember it."""
        with self._path.open("ab") as handle:
            handle.write(cbor_encode(encode_batched(batch)).hex().encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())


class KilledLog:
    """Dies before or after a record."""

    def __init__(self, inner: SegmentLog, steps: Steps) -> None:
        self._inner, self._steps = inner, steps

    def append(self, records: Sequence[bytes]) -> int:
        self._steps.step()
        number = self._inner.append(records)
        self._steps.step()
        return number

    def read(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        return self._inner.read(after, limit)

    def last(self) -> int:
        return self._inner.last()


class KilledStores(SigningStores):
    """Dies before or after a batch is with the stores."""

    steps: Steps

    async def disperse(self, batch: Batched, earlier: Earlier) -> tuple[bytes, ...]:
        self.steps.step()
        self.steps.see(batch)
        found = await super().disperse(batch, earlier)
        self.steps.step()
        return found


class KilledInbox(ModelInbox):
    """Dies before or after a batch is submitted."""

    steps: Steps

    def __init__(self) -> None:
        super().__init__()
        self.whole = asyncio.Event()

    async def submit(self, batch: Batched, attestations: Sequence[bytes]) -> None:
        self.steps.step()
        self.steps.see(batch)
        await super().submit(batch, attestations)
        self.steps.step()
        if sum(s.count for b in self.batches for s in b.segments) == MESSAGES:
            self.whole.set()


async def main(folder: Path, kill_at: int) -> None:
    steps = Steps(folder, kill_at)
    bench = Bench(folder, World(), CONFIG)
    for _ in range(5):
        bench.feed.put(bench.world.group(20), bench.world.group(9, 2))
    bench.stores, bench.inbox = KilledStores(bench.witness), KilledInbox()
    bench.stores.steps = bench.inbox.steps = steps
    bench.wrap_log = lambda inner: KilledLog(inner, steps)
    bench.reopen()
    stop = Stop()
    task = asyncio.create_task(bench.sequencer.run(stop))
    await bench.inbox.whole.wait()
    stop.set()
    await task
    bench.close()


def entry() -> int:
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
    return 0
