"""From a sealed batch to one that is final in the inbox: dispersal, submission in order, watching.

In: the ledger of sealed batches. Out: `Published` values. Promises: batches are submitted in the
order of their numbers; after a rollback of the L1 they are submitted again; a refusal or an absence
delays, and loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from opendepin.core.errors import PeerFault
from opendepin.core.journey import Batched, Published
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.dims.sequencer.errors import ForkFound, InboxRefused, LogBehind
from opendepin.dims.sequencer.ledger import Ledger
from opendepin.dims.sequencer.ports import Dispersal, Inbox, InboxState
from opendepin.runtime.clock import Clock
from opendepin.runtime.service import Stop
from opendepin.runtime.telemetry import Counters

OnPublished = Callable[[Published], None]


class Publishing:
    """Everything between a sealed batch and its finality."""

    def __init__(
        self,
        config: SequencerConfig,
        ledger: Ledger,
        stores: Dispersal,
        inbox: Inbox,
        clock: Clock,
        counters: Counters,
        events: Any,
        on_published: OnPublished | None = None,
    ) -> None:
        self._config, self._ledger, self._stores, self._inbox = config, ledger, stores, inbox
        self._clock, self._counters, self._events = clock, counters, events
        self._on_published = on_published
        self._attested: dict[int, tuple[bytes, ...]] = {}
        self._dispersals: dict[int, asyncio.Task[None]] = {}
        self._submitted: dict[int, float] = {}
        self._reported = -1
        self.state: InboxState | None = None
        """The inbox as it was last seen."""
        self.trouble = ""
        """What the inbox or the stores refused last, empty when nothing is held up."""

    @property
    def waiting(self) -> int:
        """Sealed batches that the inbox has not accepted, as far as is known."""
        return self._ledger.number - (self.state.count if self.state else 0)

    async def run(self, stop: Stop) -> None:
        """Publish what is sealed until the stop.

        Raises:
            ForkFound, LogBehind: the inbox holds what we did not seal.
        """
        try:
            while not stop.is_set():
                pause = self._config.watch_s
                try:
                    await self.look()
                except PeerFault as error:
                    self.trouble, pause = f"{error.code}: {error}", self._config.retry_s
                    self._events.warning("inbox", code=error.code, text=str(error))
                await stop.sleep(pause)
        finally:
            tasks = list(self._dispersals.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def look(self) -> None:
        """Look at the inbox once and do what is due."""
        state = await self._inbox.state()
        if not await self._is_ours(state):
            return
        if self.state is not None and state.count < self.state.count:
            self._counters.add("rollbacks")
            self._events.warning("the inbox went back", was=self.state.count, now=state.count)
            self._submitted.clear()
            self._reported = min(self._reported, state.final_count)
        self.state = state
        if self._reported < 0:
            self._reported = state.final_count
        for number in range(self._reported + 1, self._ledger.number + 1):
            self._disperse(number)
        await self._submit(state)
        await self._report(state)

    async def _is_ours(self, state: InboxState) -> bool:
        """Make sure that the inbox's chain is ours; False when it moved while it was read.

        Raises:
            ForkFound, LogBehind: it holds what we did not seal, and holds it still when asked
                again.
        """
        known = self.state
        if known is not None and (known.count, known.head) == (state.count, state.head):
            return True
        if state.count <= self._ledger.number:
            head = self._config.network_id
            if state.count:
                head = (await self._earlier(state.count)).header.hash()
            if head == state.head:
                return True
        if await self._inbox.state() != state:
            return False
        if state.count > self._ledger.number:
            text = f"the inbox holds {state.count} batches, our log {self._ledger.number}"
            raise LogBehind(text)
        text = f"batch {state.count} is another here than there: 0x{state.head.hex()}"
        raise ForkFound(text)

    def _disperse(self, number: int) -> None:
        """See to it that a batch is on its way to the stores."""
        if number not in self._attested and number not in self._dispersals:
            self._dispersals[number] = asyncio.create_task(self._collect(number))

    async def _collect(self, number: int) -> None:
        started = self._clock.monotonic()
        try:
            while True:
                try:
                    batch = await self._earlier(number)
                    self._attested[number] = await self._stores.disperse(batch, self._earlier)
                except PeerFault as error:
                    self.trouble = f"batch {number}: {error}"
                    self._counters.add(f"stores.{error.code}")
                    self._events.error("not attested", trace=number, text=str(error))
                    await self._clock.sleep(self._config.retry_s)
                    continue
                self._counters.add("attested")
                self._counters.observe("attest", (self._clock.monotonic() - started) * 1000)
                self._events.info("attested", trace=number)
                return
        finally:
            del self._dispersals[number]

    async def _earlier(self, number: int) -> Batched:
        return await asyncio.to_thread(self._ledger.batch, number)

    async def _submit(self, state: InboxState) -> None:
        """Submit, in order, the attested batches that the inbox lacks and that are not on their
        way.
        """
        last = min(self._ledger.number, state.count + self._config.submit_ahead)
        for number in range(state.count + 1, last + 1):
            if number not in self._attested:
                return
            now = self._clock.monotonic()
            if (
                now - self._submitted.get(number, -self._config.resubmit_s)
                < self._config.resubmit_s
            ):
                continue
            batch = await self._earlier(number)
            for later in [n for n in self._submitted if n >= number]:
                del self._submitted[later]
            try:
                await self._inbox.submit(batch, self._attested[number])
            except InboxRefused as error:
                self._counters.add(f"inbox.refused.{error.reason}")
                raise
            self.trouble = ""
            self._submitted[number] = now
            self._counters.add("submitted")
            self._events.info("submitted", trace=number)

    async def _report(self, state: InboxState) -> None:
        """Tell of the batches that became final, and forget them."""
        while self._reported < state.final_count and self._reported + 1 in self._attested:
            number = self._reported + 1
            batch = await self._earlier(number)
            block = await self._inbox.inbox_block(number)
            self._reported = number
            marks = self._attested.pop(number)
            self._submitted.pop(number, None)
            self._counters.add("published")
            self._events.info("final", trace=number, block=block)
            if self._on_published is not None:
                parts = (batch.header, batch.signature, batch.segments, marks, block)
                self._on_published(Published(*parts))
