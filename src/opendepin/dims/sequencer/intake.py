"""Taking groups from the gateways' feeds, one after the other, checked.

In: feeds with cursors. Out: checked groups, in an order that keeps each feed's. Promises: a bad
group is set aside with its reason and stops no other lane, and is judged again after a restart; a
feed that is away, or names an identity block that our view has not reached, waits alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from opendepin.core.coverage import Coverage, Step
from opendepin.core.errors import PeerFault
from opendepin.core.group import Group
from opendepin.dims.sequencer import rules
from opendepin.dims.sequencer.asides import Asides, is_covered
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.dims.sequencer.errors import GroupSetAside
from opendepin.dims.sequencer.packing import Taken
from opendepin.dims.sequencer.ports import GroupFeed, Views
from opendepin.dims.sequencer.records import Aside
from opendepin.runtime.clock import Clock
from opendepin.runtime.stagelog import StageLog
from opendepin.runtime.telemetry import Counters


class _Feed:
    """One gateway's feed, and what was read of it but not dealt with."""

    def __init__(self, gateway: bytes, source: GroupFeed) -> None:
        self.gateway, self.source = gateway, source
        self.read_to = 0
        self.rows: deque[tuple[int, bytes]] = deque()
        self.away_until = 0.0
        self.dealt = 0
        """Number of the last group that was dealt with before this start; of those up to it that
        are read again, the covered ones are passed over.
        """


class Intake:
    """The feeds of all gateways."""

    def __init__(
        self,
        config: SequencerConfig,
        feeds: Mapping[bytes, GroupFeed],
        views: Views,
        asides: StageLog,
        clock: Clock,
        counters: Counters,
        events: Any,
    ) -> None:
        self._config, self._views = config, views
        self._asides = Asides(asides, config.network_id)
        self._clock, self._counters, self._events = clock, counters, events
        self._feeds = [_Feed(gateway, source) for gateway, source in sorted(feeds.items())]
        self._turn = 0
        self.cursors: dict[bytes, int] = {}
        """Gateway → number of the last group that was given out or set aside."""

    @property
    def set_aside(self) -> list[Aside]:
        """The newest groups that stand in no batch for a reason of their own."""
        return self._asides.newest

    def start(self, cursors: Mapping[bytes, int], coverage: Coverage) -> None:
        """Read on after these cursors, and again from the first group that was set aside and is
        not covered: what made it bad may be mended.

        Raises:
            LogBehind: the log of groups set aside cannot be read.
        """
        self.cursors = dict(cursors)
        first_open = self._asides.load(coverage)
        for feed in self._feeds:
            feed.dealt = cursors.get(feed.gateway, 0)
            feed.read_to = min(feed.dealt, first_open.get(feed.gateway, feed.dealt + 1) - 1)
            feed.rows.clear()

    async def next(self, step: Step) -> Taken | None:
        """Return the next good group, taken into `step`, or None when there is none now."""
        for _ in range(len(self._feeds)):
            feed = self._feeds[self._turn % len(self._feeds)]
            found = await self._next_of(feed, step)
            if found is not None:
                return found
            self._turn += 1
        return None

    async def _next_of(self, feed: _Feed, step: Step) -> Taken | None:
        while feed.rows or await self._read(feed):
            number, data = feed.rows[0]
            try:
                group = rules.read_group(data, self._config.network_id, feed.gateway)
                if number <= feed.dealt and is_covered(group.header, step):
                    taken = None
                elif group.header.identity_block > self._views.identity.identity_block():
                    return None
                else:
                    taken = await asyncio.to_thread(self._judge, group, number, step)
                self._asides.settle(feed.gateway, number)
            except GroupSetAside as error:
                await asyncio.to_thread(self._set_aside, feed, number, data, error)
                taken = None
            feed.rows.popleft()
            self.cursors[feed.gateway] = max(number, self.cursors.get(feed.gateway, 0))
            if taken is not None:
                return taken
        return None

    async def _read(self, feed: _Feed) -> bool:
        if self._clock.monotonic() < feed.away_until:
            return False
        try:
            rows = await feed.source.after(feed.read_to, self._config.feed_limit)
        except PeerFault as error:
            feed.away_until = self._clock.monotonic() + self._config.retry_s
            self._counters.add("feed.away")
            self._events.warning("feed away", gateway=feed.gateway, text=str(error))
            return False
        fresh = [row for row in rows if row[0] > feed.read_to]
        if fresh:
            feed.rows.extend(fresh)
            feed.read_to = fresh[-1][0]
        return bool(fresh)

    def _judge(self, group: Group, number: int, step: Step) -> Taken:
        views, oldest = self._views, 0
        if self._config.max_identity_age:
            bound = self._config.max_identity_age - self._config.identity_margin
            oldest = views.identity.identity_block() - bound
        known = (views.projects.rules, views.identity.history)
        return rules.judge(group, number, *known, step, oldest)

    def _set_aside(self, feed: _Feed, number: int, data: bytes, error: GroupSetAside) -> None:
        self._asides.put(Aside(feed.gateway, number, error.code, str(error), data))
        self._counters.add(f"aside.{error.code}")
        at = {"gateway": feed.gateway, "group": number, "code": error.code, "text": str(error)}
        self._events.error("group set aside", **at)
