"""Real store processes on free ports, and the layer's clients over them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from opendepin.core.journey import Batched
from opendepin.dims.availability.client import StoreClient
from opendepin.dims.availability.config import DispersalConfig
from opendepin.dims.availability.dispersal import Dispersal
from opendepin.dims.availability.ports import Code
from opendepin.dims.availability.retrieval import Retrieval
from opendepin.runtime.chance import SeededChance
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.net import first_free
from opendepin.runtime.telemetry import log
from tests.dims.availability.nursery import Nursery
from tests.dims.availability.store_process import write_identity
from tests.dims.availability.world import CODE, STORES, THRESHOLD, World

MODULE = "tests.dims.availability.store_process"
READY_S = 40.0


class Fleet:
    """Store processes, one folder each."""

    def __init__(self, folder: Path, world: World, code: Code = CODE) -> None:
        self.folder, self.world, self.code = folder, world, code
        self.ports = [first_free(0) for _ in STORES]
        self.addresses = [f"http://127.0.0.1:{port}" for port in self.ports]
        self.running: dict[int, int] = {}
        self._nursery = Nursery(MODULE)
        self.set_identity(1000)

    def set_identity(self, height: int) -> None:
        write_identity(self.folder / "identity.cbor", height, self.world.histories)

    def store_folder(self, index: int) -> Path:
        return self.folder / f"store-{index}"

    def start(self, *indices: int) -> None:
        """Start stores and wait until all of them serve."""
        for index in indices:
            home = self.store_folder(index)
            home.mkdir(exist_ok=True)
            out = home / "out"
            out.unlink(missing_ok=True)
            port = self.ports[index]
            argv = (index, port, home, *self.addresses)
            self.running[index] = self._nursery.spawn(MODULE, out, *argv)
        until = time.monotonic() + READY_S
        for index in indices:
            out = self.store_folder(index) / "out"
            while not out.exists() or not out.read_bytes().startswith(b"READY"):
                assert time.monotonic() < until, out.read_text() if out.exists() else "no output"
                time.sleep(0.01)

    def kill(self, *indices: int) -> None:
        for index in indices:
            pid = self.running.pop(index)
            os.kill(pid, signal.SIGKILL)
            assert self._nursery.reap(pid) == -signal.SIGKILL

    def end(self) -> None:
        self.kill(*self.running)
        self._nursery.close()

    def chunk_file(self, index: int, batch: Batched) -> Path:
        name = batch.header.data_root.hex()
        return self.store_folder(index) / "chunks" / name[:2] / f"{name}.chunks"


class Layer:
    """The availability port over the fleet."""

    def __init__(
        self,
        fleet: Fleet,
        wrap: Callable[[int, httpx.AsyncBaseTransport], httpx.AsyncBaseTransport],
    ) -> None:
        self.events = (fleet.folder / "client.jsonl").open("a")
        events = log("test", self.events)
        self.https = [
            httpx.AsyncClient(
                base_url=url, transport=wrap(i, httpx.AsyncHTTPTransport()), timeout=10
            )
            for i, url in enumerate(fleet.addresses)
        ]
        pairs = zip(STORES, self.https, strict=True)
        self.stores = [StoreClient(key.address, http, fleet.code) for key, http in pairs]
        config = DispersalConfig(THRESHOLD, 0.02, 0.1)
        self.dispersal = Dispersal(self.stores, config, SystemClock(), events)
        self.retrieval = Retrieval(self.stores, fleet.code, SeededChance(7), events)
        self.disperse = self.dispersal.disperse
        self.read, self.sample = self.retrieval.read, self.retrieval.sample

    async def close(self) -> None:
        await self.dispersal.close()
        for http in self.https:
            await http.aclose()
        self.events.close()


@asynccontextmanager
async def layer(
    fleet: Fleet,
    wrap: Callable[[int, httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] = lambda _, t: t,
) -> AsyncIterator[Layer]:
    found = Layer(fleet, wrap)
    try:
        yield found
    finally:
        await found.close()


async def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds; fail when it does not in time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not holds():
        assert loop.time() < until, "it did not come to hold in time"
        await asyncio.sleep(0.02)
