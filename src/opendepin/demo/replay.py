"""Replay the recorded days: every station signs its own reading and sends it to the gateway.

In: recorded readings by day. Out: what became of each message. The records are true, time is
compressed; a station that has no record of a day is silent that day.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from opendepin.core.encodings import from_hex
from opendepin.core.schema import OBSERVED
from opendepin.demo.project import VALUE_FIELD, Fleet
from opendepin.demo.readings import Recorded, recorded
from opendepin.demo.stations import STATIONS
from opendepin.network.fleet import network_id_of
from opendepin.network.founding import GATEWAY
from opendepin.network.home import Home
from opendepin.runtime.clock import Clock
from opendepin.runtime.http import client
from opendepin.runtime.service import Stop
from opendepin.sdk import Device, GatewayAway, Outbox, Sender
from opendepin.sdk.adapters.http import HttpNet
from opendepin.sdk.adapters.system import FileStore, SystemClock

FIRST_DAY = date(2002, 12, 1)
RETRY_S = 0.5
MAX_SAMPLES = 20_000
"""Newest receipt latencies kept."""


@dataclass
class Tally:
    """What the replay did so far."""

    day: date | None = None
    sent: int = 0
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    away: int = 0
    """Times that the gateway did not answer or asked to wait; the message was sent again."""
    receipt_ms: deque[float] = field(default_factory=lambda: deque[float](maxlen=MAX_SAMPLES))
    acknowledged: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Message id → position of its receipt; nothing of this may ever be lost."""


def days() -> Iterator[tuple[date, list[Recorded]]]:
    """Yield each recorded day from `FIRST_DAY` on with its readings."""
    rows = (row for row in recorded() if row.day >= FIRST_DAY)
    for day, found in groupby(rows, key=lambda row: row.day):
        yield day, list(found)


class Replay:
    """Seventy devices with a queue each, and one sender."""

    def __init__(self, home: Home, fleet: Fleet, clock: Clock) -> None:
        self.tally = Tally()
        self._home, self._fleet, self._clock = home, fleet, clock
        self._network = network_id_of(home)
        self._gateway = from_hex(home.genesis()["gateways"][0], 20)
        self._outboxes: dict[int, Outbox] = {}

    async def run(self, stop: Stop, day_s: float, until: Stop | None = None) -> None:
        """Send day after day, one every `day_s` seconds, until the stop or the end of the
        records.
        """
        async with client(connections=len(STATIONS)) as http:
            net = HttpNet(http)
            for day, rows in days():
                if stop.is_set():
                    return
                began = self._clock.monotonic()
                self.tally.day = day
                await asyncio.gather(*(self._report(row, net, stop) for row in rows))
                left = day_s - (self._clock.monotonic() - began)
                if left > 0 and await stop.sleep(left):
                    return
        if until is not None:
            await until.wait()

    def _outbox(self, index: int) -> Outbox:
        found = self._outboxes.get(index)
        if found is None:
            store = FileStore(self._home.root / "stations" / STATIONS[index].name)
            device = Device(
                self._fleet.keys[index], self._network, self._fleet.project, store, SystemClock()
            )
            found = self._outboxes[index] = Outbox(device, store)
        return found

    async def _report(self, row: Recorded, net: HttpNet, stop: Stop) -> None:
        outbox = self._outbox(row.device_index)
        outbox.put({OBSERVED: row.observed_s, VALUE_FIELD: row.value})
        self.tally.sent += 1
        while len(outbox) and not stop.is_set():
            url = self._home.addresses()[GATEWAY]
            sender = Sender(net, url, self._gateway, self._network)
            began = self._clock.monotonic()
            try:
                for sent in await outbox.flush(sender):
                    self.tally.accepted += 1
                    self.tally.receipt_ms.append((self._clock.monotonic() - began) * 1_000)
                    self.tally.acknowledged[sent.message_id] = sent.receipt.position
            except GatewayAway as error:
                self.tally.away += 1
                await stop.sleep(max(RETRY_S, error.retry_after_s))
        self.tally.refused = sum(len(each.refused()) for each in self._outboxes.values())
