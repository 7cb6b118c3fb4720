"""Taking groups from the gateways' feeds, one after the other, checked.

In: feeds with cursors. Out: checked groups, in an order that keeps each feed's. Promises: a bad
group is set aside with its reason and stops nobody else; a feed that is away, or names an identity
block that our view has not reached, waits alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from opendepin.core.coverage import Step
from opendepin.core.errors import PeerFault
from opendepin.core.group import Group
from opendepin.dims.sequencer import rules
from opendepin.dims.sequencer.config import STATUS_ASIDES, SequencerConfig
from opendepin.dims.sequencer.errors import GroupSetAside
from opendepin.dims.sequencer.packing import Taken
from opendepin.dims.sequencer.ports import GroupFeed, Views
from opendepin.dims.sequencer.records import Aside, decode_aside
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
        self.aside_to = 0
        """Number of the last group of this feed that is in the log of groups set aside."""


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
        self._config, self._views, self._asides = config, views, asides
        self._clock, self._counters, self._events = clock, counters, events
        self._feeds = [_Feed(gateway, source) for gateway, source in sorted(feeds.items())]
        self._turn = 0
        self.newest_asides: deque[Aside] = deque(maxlen=STATUS_ASIDES)
        self.cursors: dict[bytes, int] = {}
        """Gateway → number of the last group that was given out or set aside."""
        self._load_asides()

    def start(self, cursors: Mapping[bytes, int]) -> None:
        """Read on after these cursors."""
        self.cursors = dict(cursors)
        for feed in self._feeds:
            feed.read_to = cursors.get(feed.gateway, 0)
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
                if group.header.identity_block > self._views.identity.identity_block():
                    return None
                taken = await asyncio.to_thread(self._judge, group, number, step)
            except GroupSetAside as error:
                await asyncio.to_thread(self._set_aside, feed, number, data, error)
                taken = None
            feed.rows.popleft()
            self.cursors[feed.gateway] = number
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
        aside = Aside(feed.gateway, number, error.code, str(error), data)
        if number > feed.aside_to:
            self._asides.append([aside.encode()])
            feed.aside_to = number
        self.newest_asides.append(aside)
        self._counters.add(f"aside.{error.code}")
        at = {"gateway": feed.gateway, "group": number, "code": error.code, "text": str(error)}
        self._events.error("group set aside", **at)

    def _load_asides(self) -> None:
        by_gateway = {feed.gateway: feed for feed in self._feeds}
        number = 0
        while rows := self._asides.read(number, 256):
            for number, data in rows:
                aside = decode_aside(number, data)
                self.newest_asides.append(aside)
                feed = by_gateway.get(aside.feed)
                if feed is not None:
                    feed.aside_to = max(feed.aside_to, aside.number)
