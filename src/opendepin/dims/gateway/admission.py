"""Admission: every check of `docs/spec/message.md`, in its order, for messages of every transport.

In: bytes, a project's lane. Out: a ticket in the forming group, the place where the same message
was admitted before, or a refusal. Nothing here waits; a ticket counts once its group has ended.
"""

from __future__ import annotations

import asyncio

from opendepin.core.identity import KeyChange, Status
from opendepin.core.wire import Scanned
from opendepin.dims.gateway import rules
from opendepin.dims.gateway.archive import Archive
from opendepin.dims.gateway.errors import LookupsBusy, Refusal
from opendepin.dims.gateway.frames import cut
from opendepin.dims.gateway.intake import BUSY, NOT_READY, Intake
from opendepin.dims.gateway.lanes import Forming, Lane, Outcome, Repeat, Ticket
from opendepin.dims.gateway.quota import Quota

_ACTIVE = Status.ACTIVE


class Admission:
    """Judges messages against everything known now."""

    def __init__(self, intake: Intake, archive: Archive) -> None:
        config = intake.config
        self._intake, self._archive, self._config = intake, archive, config
        self._doors = intake.doors
        self._current, self._holds = intake.doors.keys.current, rules.Verifier().holds
        self._max_age_ms, self._max_ahead_ms = config.max_age_ms, config.max_ahead_ms
        self._device_quota = Quota[bytes](config.device_rate_per_s, config.device_burst)
        self._project_quota = Quota[int](config.project_rate_per_s, config.project_burst)

    def take(self, lane: Lane, raw: bytes) -> Outcome:
        """Judge one message; a ticket counts only once its group has ended."""
        scanned = lane.scanner.scan(raw)
        if scanned is None or len(scanned.raw) != len(raw):
            return self._form_refused(lane, raw)
        return self._judge(lane, scanned, self._doors.clock.now_ms())

    def take_frame(self, lane: Lane, body: bytes) -> list[Outcome]:
        """Judge a frame's messages; see `admit_frame` and `take`."""
        now_ms, outcomes = self._doors.clock.now_ms(), list[Outcome]()
        for item in cut(body, lane.scanner):
            if isinstance(item, bytes):
                outcomes.append(self._form_refused(lane, item))
            else:
                outcomes.append(self._judge(lane, item, now_ms))
        return outcomes

    def _form_refused(self, lane: Lane, raw: bytes) -> Refusal:
        refusal = rules.reason_of_form(raw, lane.schema)
        return refusal or Refusal("canonical", "the message's form is not the one of message.md")

    def _judge(self, lane: Lane, item: Scanned, now_ms: int) -> Outcome:
        """Judge a message against everything known now; a good one joins the forming group."""
        device = item.device
        last = self._intake.pending_seq.get(device) or self._doors.index.state.last_seq.get(
            device, 0
        )
        first_answer: Ticket | Repeat | None = None
        if item.seq <= last:
            try:
                first_answer = self._first_answer(lane, item)
            except LookupsBusy:
                return BUSY
            if first_answer is not None and first_answer.raw() == item.raw:
                return first_answer
        state = self._current(device)
        if state is None or state.project != lane.project or state.status is not _ACTIVE:
            return rules.reason_of_state(state, lane.project) or NOT_READY
        if not self._holds(state.public, item.message_id, item.signature):
            return rules.reason_of_signature(state.public, item)
        if first_answer is not None:
            return first_answer
        if item.seq <= last:
            return rules.reason_of_seq(item.seq, last)
        if not now_ms - self._max_age_ms <= item.time_ms <= now_ms + self._max_ahead_ms:
            return rules.reason_of_age(item.time_ms, now_ms, self._max_age_ms)
        return self._take_good(lane, item, state)

    def _take_good(self, lane: Lane, item: Scanned, state: KeyChange) -> Outcome:
        """Take a good message into the forming group, when there is room for it."""
        block = self._doors.keys.identity_block()
        if block < self._lowest_block():
            return NOT_READY
        if self._intake.waiting >= self._config.queue_messages or not self._intake.open:
            return BUSY
        refusal = self._over_quota(lane, item.device)
        if refusal is not None:
            return refusal
        forming = lane.forming
        if forming is None:
            forming = lane.forming = Forming(asyncio.get_running_loop().time())
            self._intake.work.set()
        index = forming.add(item, state, block)
        self._intake.pending_seq[item.device] = item.seq
        self._intake.waiting += 1
        if index + 1 >= lane.limit:
            lane.close()
        return Ticket(forming, index)

    def _lowest_block(self) -> int:
        return self._doors.index.state.identity_block or 1

    def _over_quota(self, lane: Lane, device: bytes) -> Refusal | None:
        now = self._doors.clock.monotonic()
        wait = self._device_quota.take(device, now)
        if wait:
            return Refusal("rate-device", "the device sends faster than it may", wait)
        wait = self._project_quota.take(lane.project, now)
        if wait:
            self._device_quota.give_back(device)
            return Refusal("rate-project", "the project's devices send faster than they may", wait)
        return None

    def _first_answer(self, lane: Lane, item: Scanned) -> Ticket | Repeat | None:
        """Return where this message was admitted before; None when it was not."""
        if item.device in self._intake.pending_seq:
            for forming in lane.in_work():
                index = forming.index_of(item.message_id)
                if index is not None:
                    return Ticket(forming, index, repeated=True)
        return self._archive.find(item.message_id)
