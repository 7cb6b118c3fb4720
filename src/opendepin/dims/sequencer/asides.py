"""The groups that no batch takes: written down as evidence, judged again at the next start.

In: groups that failed a check. Out: the first of each feed that still stands in no batch, from
which the feed is read again after a restart; the newest of them for the status. Promise: each is
written once, however often it is judged.
"""

from __future__ import annotations

from opendepin.core.coverage import Coverage, Step
from opendepin.core.errors import Rejected
from opendepin.core.group import GroupHeader, decode_group
from opendepin.dims.sequencer.config import STATUS_ASIDES
from opendepin.dims.sequencer.records import Aside, decode_aside
from opendepin.runtime.stagelog import StageLog

READ_AT_ONCE = 256
"""Records read at once from the log at a start."""


class Asides:
    """The log of groups set aside. Blocking."""

    def __init__(self, log: StageLog, network_id: bytes) -> None:
        self._log, self._network_id = log, network_id
        self._written: dict[bytes, int] = {}
        """Feed → number of its last group that is in the log."""
        self._open: dict[tuple[bytes, int], Aside] = {}

    @property
    def newest(self) -> list[Aside]:
        """The newest groups that stand in no batch, oldest first."""
        return list(self._open.values())

    def load(self, coverage: Coverage) -> dict[bytes, int]:
        """Read the log; return, per feed, the number of the first group that the batches do not
        cover.

        Raises:
            LogBehind: the log cannot be read.
        """
        number, first = 0, dict[bytes, int]()
        self._open.clear()
        while rows := self._log.read(number, READ_AT_ONCE):
            for number, data in rows:
                aside = decode_aside(number, data)
                self._written[aside.feed] = max(self._written.get(aside.feed, 0), aside.number)
                if not self._is_covered(aside, coverage):
                    first[aside.feed] = min(first.get(aside.feed, aside.number), aside.number)
                    self._show(aside)
        return first

    def put(self, aside: Aside) -> None:
        """Keep a group; it is written unless it was before."""
        if aside.number > self._written.get(aside.feed, 0):
            self._log.append([aside.encode()])
            self._written[aside.feed] = aside.number
        self._show(aside)

    def settle(self, feed: bytes, number: int) -> None:
        """Say no more of a group that is good now, or covered."""
        self._open.pop((feed, number), None)

    def _show(self, aside: Aside) -> None:
        self._open.pop((aside.feed, aside.number), None)
        self._open[aside.feed, aside.number] = aside
        if len(self._open) > STATUS_ASIDES:
            del self._open[next(iter(self._open))]

    def _is_covered(self, aside: Aside, coverage: Coverage) -> bool:
        try:
            header = decode_group(aside.group, self._network_id).header
        except Rejected:
            return False
        return is_covered(header, Step(coverage))


def is_covered(header: GroupHeader, step: Step) -> bool:
    """Say whether batches, this step's groups included, hold all positions of a group."""
    last = header.first + header.count - 1
    return last <= step.covered(header.gateway, header.project).position
