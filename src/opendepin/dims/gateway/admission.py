"""Admission: every check of `docs/spec/message.md`, in its order, for messages of every transport.

In: bytes, a project's lane. Out: a ticket in the forming group, the place where the same message
was admitted before, or a refusal. Nothing here waits; a ticket counts once its group has ended.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from opendepin.core import keys
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


class _Moment(NamedTuple):
    """What holds for all messages of one request."""

    oldest_ms: int
    newest_ms: int
    now_s: float
    """Monotonic seconds, for the quotas."""
    block: int
    """Identity block."""
    closed: Refusal | None
    """Why no message is taken now."""


class Admission:
    """Judges messages against everything known now."""

    def __init__(self, intake: Intake, archive: Archive) -> None:
        config = intake.config
        self._intake, self._archive, self._config = intake, archive, config
        self._doors = intake.doors
        self._current = intake.doors.keys.current
        self._pending_seq = intake.pending_seq
        self._device_quota = Quota[bytes](config.device_rate_per_s, config.device_burst)
        self._project_quota = Quota[int](config.project_rate_per_s, config.project_burst)

    def take(self, lane: Lane, raw: bytes) -> Outcome:
        """Judge one message; a ticket counts only once its group has ended."""
        scanned = lane.scanner.scan(raw)
        if scanned is None or len(scanned.raw) != len(raw):
            return self._form_refused(lane, raw)
        return self._judge(lane, scanned, self._moment(lane))

    def take_frame(self, lane: Lane, body: bytes) -> list[Outcome]:
        """Judge a frame's messages; see `admit_frame` and `take`."""
        moment, outcomes = self._moment(lane), list[Outcome]()
        for item in cut(body, lane.scanner):
            if isinstance(item, bytes):
                outcomes.append(self._form_refused(lane, item))
            else:
                outcomes.append(self._judge(lane, item, moment))
        return outcomes

    def _moment(self, lane: Lane) -> _Moment:
        clock, config = self._doors.clock, self._config
        now_ms, block = clock.now_ms(), self._doors.keys.identity_block()
        closed = lane.stopped
        if block < (self._doors.index.state.identity_block or 1):
            closed = NOT_READY
        elif not self._intake.open:
            closed = BUSY
        oldest, newest = now_ms - config.max_age_ms, now_ms + config.max_ahead_ms
        return _Moment(oldest, newest, clock.monotonic(), block, closed)

    def _form_refused(self, lane: Lane, raw: bytes) -> Refusal:
        refusal = rules.reason_of_form(raw, lane.schema)
        return refusal or Refusal("canonical", "the message's form is not the one of message.md")

    def _judge(self, lane: Lane, item: Scanned, moment: _Moment) -> Outcome:
        """Judge a message against everything known now; a good one joins the forming group."""
        device, seq, time_ms, message_id, signature, raw = item
        last = self._pending_seq.get(device) or self._doors.index.state.last_seq.get(device, 0)
        first_answer: Ticket | Repeat | None = None
        if seq <= last:
            try:
                first_answer = self._first_answer(lane, item)
            except LookupsBusy:
                return BUSY
            if first_answer is not None and first_answer.raw() == raw:
                return first_answer
        state = self._current(device)
        if state is None or state.project != lane.project or state.status is not _ACTIVE:
            changing = self._doors.keys.changing(device)
            return rules.reason_of_state(state, lane.project, changing=changing) or NOT_READY
        if not keys.holds(state.public, message_id, signature):
            return rules.reason_of_signature(state.public, item)
        if first_answer is not None:
            return first_answer
        if not moment.oldest_ms <= time_ms <= moment.newest_ms:
            return self._age_refused(time_ms, moment)
        if seq <= last:
            return rules.reason_of_seq(seq, last)
        return self._take_good(lane, item, state, moment)

    def _age_refused(self, time_ms: int, moment: _Moment) -> Refusal:
        now_ms = moment.newest_ms - self._config.max_ahead_ms
        return rules.reason_of_age(time_ms, now_ms, self._config.max_age_ms)

    def _take_good(
        self, lane: Lane, item: Scanned, state: KeyChange, moment: _Moment
    ) -> Ticket | Refusal:
        """Take a good message into the forming group, when there is room for it."""
        intake, device = self._intake, item.device
        if moment.closed is not None:
            return moment.closed
        if intake.waiting >= self._config.queue_messages:
            return BUSY
        refusal = self._over_quota(lane, device, moment.now_s)
        if refusal is not None:
            return refusal
        forming = lane.forming
        if forming is None:
            forming = lane.forming = Forming(asyncio.get_running_loop().time())
            intake.work.set()
        index = forming.add(item, state, moment.block)
        self._pending_seq[device] = item.seq
        intake.waiting += 1
        if index + 1 >= lane.limit:
            lane.close()
        return Ticket(forming, index)

    def _over_quota(self, lane: Lane, device: bytes, now: float) -> Refusal | None:
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
        if item.device in self._pending_seq:
            for forming in lane.in_work():
                index = forming.index_of(item.message_id)
                if index is not None:
                    return Ticket(forming, index, repeated=True)
        return self._archive.find(item.message_id)
