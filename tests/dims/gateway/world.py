"""Devices, messages and gateways for the tests of this room."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from opendepin.core import message
from opendepin.core.identity import KeyChange, Status
from opendepin.core.keys import Key
from opendepin.core.schema import Field, Schema
from opendepin.dims.gateway.config import GatewayConfig
from opendepin.dims.gateway.index import Index
from opendepin.dims.gateway.ports import Inbox
from opendepin.dims.gateway.service import Doors, Gateway
from opendepin.runtime import telemetry
from opendepin.runtime.clock import Clock, ManualClock
from opendepin.runtime.service import Stop
from opendepin.runtime.stagelog import SegmentLog, StageLog
from tests.dims.gateway.node import Registry

NETWORK = bytes(range(1, 33))
PROJECT, OTHER_PROJECT = 1, 2
SCHEMA = Schema((Field(1, "observed_s", 0, (1 << 40) - 1), Field(2, "pm10", 0, 2_000_000)))
GATEWAY = Key.from_seed(b"gateway under test")
NOW_MS = 1_700_000_000_000


class Device:
    """A device with a key; it signs what it is told to."""

    def __init__(self, name: str, project: int = PROJECT, index: int = 0) -> None:
        self.key = Key.from_seed(name.encode())
        self.id, self.project, self.index = self.key.address, project, index

    def change(self, status: Status = Status.ACTIVE, key: Key | None = None) -> KeyChange:
        public = (key or self.key).public
        return KeyChange(self.id, status, self.project, self.index, public, 1)

    def sign(
        self,
        seq: int,
        value: int = 50_000,
        time_ms: int = NOW_MS,
        *,
        project: int | None = None,
        network: bytes = NETWORK,
        key: Key | None = None,
        data: dict[int, int] | None = None,
    ) -> bytes:
        aad = message.external_aad(network, self.project if project is None else project)
        reading = {1: time_ms // 1000, 2: value} if data is None else data
        return message.build(key or self.key, self.id, seq, time_ms, reading, aad)


DEVICES = [Device(f"device {i}", index=i) for i in range(8)]
STRANGER = Device("never registered")
ELSEWHERE = Device("of the other project", OTHER_PROJECT)


def message_id(raw: bytes, project: int = PROJECT) -> bytes:
    return message.message_id(message.parse(raw), message.external_aad(NETWORK, project))


def registry() -> Registry:
    changes = [device.change() for device in [*DEVICES, ELSEWHERE]]
    return Registry(changes, {PROJECT: SCHEMA, OTHER_PROJECT: SCHEMA})


class World:
    """A gateway in this process, over a log in a folder, with a clock and a registry in hand."""

    def __init__(
        self, home: Path, clock: Clock | None = None, log: StageLog | None = None, **config: Any
    ) -> None:
        self.home, self.registry = home, registry()
        self.clock = clock or ManualClock(NOW_MS)
        self.config = GatewayConfig(NETWORK, **{"group_wait_ms": 0.0, **config})
        self.own_log = log
        self.inbox: Inbox | None = None
        """Stands in for the registry's positions."""
        self.counters = telemetry.Counters("gateway", clock=self.clock)

    def open(self) -> Gateway:
        log = self.own_log or SegmentLog(self.home / "log")
        self.log = log
        self.index = Index(self.home / "index", NETWORK, GATEWAY.address)
        see = self.registry
        logger = telemetry.log("gateway", io.StringIO())
        told = (self.clock, self.counters, logger)
        doors = Doors(log, self.index, see, see, see, self.inbox or see, *told)
        self.gateway = Gateway(self.config, GATEWAY, doors)
        self.replayed = self.gateway.restore()
        return self.gateway

    def close(self) -> None:
        if isinstance(self.log, SegmentLog):
            self.log.close()


@asynccontextmanager
async def running(world: World) -> AsyncIterator[Gateway]:
    gateway, stop = world.open(), Stop()
    task = asyncio.ensure_future(gateway.run(stop))
    await asyncio.sleep(0)
    try:
        yield gateway
    finally:
        stop.set()
        try:
            await task
        finally:
            world.close()
