"""The gateway: one admission behind every transport, one commit loop under it.

In: a project's messages. Out: per message a receipt's place in a durable, signed group, or a
refusal. Messages are judged on the event loop as they come; their group is closed, signed, written
and fsynced while the next ones are judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from opendepin.core.keys import Key
from opendepin.dims.gateway.admission import Admission
from opendepin.dims.gateway.archive import Archive
from opendepin.dims.gateway.commit import Commit
from opendepin.dims.gateway.config import GatewayConfig
from opendepin.dims.gateway.intake import Doors, Intake
from opendepin.dims.gateway.lanes import Lane, Outcome, Repeat, Ticket
from opendepin.dims.gateway.watch import LaneWatch
from opendepin.runtime.service import Stop
from opendepin.runtime.telemetry import Counters

__all__ = ["Doors", "Gateway"]


class Gateway:
    """One gateway over one stage log. Its methods belong to one event loop."""

    def __init__(self, config: GatewayConfig, key: Key, doors: Doors) -> None:
        self.config, self.address, self._doors = config, key.address, doors
        self._intake = Intake(config, doors)
        self.lane = self._intake.lane
        self._archive = Archive(config.network_id, doors.log, doors.index, doors.clock, self.lane)
        self._admission = Admission(self._intake, self._archive)
        self._commit = Commit(self._intake, self._archive, key)
        self.watch = LaneWatch(self._intake)
        self.take, self.take_frame = self._admission.take, self._admission.take_frame

    @property
    def is_open(self) -> bool:
        """Say whether messages are taken."""
        return self._intake.open and self._doors.keys.identity_block() > 0

    @property
    def counters(self) -> Counters:
        """What is counted here."""
        return self._doors.counters

    def log_error(self, where: str, error: BaseException) -> None:
        """Write an unexpected error to the log."""
        self._doors.logger.error("failed", where=where, error=repr(error), exc_info=error)

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

    async def _ended(self, outcomes: Sequence[Outcome]) -> None:
        for forming in {row.forming for row in outcomes if type(row) is Ticket}:
            if not forming.ended:
                done = asyncio.get_running_loop().create_future()
                forming.waiters.append(partial(_wake, done))
                await done

    def find(self, message_id: bytes) -> Repeat | None:
        """Return an admitted message's place; None when it was not admitted here.

        Raises:
            LookupsBusy: too many groups were read from disk lately.
        """
        return self._archive.find(message_id)

    async def feed(self, after: int, limit: int, wait_ms: int = 0) -> list[tuple[int, bytes]]:
        """Return committed groups after a number; when there is none, wait up to `wait_ms`."""
        log, committed = self._doors.log, self._commit.committed
        if log.last() <= after and wait_ms > 0:
            try:
                await asyncio.wait_for(committed.wait(), wait_ms / 1000)
            except TimeoutError:
                return []
        return await asyncio.get_running_loop().run_in_executor(None, log.read, after, limit)

    def status(self) -> dict[str, object]:
        """Return what `GET /v1/status` adds to the counts."""
        state = self._doors.index.state
        return {
            "gateway": "0x" + self.address.hex(),
            "groups": state.group,
            "identity_block": self._doors.keys.identity_block(),
            "height": self._doors.heights.height(),
            "positions": {str(project): at - 1 for project, at in state.next_position.items()},
            "devices": len(state.last_seq),
            "waiting": self._intake.waiting,
            "lanes_stopped": {
                str(project): {"position": broken.position, "include_by_block": broken.block}
                for project, broken in self.watch.broken.items()
            },
        }

    def restore(self) -> int:
        """Rebuild what is known, before the first message; return groups read again.

        Raises:
            RotFound: the log's bytes have changed.
            IndexBroken: log and checkpoint contradict each other.
        """
        index, most = self._doors.index, self.config.checkpoint_messages
        return index.restore(self._doors.log, self._archive.scan, most)

    async def run(self, stop: Stop) -> None:
        """Commit what is taken in until the stop; see `Commit.run`."""
        await self._commit.run(stop)

    async def serve(self, server: Callable[[Stop], Awaitable[None]], stop: Stop) -> None:
        """Run a server beside the commit loop; at the stop the server ends first, so every request
        is answered.
        """
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


def _wake(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
