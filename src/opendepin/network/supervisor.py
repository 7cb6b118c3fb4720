"""Start, watch, restart and stop the services of one home; one supervisor per home, held by a lock.

In: a home and its settings. Out: `run/addresses.json` (who listens where) and `run/state.json`
(how each
service is). Children die with the supervisor, whatever kills it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from opendepin.network.errors import StartFailed
from opendepin.network.home import Home, write_json
from opendepin.network.rooms import Service, can_do_without, services
from opendepin.runtime.clock import Clock, SystemClock
from opendepin.runtime.disk import Lock
from opendepin.runtime.http import MAX_STATUS_BYTES, at_most, client
from opendepin.runtime.net import Ports
from opendepin.runtime.processes import Supervised
from opendepin.runtime.service import Stop
from opendepin.runtime.settings import NetworkSettings
from opendepin.runtime.telemetry import open_log

PROBE_TIMEOUT_S = 2.0
MOST_STARTS = 4
"""A service that ended so often before it ever served will not come up."""
LOOK_S = 0.1


@dataclass
class Supervisor:
    """Everything one supervisor watches."""

    home: Home
    settings: NetworkSettings
    prepare: Callable[[Home, dict[str, str]], Awaitable[None]]
    """Called once Layer 1 serves and before the other services start: deploys at genesis."""
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        most = self.settings.network.log_bytes
        self._log = open_log("supervisor", self.home.log("supervisor"), most)
        self._children: dict[str, Supervised] = {}
        self._since: dict[str, int] = {}
        self._left_out: dict[str, str] = {}
        """Services that the network started without → the last thing they said."""

    async def run(self, stop: Stop) -> None:
        """Hold the lock, start Layer 1, prepare, start the rest, watch until the stop."""
        with Lock(self.home.run / "lock"), Ports() as ports:
            every = services(self.settings)
            addresses = {
                service.name: f"http://127.0.0.1:{ports.reserve(service.port)}" for service in every
            }
            write_json(self.home.addresses_file, addresses)
            self._write_state("starting")
            async with client(read_timeout_s=PROBE_TIMEOUT_S) as probe:
                await self._run_all(every, addresses, probe, stop)
            self.home.addresses_file.unlink(missing_ok=True)
            self._write_state("stopped")

    async def _run_all(
        self,
        every: list[Service],
        addresses: dict[str, str],
        probe: httpx.AsyncClient,
        stop: Stop,
    ) -> None:
        layer1, rest = every[0], every[1:]
        inner = Stop()
        tasks = [self._start(layer1, addresses, probe, inner)]
        try:
            await self._until_ready([layer1], stop)
            if not stop.is_set():
                await self.prepare(self.home, addresses)
            if not stop.is_set():
                self._write_state("founded")
                tasks += [self._start(service, addresses, probe, inner) for service in rest]
                await self._until_ready(rest, stop)
                self._write_state("stopping" if stop.is_set() else "ready")
            await stop.wait()
        finally:
            self._write_state("stopping")
            await self._stop_all(rest, layer1, inner, tasks)

    async def _stop_all(
        self, rest: list[Service], layer1: Service, inner: Stop, tasks: list[asyncio.Task[None]]
    ) -> None:
        """Stop the rooms first, Layer 1 last, so that nobody loses it while stopping."""
        for service in rest:
            child = self._children.get(service.name)
            if child is not None and child.child is not None:
                child.backoff = type(child.backoff)(first_s=3600, most_s=3600)
        stopping = [
            child.child.stop(child.stop_timeout_s)
            for name, child in self._children.items()
            if name != layer1.name and child.child is not None
        ]
        await asyncio.gather(*stopping, return_exceptions=True)
        inner.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(
        self,
        service: Service,
        addresses: dict[str, str],
        probe: httpx.AsyncClient,
        stop: Stop,
    ) -> asyncio.Task[None]:
        url = addresses[service.name] + "/healthz"

        async def ready() -> bool:
            try:
                return (await probe.get(url, extensions=at_most(MAX_STATUS_BYTES))).is_success
            except httpx.HTTPError:
                return False

        def on_event(event: str, fields: dict[str, Any]) -> None:
            self._log.info(event, child=service.name, **fields)
            self._since[service.name] = self.clock.now_ms()
            self._write_state(None)

        command = [sys.executable, "-m", "opendepin.network", service.name]
        child = Supervised(
            service.name,
            [*command, "--home", str(self.home.root)],
            ready,
            log_file=self.home.root / "logs" / f"{service.name}.out",
            on_event=on_event,
        )
        self._children[service.name] = child
        return asyncio.get_running_loop().create_task(child.run(stop))

    async def _until_ready(self, wanted: list[Service], stop: Stop) -> None:
        """Wait until these serve, or all but those that the network can do without.

        Raises:
            StartFailed: one that is needed keeps ending, or is not ready in time.
        """
        children = {service.name: self._children[service.name] for service in wanted}
        deadline = self.clock.monotonic() + max(c.ready_timeout_s for c in children.values())
        while not stop.is_set():
            late = [name for name, child in children.items() if not child.is_ready.is_set()]
            ending = [name for name in late if children[name].restarts >= MOST_STARTS]
            spared = can_do_without(self.settings, ending)
            if late == ending and spared:
                self._left_out = {name: self._last_words(name) for name in ending}
                return
            if self.clock.monotonic() >= deadline or not spared:
                names = ending or late
                said = "; ".join(map(self._last_words, names))
                raise StartFailed(f"{', '.join(names)} did not come up: {said}")
            await stop.sleep(LOOK_S)

    def _last_words(self, service: str) -> str:
        """Return the last line that a service left, and where the others stand."""
        out = self.home.root / "logs" / f"{service}.out"
        lines = out.read_text(errors="replace").strip().splitlines() if out.exists() else []
        return f"{lines[-1] if lines else 'it said nothing'} ({out})"

    def _write_state(self, phase: str | None) -> None:
        if phase is not None:
            self._phase = phase
        rows = {
            name: {
                "state": child.state,
                "pid": child.child.pid if child.child is not None else None,
                "restarts": child.restarts,
                "since_ms": self._since.get(name),
            }
            for name, child in self._children.items()
        }
        state = {
            "phase": self._phase,
            "services": rows,
            "left_out": self._left_out,
            "time_ms": self.clock.now_ms(),
        }
        write_json(self.home.state_file, state)
