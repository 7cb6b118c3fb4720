"""What admission and commit share: the lanes, and what is taken in but not durable yet.

Everything here belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from opendepin.core.wire import Scanner
from opendepin.dims.gateway.config import BUSY_RETRY_S, GatewayConfig
from opendepin.dims.gateway.errors import Refusal
from opendepin.dims.gateway.index import Index
from opendepin.dims.gateway.lanes import Forming, Lane
from opendepin.dims.gateway.ports import Heights, Inbox, KeyView, Schemas
from opendepin.runtime.clock import Clock
from opendepin.runtime.stagelog import StageLog
from opendepin.runtime.telemetry import Counters

NOT_READY = Refusal("not-ready", "the gateway has not read the registry yet", BUSY_RETRY_S)
BUSY = Refusal("busy", "the gateway's queue is full: send again later", BUSY_RETRY_S)


@dataclass(frozen=True)
class Doors:
    """What the gateway is given by the composition root."""

    log: StageLog
    index: Index
    keys: KeyView
    heights: Heights
    schemas: Schemas
    inbox: Inbox
    clock: Clock
    counters: Counters
    logger: Any


@dataclass
class Intake:
    """The messages between `take` and the disk."""

    config: GatewayConfig
    doors: Doors
    lanes: dict[int, Lane] = field(default_factory=dict[int, Lane])
    pending_seq: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Device → highest `seq` taken in and not durable yet."""
    waiting: int = 0
    """Messages taken in and not durable yet."""
    open: bool = False
    """Messages are taken."""
    work: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is something to commit, or a stop."""

    def lane(self, project: int) -> Lane | None:
        """Return a project's lane; None when it is not served."""
        found = self.lanes.get(project)
        if found is None:
            schema = self.doors.schemas.schema(project)
            if schema is None:
                return None
            scanner = Scanner(schema, self.config.network_id, project)
            limit = min(self.config.group_messages, self.doors.schemas.capacity(project))
            found = self.lanes[project] = Lane(project, schema, scanner, limit)
        return found

    def refuse(self, forming: Forming, indices: Sequence[int], refusal: Refusal) -> None:
        """Refuse messages that had joined a group."""
        for index in indices:
            if index not in forming.refused:
                row = forming.scanned[index]
                forming.refused[index] = refusal
                self.waiting -= 1
                self.forget(row.device, row.seq)

    def forget(self, device: bytes, seq: int) -> None:
        """Forget a pending `seq` that is durable or refused."""
        if self.pending_seq.get(device) == seq:
            del self.pending_seq[device]
