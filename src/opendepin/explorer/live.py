"""Live events: what just happened, serialised once and handed to every visitor who listens.

The last events stay in a ring so that a client that reconnects with `Last-Event-ID` misses
nothing it could still
get. An id is `<start>-<number>`: ids of another start of this process are answered from the
beginning of the ring.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from opendepin.core.encodings import to_hex
from opendepin.explorer.config import EVENT_RING, HEARTBEAT_S, SUBSCRIBER_BACKLOG, SUBSCRIBERS_MAX
from opendepin.explorer.errors import RequestRejected
from opendepin.explorer.ports import L1Block
from opendepin.explorer.store import BatchRows, EventRow, GroupRows

HEARTBEAT = b": still here\n\n"

SHOWN = {
    "batches": "batch",
    "tasks": "opened",
    "assignments": "assigned",
    "settlements": "settled",
    "covers": "cover",
}
"""Tables whose new rows are told live one by one, and under which name."""

KEPT_SILENT = frozenset(
    {"outputs", "proof", "public", "history", "data_root", "pay_root", "outputs_hash"}
)
"""Columns that a live event leaves out: large, or only of use on a page of their own."""


@dataclass(frozen=True)
class Event:
    """One event as it goes over the wire."""

    number: int
    payload: bytes


class Live:
    """The hub of live events."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._number = 0
        self._ring: deque[Event] = deque(maxlen=EVENT_RING)
        self._listeners: set[asyncio.Queue[Event | None]] = set()

    @property
    def listeners(self) -> int:
        """Number of visitors who listen now."""
        return len(self._listeners)

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Tell everyone; a visitor who lags too far behind is let go and comes back by itself."""
        self._number += 1
        head = f"id: {self._start}-{self._number}\nevent: {kind}\n"
        event = Event(
            self._number, f"{head}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
        )
        self._ring.append(event)
        for queue in list(self._listeners):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                self._listeners.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)

    def listen(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Return events from after `last_event_id` on, or from now on, and heartbeats between.

        Raises:
            RequestRejected: code `busy`, too many visitors listen already.
        """
        if len(self._listeners) >= SUBSCRIBERS_MAX:
            text = f"{SUBSCRIBERS_MAX} visitors listen already; try again later"
            raise RequestRejected(text, code="busy")
        queue: asyncio.Queue[Event | None] = asyncio.Queue(SUBSCRIBER_BACKLOG)
        missed = self._missed(last_event_id)
        self._listeners.add(queue)
        return self._stream(queue, missed)

    async def _stream(
        self, queue: asyncio.Queue[Event | None], missed: Sequence[Event]
    ) -> AsyncIterator[bytes]:
        try:
            yield b"retry: 2000\n\n"
            for event in missed:
                yield event.payload
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield HEARTBEAT
                    continue
                if event is None:
                    return
                yield event.payload
        finally:
            self._listeners.discard(queue)

    def _missed(self, last_event_id: str | None) -> list[Event]:
        if not last_event_id:
            return []
        start, _, number = last_event_id.partition("-")
        if (
            start != str(self._start)
            or not number.isascii()
            or not number.isdigit()
            or len(number) > 18
        ):
            return list(self._ring)
        return [event for event in self._ring if event.number > int(number)]

    def admitted(self, groups: Sequence[GroupRows]) -> None:
        """Tell of readings that a gateway admitted: one event a project, however many groups."""
        readings: dict[int, list[dict[str, Any]]] = {}
        for rows in groups:
            readings.setdefault(rows.group.header.project, []).extend(
                {
                    "device": to_hex(m.device),
                    "message": to_hex(m.message_id),
                    "value": m.value,
                    "observed_s": m.observed_s,
                }
                for m in rows.messages
            )
        for project, found in readings.items():
            self.publish("admitted", {"project": project, "readings": found})

    def batch(self, rows: BatchRows) -> None:
        """Tell of a batch whose body is known now."""
        count = sum(segment.count for segment in rows.record.segments)
        self.publish(
            "body", {"number": rows.record.header.number, "messages": count, "height": rows.height}
        )

    def l1(self, newest: L1Block, rows: Sequence[EventRow]) -> None:
        """Tell of a new L1 head and of the rows its blocks brought."""
        paid: dict[tuple[int, bytes], list[int]] = {}
        registered: dict[int, int] = {}
        for row in rows:
            if row.table == "payouts":
                found = paid.setdefault((row.height, row.columns["task"]), [])
                found.append(int(row.columns["amount"]))
            elif row.table == "key_changes":
                registered[row.height] = registered.get(row.height, 0) + 1
            elif row.table in SHOWN:
                data = {k: _plain(v) for k, v in row.columns.items() if k not in KEPT_SILENT}
                self.publish(
                    SHOWN[row.table], {**data, "height": row.height, "tx": to_hex(row.transaction)}
                )
        for (height, task), amounts in paid.items():
            about = {"task": to_hex(task), "claims": len(amounts), "amount": str(sum(amounts))}
            self.publish("paid", {**about, "height": height})
        for height, changes in registered.items():
            self.publish("registered", {"devices": changes, "height": height})
        self.publish(
            "head", {"height": newest.height, "hash": to_hex(newest.hash), "time": newest.time}
        )

    def rewound(self, height: int) -> None:
        """Tell that the L1 left its chain and the index went back."""
        self.publish("rewound", {"height": height})


def _plain(value: Any) -> Any:
    return to_hex(value) if isinstance(value, bytes) else value
