"""Admission: every check of `docs/spec/message.md`, in its order, for messages of every transport.

In: bytes, a project's lane. Out: a ticket in the forming group, the place where the same message
was admitted before, or a refusal. Nothing here waits; a ticket counts once its group has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
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
    last_seq: dict[bytes, int]
    """Device → highest durable `seq`."""


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
        return self._take(lane, (scanned,))[0]

    def take_frame(self, lane: Lane, body: bytes) -> list[Outcome]:
        """Judge a frame's messages; see `admit_frame` and `take`."""
        return self._take(lane, cut(body, lane.scanner))

    def _take(self, lane: Lane, items: Sequence[Scanned | bytes]) -> list[Outcome]:
        """Judge the messages of one request, each by itself; the good ones join forming groups."""
        moment, outcomes = self._moment(lane), list[Outcome]()
        judge, room, pending, limit = self._judge, self._room, self._pending_seq, lane.limit
        for item in items:
            if isinstance(item, bytes):
                outcomes.append(self._form_refused(lane, item))
                continue
            state = judge(lane, item, moment)
            if not isinstance(state, KeyChange):
                outcomes.append(state)
                continue
            refusal = room(lane, item.device, moment)
            if refusal is not None:
                outcomes.append(refusal)
                continue
            forming = lane.forming or self._form(lane)
            index = forming.add(item, state, moment.block)
            pending[item.device] = item.seq
            if index + 1 >= limit:
                lane.close()
            outcomes.append(Ticket(forming, index))
        return outcomes

    def _moment(self, lane: Lane) -> _Moment:
        clock, config, state = self._doors.clock, self._config, self._doors.index.state
        now_ms, block = clock.now_ms(), self._doors.keys.identity_block()
        closed = lane.stopped
        if block < (state.identity_block or 1):
            closed = NOT_READY
        elif not self._intake.open:
            closed = BUSY
        oldest, newest = now_ms - config.max_age_ms, now_ms + config.max_ahead_ms
        return _Moment(oldest, newest, clock.monotonic(), block, closed, state.last_seq)

    def _form_refused(self, lane: Lane, raw: bytes) -> Refusal:
        refusal = rules.reason_of_form(raw, lane.schema)
        return refusal or Refusal("canonical", "the message's form is not the one of message.md")

    def _judge(self, lane: Lane, item: Scanned, moment: _Moment) -> KeyChange | Outcome:
        """Judge a message against everything known now; return its device's state when it is
        good.
        """
        device, seq, time_ms, message_id, signature, raw = item
        last = self._pending_seq.get(device) or moment.last_seq.get(device, 0)
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
        return state if seq > last else rules.reason_of_seq(seq, last)

    def _age_refused(self, time_ms: int, moment: _Moment) -> Refusal:
        now_ms = moment.newest_ms - self._config.max_ahead_ms
        return rules.reason_of_age(time_ms, now_ms, self._config.max_age_ms)

    def _room(self, lane: Lane, device: bytes, moment: _Moment) -> Refusal | None:
        """Make room for a good message: say why there is none, or count it as waiting."""
        if moment.closed is not None:
            return moment.closed
        if self._intake.waiting >= self._config.queue_messages:
            return BUSY
        wait = self._device_quota.take(device, moment.now_s)
        if wait:
            return Refusal("rate-device", "the device sends faster than it may", wait)
        wait = self._project_quota.take(lane.project, moment.now_s)
        if wait:
            self._device_quota.give_back(device)
            return Refusal("rate-project", "the project's devices send faster than they may", wait)
        self._intake.waiting += 1
        return None

    def _form(self, lane: Lane) -> Forming:
        """Begin the lane's next group."""
        lane.forming = Forming(asyncio.get_running_loop().time())
        self._intake.work.set()
        return lane.forming

    def _first_answer(self, lane: Lane, item: Scanned) -> Ticket | Repeat | None:
        """Return where this message was admitted before; None when it was not."""
        if item.device in self._pending_seq:
            for forming in lane.in_work():
                index = forming.index_of(item.message_id)
                if index is not None:
                    return Ticket(forming, index, repeated=True)
        return self._archive.find(item.message_id)
