"""Watches whether Layer 1 takes what was acknowledged: a lane of which it does not is stopped, and
opened again once it does.

In: the inbox's positions, the lanes' dues. Out: per lane the refusal that new messages get. What is
acknowledged stays in the log and in the feed; only nothing more is promised that cannot be kept.
"""

from __future__ import annotations

from opendepin.core.errors import PeerFault
from opendepin.dims.gateway import dues
from opendepin.dims.gateway.config import STOPPED_RETRY_S
from opendepin.dims.gateway.dues import Broken
from opendepin.dims.gateway.errors import Refusal
from opendepin.dims.gateway.intake import Intake
from opendepin.runtime.service import Stop


class LaneWatch:
    """The watch over all lanes of one gateway."""

    def __init__(self, intake: Intake) -> None:
        self._intake, self._doors = intake, intake.doors
        self.broken: dict[int, Broken] = {}
        """Project → the promise that stops its lane."""

    async def run(self, stop: Stop) -> None:
        """Look until the stop; while Layer 1 is away, what was seen last holds."""
        while not stop.is_set():
            await self.look()
            await stop.sleep(self._intake.config.watch_s)

    async def look(self) -> None:
        """Look once at every lane that has promised something."""
        promised = [project for project, rows in self._doors.index.state.dues.items() if rows]
        if not promised:
            return
        try:
            seen = await self._doors.inbox.covered(promised)
        except PeerFault as error:
            self._doors.logger.warning("inbox not read", code=error.code, text=str(error))
            return
        for project in promised:
            rows, covered = self._doors.index.state.dues[project], seen.covered[project]
            self._judge(project, dues.broken(rows, covered, seen.height))
            dues.keep(rows, covered)

    def _judge(self, project: int, broken: Broken | None) -> None:
        lane = self._intake.lane(project)
        if lane is None or broken == self.broken.get(project):
            return
        if broken is None:
            del self.broken[project]
            lane.stopped = None
            self._doors.logger.info("lane open again", project=project)
            return
        if project not in self.broken:
            self._doors.counters.add("lanes.stopped")
            self._doors.logger.error("lane stopped", project=project, **broken._asdict())
        self.broken[project] = broken
        lane.stopped = Refusal(
            "lane-stopped",
            f"position {broken.position} was due by block {broken.block} and is in no batch: keep "
            "the message, send it again later",
            STOPPED_RETRY_S,
        )
