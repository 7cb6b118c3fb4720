"""The gateway: one `admit` behind every transport, one commit loop under it.

In: a project's messages. Out: per message a ticket of a durable, signed group, a place in an older group, or a refusal.
Messages are judged on the event loop as they come; their group is closed, signed, written and fsynced while the next
ones are judged. Positions are given at the closing, so they have no gap whatever fails.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from opendepin.core.group import decode_group
from opendepin.core.identity import KeyChange, Status
from opendepin.core.keys import Key
from opendepin.core.wire import Scanned, Scanner
from opendepin.dims.gateway import rules
from opendepin.dims.gateway.config import (
    BUSY_RETRY_S,
    CACHED_GROUPS,
    LOOKUPS_BURST,
    LOOKUPS_PER_S,
    GatewayConfig,
)
from opendepin.dims.gateway.errors import IndexBroken, LookupsBusy, Refusal
from opendepin.dims.gateway.frames import cut
from opendepin.dims.gateway.index import Index
from opendepin.dims.gateway.lanes import Forming, Lane, Outcome, Repeat, Ticket
from opendepin.dims.gateway.ports import Heights, KeyView, Schemas
from opendepin.dims.gateway.quota import Quota
from opendepin.dims.gateway.rules import Place, Sealed
from opendepin.runtime.clock import Clock
from opendepin.runtime.errors import LogFull
from opendepin.runtime.service import Stop
from opendepin.runtime.stagelog import StageLog
from opendepin.runtime.telemetry import Counters

_NOT_READY = Refusal("not-ready", "the gateway has not read the registry yet: try again", BUSY_RETRY_S)
_ACTIVE = Status.ACTIVE
_BUSY = Refusal("busy", "the gateway's queue is full: send again later", BUSY_RETRY_S)


@dataclass(frozen=True)
class Doors:
    """What the gateway is given by the composition root."""

    log: StageLog
    index: Index
    keys: KeyView
    heights: Heights
    schemas: Schemas
    clock: Clock
    counters: Counters
    logger: Any


class Gateway:
    """One gateway over one stage log. Its methods belong to one event loop."""

    def __init__(self, config: GatewayConfig, key: Key, doors: Doors) -> None:
        self.config = config
        self._doors, self._sign = doors, key.sign_recoverable
        self._address = key.address
        self._lanes: dict[int, Lane] = {}
        self._last_seq = doors.index.state.last_seq
        self._pending_seq: dict[bytes, int] = {}
        self._current, self._holds = doors.keys.current, rules.Verifier().holds
        self._max_age_ms, self._max_ahead_ms = config.max_age_ms, config.max_ahead_ms
        self._device_quota = Quota[bytes](config.device_rate_per_s, config.device_burst)
        self._project_quota = Quota[int](config.project_rate_per_s, config.project_burst)
        self._waiting = 0
        self._work = asyncio.Event()
        self._committed = asyncio.Event()
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="gateway-disk")
        self._checkpoint = ThreadPoolExecutor(1, thread_name_prefix="gateway-index")
        self._cache: OrderedDict[int, Sealed] = OrderedDict()
        self._lookups = Quota[int](LOOKUPS_PER_S, LOOKUPS_BURST)
        self._open = False

    @property
    def address(self) -> bytes:
        """Address of the gateway's key."""
        return self._address

    @property
    def is_open(self) -> bool:
        """Say whether messages are taken."""
        return self._open and self._doors.keys.identity_block() > 0

    @property
    def counters(self) -> Counters:
        """What is counted here."""
        return self._doors.counters

    def log_error(self, where: str, error: BaseException) -> None:
        """Write an unexpected error to the log."""
        self._doors.logger.error("failed", where=where, error=repr(error), exc_info=error)

    def lane(self, project: int) -> Lane | None:
        """Return a project's lane; None when it is not served."""
        found = self._lanes.get(project)
        if found is None:
            schema = self._doors.schemas.schema(project)
            if schema is None:
                return None
            scanner = Scanner(schema, self.config.network_id, project)
            found = self._lanes[project] = Lane(project, schema, scanner)
        return found

    # admission

    async def admit(self, lane: Lane, raw: bytes) -> Outcome:
        """Admit one message; return when it is durable or refused."""
        outcome = self.take(lane, raw)
        await self._ended([outcome])
        return outcome.outcome() if type(outcome) is Ticket else outcome

    async def admit_frame(self, lane: Lane, body: bytes) -> list[Outcome]:
        """Admit a frame's messages, each by itself; return when all are durable or refused.

        Raises:
            FrameRejected: the body cannot be cut; nothing of it was judged.
        """
        outcomes = self.take_frame(lane, body)
        await self._ended(outcomes)
        return [row.outcome() if type(row) is Ticket else row for row in outcomes]

    def take(self, lane: Lane, raw: bytes) -> Outcome:
        """Judge one message; a ticket counts only once its group has ended."""
        scanned = lane.scanner.scan(raw)
        if scanned is None or len(scanned.raw) != len(raw):
            return self._form_refused(lane, raw)
        return self._judge(lane, scanned, self._doors.clock.now_ms())

    def take_frame(self, lane: Lane, body: bytes) -> list[Outcome]:
        """Judge a frame's messages; see `admit_frame` and `take`."""
        now_ms = self._doors.clock.now_ms()
        return [
            self._form_refused(lane, item)
            if type(item) is bytes
            else self._judge(lane, item, now_ms)
            for item in cut(body, lane.scanner)
        ]

    async def _ended(self, outcomes: Sequence[Outcome]) -> None:
        for forming in {row.forming for row in outcomes if type(row) is Ticket}:
            if not forming.ended:
                done = asyncio.get_running_loop().create_future()
                forming.waiters.append(partial(_wake, done))
                await done

    def _form_refused(self, lane: Lane, raw: bytes) -> Refusal:
        refusal = rules.reason_of_form(raw, lane.schema)
        return refusal or Refusal("canonical", "the message's form is not the one of message.md")

    def _judge(self, lane: Lane, item: Scanned, now_ms: int) -> Outcome:
        """Judge a message against everything known now; a good one joins the forming group."""
        device = item.device
        last = self._pending_seq.get(device) or self._last_seq.get(device, 0)
        first_answer: Ticket | Repeat | None = None
        if item.seq <= last:
            try:
                first_answer = self._first_answer(lane, item)
            except LookupsBusy:
                return _BUSY
            if first_answer is not None and first_answer.raw() == item.raw:
                return first_answer
        state = self._current(device)
        if state is None or state.project != lane.project or state.status is not _ACTIVE:
            return rules.reason_of_state(state, lane.project) or _NOT_READY
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
            return _NOT_READY
        if self._waiting >= self.config.queue_messages or not self._open:
            return _BUSY
        refusal = self._over_quota(lane, item.device)
        if refusal is not None:
            return refusal
        forming = lane.forming
        if forming is None:
            forming = lane.forming = Forming(asyncio.get_running_loop().time())
            self._work.set()
        index = forming.add(item, state, block)
        self._pending_seq[item.device] = item.seq
        self._waiting += 1
        if index + 1 >= self.config.group_messages:
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
        if item.device in self._pending_seq:
            for forming in lane.in_work():
                index = forming.index_of(item.message_id)
                if index is not None:
                    return Ticket(forming, index, repeated=True)
        return self.find(item.message_id)

    # look-ups

    def find(self, message_id: bytes) -> Repeat | None:
        """Return an admitted message's place; None when it was not admitted here."""
        for number, index in self._doors.index.find(message_id):
            sealed = self._sealed(number)
            if index < len(sealed.message_ids) and sealed.message_ids[index] == message_id:
                return Repeat(sealed, index)
        return None

    def _sealed(self, number: int) -> Sealed:
        found = self._cache.get(number)
        if found is None:
            if self._lookups.take(0, self._doors.clock.monotonic()) > 0:
                raise LookupsBusy("too many old messages are asked for: try again later")
            rows = self._doors.log.read(number - 1, 1)
            if not rows:
                raise IndexBroken(f"the log has no group {number}")
            group = decode_group(rows[0][1], self.config.network_id)
            ids = [self.scan_kept(group.header.project, raw).message_id for raw in group.messages]
            found = rules.sealed_of(group, ids)
            self._remember(number, found)
        else:
            self._cache.move_to_end(number)
        return found

    def _remember(self, number: int, sealed: Sealed) -> None:
        self._cache[number] = sealed
        if len(self._cache) > CACHED_GROUPS:
            self._cache.popitem(last=False)

    def scan_kept(self, project: int, raw: bytes) -> Scanned:
        """Read a message that the log holds.

        Raises:
            IndexBroken: it is not one of that project.
        """
        lane = self.lane(project)
        scanned = lane.scanner.scan(raw) if lane is not None else None
        if scanned is None:
            raise IndexBroken(f"the log holds a message that is none of project {project}")
        return scanned

    async def feed(self, after: int, limit: int, wait_ms: int = 0) -> list[tuple[int, bytes]]:
        """Return committed groups after a number; when there is none, wait for one up to `wait_ms`."""
        committed = self._committed
        if self._doors.log.last() <= after and wait_ms > 0:
            try:
                await asyncio.wait_for(committed.wait(), wait_ms / 1000)
            except TimeoutError:
                return []
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._doors.log.read, after, limit)

    def status(self) -> dict[str, object]:
        """Return what `GET /v1/status` adds to the counts."""
        state = self._doors.index.state
        return {
            "gateway": "0x" + self._address.hex(),
            "groups": state.group,
            "identity_block": self._doors.keys.identity_block(),
            "height": self._doors.heights.height(),
            "positions": {str(project): at - 1 for project, at in state.next_position.items()},
            "devices": len(state.last_seq),
            "waiting": self._waiting,
        }

    # committing

    def restore(self) -> int:
        """Rebuild what is known from checkpoint and log, before the first `admit`; return groups read again."""
        index, config = self._doors.index, self.config
        again = index.restore(self._doors.log, self.scan_kept, config.checkpoint_messages)
        self._last_seq = index.state.last_seq
        return again

    async def run(self, stop: Stop) -> None:
        """Commit groups until the stop; what was taken in before it is committed before the return.

        Raises:
            LogFailed: the disk failed; nothing more is acknowledged.
        """
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(lambda _: self._work.set())
        self._open = True
        try:
            while not stop.is_set() or any(lane.in_work() for lane in self._lanes.values()):
                await self._work.wait()
                self._work.clear()
                await self._gather()
                await self._commit()
        finally:
            stopping.cancel()
            self._open = False
            for lane in self._lanes.values():
                self._refuse_all(lane.in_work())
            self._disk.shutdown(wait=True)
            self._checkpoint.shutdown(wait=True)

    async def serve(self, server: Callable[[Stop], Awaitable[None]], stop: Stop) -> None:
        """Run a server beside the commit loop; at the stop the server ends first, so every request is answered."""
        serving_stop, committing_stop = Stop(), Stop()
        serving = asyncio.ensure_future(server(serving_stop))
        committing = asyncio.ensure_future(self.run(committing_stop))
        stopping = asyncio.ensure_future(stop.wait())
        tasks = {serving, committing, stopping}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            serving_stop.set()
            await asyncio.wait({serving})
            committing_stop.set()
            await asyncio.gather(committing, serving)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _gather(self) -> None:
        """Wait until the oldest message has waited long enough, or a group is full."""
        lanes = [lane for lane in self._lanes.values() if lane.forming or lane.closed]
        if not lanes or any(lane.closed for lane in lanes):
            return
        oldest = min(lane.forming.since for lane in lanes if lane.forming)
        wait = oldest + self.config.group_wait_ms / 1000 - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)

    async def _commit(self) -> None:
        batch: list[tuple[Lane, Forming]] = []
        for lane in self._lanes.values():
            lane.close()
            lane.committing, lane.closed = lane.closed, []
            batch += [(lane, forming) for forming in lane.committing]
        try:
            sealed = self._seal(batch)
            if sealed:
                await self._write(sealed)
        finally:
            for lane, forming in batch:
                lane.committing = ()
                if forming.sealed is None:
                    self._refuse_all([forming])
                forming.end()

    def _seal(self, batch: Sequence[tuple[Lane, Forming]]) -> list[tuple[Forming, Sealed]]:
        """Fix identity block and positions of the closed groups, sign them."""
        found: list[tuple[Forming, Sealed]] = []
        state, block = self._doors.index.state, self._doors.keys.identity_block()
        due = self._doors.heights.height() + self.config.include_within_blocks
        next_position = dict(state.next_position)
        for lane, forming in batch:
            if block < state.identity_block:
                self._refuse(forming, range(len(forming.scanned)), _NOT_READY)
            elif forming.blocks != {block}:
                self._judge_again(forming, lane)
            kept = forming.kept()
            if kept:
                first = next_position.get(lane.project, 1)
                next_position[lane.project] = first + len(kept)
                network = self.config.network_id
                place = Place(network, lane.project, self._address, first, block, due)
                found.append((forming, rules.seal(place, kept, self._sign)))
        return found

    def _judge_again(self, forming: Forming, lane: Lane) -> None:
        """Judge those anew whose device changed between admission and the group's identity block."""
        for index, scanned in enumerate(forming.scanned):
            state = self._doors.keys.current(scanned.device)
            if state == forming.states[index]:
                continue
            refusal = rules.reason_of_state(state, lane.project)
            if refusal is None and state is not None:
                if self._holds(state.public, scanned.message_id, scanned.signature):
                    continue
                refusal = rules.reason_of_signature(state.public, scanned)
            self._refuse(forming, [index], refusal or _NOT_READY)

    async def _write(self, sealed: list[tuple[Forming, Sealed]]) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        records = [group.group.encode() for _, group in sealed]
        try:
            first = await loop.run_in_executor(self._disk, self._doors.log.append, records)
        except LogFull as error:
            self._doors.logger.error("log-full", detail=str(error))
            return
        for number, (forming, group) in enumerate(sealed, first):
            self._take_in(number, forming, group)
        self._doors.counters.observe("commit", 1000 * (loop.time() - begun))
        committed, self._committed = self._committed, asyncio.Event()
        committed.set()
        self._write_checkpoint()

    def _take_in(self, number: int, forming: Forming, group: Sealed) -> None:
        kept, pending = forming.kept(), self._pending_seq
        self._doors.index.add(number, group.group, kept)
        for row in kept:
            if pending.get(row.device) == row.seq:
                del pending[row.device]
        forming.sealed = group
        self._remember(number, group)
        self._waiting -= len(kept)
        self._doors.counters.add("groups")
        self._doors.counters.add("accepted", len(kept))

    def _refuse_all(self, batch: Sequence[Forming]) -> None:
        for forming in batch:
            self._refuse(forming, range(len(forming.scanned)), _BUSY)
            forming.end()

    def _refuse(self, forming: Forming, indices: Sequence[int], refusal: Refusal) -> None:
        for index in indices:
            if index not in forming.refused:
                row = forming.scanned[index]
                forming.refused[index] = refusal
                self._waiting -= 1
                if self._pending_seq.get(row.device) == row.seq:
                    del self._pending_seq[row.device]

    def _write_checkpoint(self) -> None:
        index, config = self._doors.index, self.config
        if index.unwritten < max(config.checkpoint_messages, len(self._last_seq)):
            return
        snapshot = index.begin_write()
        if snapshot is None:
            return
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(self._checkpoint, index.write, snapshot)
        writing.add_done_callback(self._checkpoint_done)

    def _checkpoint_done(self, writing: asyncio.Future[None]) -> None:
        error = writing.exception()
        if error is None:
            self._doors.index.end_write()
        else:
            self._doors.logger.error("checkpoint", detail=str(error))
            self._doors.index.undo_write()


def _wake(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
