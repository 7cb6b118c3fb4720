"""The commit loop: closes groups, signs them, makes them durable, tells who waits.

In: the lanes' forming groups. Out: groups in the log, tickets that have ended. Groups collect while
the disk works on those before; positions are given at the closing, so they have no gap whatever
fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from opendepin.core import keys
from opendepin.core.keys import Key
from opendepin.dims.gateway import rules
from opendepin.dims.gateway.archive import Archive
from opendepin.dims.gateway.intake import BUSY, NOT_READY, Intake
from opendepin.dims.gateway.lanes import Forming, Lane
from opendepin.dims.gateway.rules import Place, Sealed
from opendepin.runtime.errors import LogFull
from opendepin.runtime.service import Stop


class Commit:
    """Makes what was taken in durable."""

    def __init__(self, intake: Intake, archive: Archive, key: Key) -> None:
        self._intake, self._archive, self._config = intake, archive, intake.config
        self._doors, self._sign, self._address = intake.doors, key.sign_recoverable, key.address
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="gateway-disk")
        self._checkpoint = ThreadPoolExecutor(1, thread_name_prefix="gateway-index")
        self.committed = asyncio.Event()
        """Set at the next commit; then another event stands here."""

    async def run(self, stop: Stop) -> None:
        """Commit groups until the stop; what was taken in before it is committed before the return.

        Raises:
            LogFailed: the disk failed; nothing more is acknowledged.
        """
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(lambda _: self._intake.work.set())
        self._intake.open = True
        try:
            while not stop.is_set() or any(lane.in_work() for lane in self._intake.lanes.values()):
                await self._intake.work.wait()
                self._intake.work.clear()
                await self._gather()
                await self._commit()
        finally:
            stopping.cancel()
            self._intake.open = False
            for lane in self._intake.lanes.values():
                self._refuse_all(lane.in_work())
            self._disk.shutdown(wait=True)
            self._checkpoint.shutdown(wait=True)

    async def _gather(self) -> None:
        """Wait until the oldest message has waited long enough, or a group is full."""
        lanes = [lane for lane in self._intake.lanes.values() if lane.forming or lane.closed]
        if not lanes or any(lane.closed for lane in lanes):
            return
        oldest = min(lane.forming.since for lane in lanes if lane.forming)
        wait = oldest + self._config.group_wait_ms / 1000 - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)

    async def _commit(self) -> None:
        batch: list[tuple[Lane, Forming]] = []
        for lane in self._intake.lanes.values():
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
        due = self._doors.heights.height() + self._config.include_within_blocks
        next_position = dict(state.next_position)
        for lane, forming in batch:
            if block < state.identity_block:
                self._intake.refuse(forming, range(len(forming.scanned)), NOT_READY)
            elif forming.blocks != {block}:
                self._judge_again(forming, lane)
            kept = forming.kept()
            if kept:
                first = next_position.get(lane.project, 1)
                next_position[lane.project] = first + len(kept)
                network = self._config.network_id
                place = Place(network, lane.project, self._address, first, block, due)
                found.append((forming, rules.seal(place, kept, self._sign)))
        return found

    def _judge_again(self, forming: Forming, lane: Lane) -> None:
        """Judge those anew whose device changed between admission and the group's identity
        block.
        """
        for index, scanned in enumerate(forming.scanned):
            state = self._doors.keys.current(scanned.device)
            if state == forming.states[index]:
                continue
            changing = self._doors.keys.changing(scanned.device)
            refusal = rules.reason_of_state(state, lane.project, changing=changing)
            if refusal is None and state is not None:
                if keys.holds(state.public, scanned.message_id, scanned.signature):
                    continue
                refusal = rules.reason_of_signature(state.public, scanned)
            self._intake.refuse(forming, [index], refusal or NOT_READY)

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
        committed, self.committed = self.committed, asyncio.Event()
        committed.set()
        self._write_checkpoint()

    def _take_in(self, number: int, forming: Forming, group: Sealed) -> None:
        kept, forget = forming.kept(), self._intake.forget
        self._doors.index.add(number, group.group, kept)
        for row in kept:
            forget(row.device, row.seq)
        forming.sealed = group
        self._archive.remember(number, group)
        self._intake.waiting -= len(kept)
        self._doors.counters.add("groups")
        self._doors.counters.add("accepted", len(kept))

    def _refuse_all(self, batch: Sequence[Forming]) -> None:
        for forming in batch:
            self._intake.refuse(forming, range(len(forming.scanned)), BUSY)
            forming.end()

    def _write_checkpoint(self) -> None:
        index, config = self._doors.index, self._config
        if index.unwritten < max(config.checkpoint_messages, len(index.state.last_seq)):
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
