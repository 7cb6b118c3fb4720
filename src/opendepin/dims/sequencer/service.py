"""The sequencer: seals checked groups into signed batches, durably, and sees them to the inbox.

In: the gateways' feeds. Out: batches in the stores and in the inbox. Promises: a header is durable
before anybody sees it, so after a crash there is the same header or none, never two; every good
group is in exactly one batch; a bad group, a dead store, an absent L1 stop nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from opendepin.core.batch import BatchHeader, Segment, encode_body, segments_root
from opendepin.core.coverage import Step
from opendepin.core.encodings import to_hex
from opendepin.core.errors import PeerFault
from opendepin.core.journey import Batched
from opendepin.core.keys import Key
from opendepin.core.readings import assemble
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.dims.sequencer.intake import Intake
from opendepin.dims.sequencer.ledger import Ledger
from opendepin.dims.sequencer.packing import Packing, Taken
from opendepin.dims.sequencer.ports import Views
from opendepin.dims.sequencer.publishing import Publishing
from opendepin.runtime.clock import Clock
from opendepin.runtime.service import Stop
from opendepin.runtime.telemetry import Counters


class Sequencer:
    """One sequencer. Built by the composition root from its parts, run until a stop."""

    def __init__(
        self,
        config: SequencerConfig,
        key: Key,
        *,
        intake: Intake,
        ledger: Ledger,
        publishing: Publishing,
        views: Views,
        clock: Clock,
        counters: Counters,
        events: Any,
    ) -> None:
        self._config, self._key = config, key
        self._intake, self._ledger, self._publishing = intake, ledger, publishing
        self._views, self._clock = views, clock
        self._counters, self._events = counters, events
        self._packing = self._empty()
        self._held: Taken | None = None
        """A checked group that did not fit the batch being filled."""
        self._step = Step(ledger.coverage)
        self._cursors = dict(ledger.cursors)
        """Per feed: the last group that is in the batch being filled, or was set aside before
        it.
        """
        self._since = 0.0
        intake.start(ledger.cursors, ledger.coverage)

    async def run(self, stop: Stop) -> None:
        """Seal and publish until the stop.

        Raises:
            Broken: our log and the inbox contradict each other.
        """
        tasks = [
            asyncio.create_task(self._seal_always(stop)),
            asyncio.create_task(self._publishing.run(stop)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def fill(self) -> bool:
        """Take groups until the batch is full, its time is over, or there are none; tell whether it
        is due.
        """
        while self._held is None and not self._packing.full():
            taken = await self._intake.next(self._step)
            if taken is None:
                self._cursors.update(self._intake.cursors)
                break
            if not self._packing.taken:
                self._since = self._clock.monotonic()
            if self._packing.add(taken):
                self._cursors.update(self._intake.cursors)
            else:
                self._held = taken
        if not self._packing.taken:
            return False
        waited = self._clock.monotonic() - self._since
        return self._held is not None or self._packing.full() or waited >= self._config.max_wait_s

    async def seal(self) -> Batched:
        """Seal what was taken into the next batch; it is durable when this returns."""
        segments, bodies = list[Segment](), [body for body, _ in self._packing.segments()]
        for body, groups in self._packing.segments():
            rules = self._views.projects.rules(body.project)
            checked = assemble(body, [taken.checked for taken in groups], rules)
            root, tree = 0, rules.tree
            if tree is not None:
                root = await self._views.field_roots.field_root(checked.readings, tree)
            segments.append(checked.segment(root))
        body = encode_body(bodies)
        data_root = await asyncio.to_thread(self._views.data_root, body)
        batch = self._sign(segments, data_root, body)
        step = self._step_of(self._packing.taken)
        await asyncio.to_thread(self._ledger.seal, batch, step, self._cursors)
        self._counters.add("batches")
        self._counters.add("messages", self._packing.messages)
        self._counters.observe("fill", (self._clock.monotonic() - self._since) * 1000)
        trace, messages = batch.header.number, self._packing.messages
        self._events.info("sealed", trace=trace, messages=messages, header=batch.header.hash())
        self._begin()
        return batch

    def status(self) -> dict[str, Any]:
        """Return what the status page adds to counts and latencies."""
        state = self._publishing.state
        return {
            "sequencer": to_hex(self._key.address),
            "sealed": self._ledger.number,
            "head": to_hex(self._ledger.head),
            "accepted": state.count if state else None,
            "final": state.final_count if state else None,
            "trouble": self._publishing.trouble,
            "set_aside": [
                {"gateway": to_hex(a.feed), "group": a.number, "code": a.code, "text": a.text}
                for a in self._intake.set_aside
            ],
        }

    async def _seal_always(self, stop: Stop) -> None:
        while not stop.is_set():
            if self._publishing.waiting >= self._config.max_in_flight or not await self.fill():
                await stop.sleep(self._config.poll_s)
            elif not await self._sealed():
                await stop.sleep(self._config.retry_s)

    async def _sealed(self) -> bool:
        """Seal; False when an engine failed, and then nothing was written and the groups are
        kept.
        """
        try:
            await self.seal()
        except PeerFault as error:
            self._counters.add(f"not-sealed.{error.code}")
            self._events.error("not sealed", code=error.code, text=str(error))
            return False
        return True

    def _sign(self, segments: Sequence[Segment], data_root: bytes, body: bytes) -> Batched:
        before = self._ledger.last
        header = BatchHeader(
            self._config.network_id,
            self._ledger.number + 1,
            self._ledger.head,
            segments_root(segments),
            data_root,
            len(body),
            max(self._clock.now_s(), before.time if before else 0),
        )
        signature = self._key.sign_recoverable(header.sequence_digest())
        return Batched(header, signature, tuple(segments), body)

    def _step_of(self, groups: Sequence[Taken]) -> Step:
        step = Step(self._ledger.coverage)
        for taken in groups:
            step.take(taken.group.header, taken.sequence_numbers())
        return step

    def _begin(self) -> None:
        """Begin the next batch, with the group that did not fit the last."""
        held, self._held = self._held, None
        self._packing = self._empty()
        self._step = Step(self._ledger.coverage)
        if held is not None:
            self._since = self._clock.monotonic()
            self._step.take(held.group.header, held.sequence_numbers())
            self._packing.add(held)
            self._cursors.update(self._intake.cursors)

    def _empty(self) -> Packing:
        return Packing(self._config.max_messages, self._config.max_bytes)
