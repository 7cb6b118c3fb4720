"""The demo from start to report: a network comes up, stations report, proofs settle and pay.

In: a home and how long. Out: a `Report` (`demo.json`) whose `ok` says whether every check holds.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from opendepin.demo import checks
from opendepin.demo.claiming import Claiming
from opendepin.demo.project import FULL_CAPACITY, NOTICE, Fleet, prepare_machine, set_up
from opendepin.demo.replay import Replay, Tally
from opendepin.demo.report import Report, Times, build_report
from opendepin.network.control import POLL_S, holder, state_of
from opendepin.network.errors import HomeRefused, StartFailed
from opendepin.network.founding import COLLECTOR
from opendepin.network.home import Home
from opendepin.network.registering import registrar
from opendepin.runtime import settings
from opendepin.runtime.clock import Clock, SystemClock, began_s
from opendepin.runtime.processes import Child, spawn
from opendepin.runtime.service import Stop

READY_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 60.0
DRAIN_S = 45.0
"""Longest wait, after the last reading, for what was sent to be settled before the checks."""

T = TypeVar("T")
Progress = Callable[[str], None]
Watch = Callable[[Tally, Stop], Awaitable[None]]


class EndedEarly(Exception):
    """The demo was to stop before its stations reported."""


@dataclass(frozen=True)
class Plan:
    """What a demo run shall do."""

    home: Home
    seconds: float | None
    """Length from the first reading on; None: until the stop."""
    day_s: float = 4.0
    """Seconds that a recorded day takes."""
    capacity: int = FULL_CAPACITY


def prepare_home(home: Home) -> settings.NetworkSettings:
    """Write what a demo's home begins with, and return its settings.

    Raises:
        SettingsRejected: `network.toml` holds something that is not allowed.
    """
    home.root.mkdir(parents=True, exist_ok=True)
    settings.write_default(home.settings)
    home.notice.write_text(NOTICE + "\n", encoding="utf-8")
    return settings.load(home.settings)


async def start(home: Home, progress: Progress, clock: Clock) -> Child | None:
    """Start the network as a child of this process, up to Layer 1 with the network's contracts;
    None when one runs in this home already.

    Raises:
        StartFailed: it did not come up; the text names the log.
    """
    if holder(home) is not None:
        progress("a network runs here already: going on with it")
        return None
    home.state_file.unlink(missing_ok=True)
    log = home.root / "logs" / "supervisor.out"
    command = [sys.executable, "-m", "opendepin.network.supervise", "--home", str(home.root)]
    child = await spawn("supervisor", command, log_file=log)
    try:
        await come_up(home, child, ("founded", "ready"), progress, clock)
    except BaseException:
        await child.stop(STOP_TIMEOUT_S)
        raise
    return child


async def come_up(
    home: Home, child: Child | None, phases: Sequence[str], progress: Progress, clock: Clock
) -> None:
    """Wait until the network is in one of these phases; tell which services came meanwhile.

    Raises:
        StartFailed: it ended, or took too long; the text names the log.
    """
    seen = _serving(home) if state_of(home).get("phase") == "founded" else set[str]()
    until = clock.monotonic() + READY_TIMEOUT_S
    while state_of(home).get("phase") not in phases:
        for name in sorted(_serving(home) - seen):
            seen.add(name)
            progress(f"✓ {name}")
        ended = child is not None and child.returncode is not None
        if ended or clock.monotonic() > until:
            log = home.root / "logs" / "supervisor.out"
            raise StartFailed(f"the network did not come up; see {log}")
        await clock.sleep(POLL_S)


def _serving(home: Home) -> set[str]:
    services = state_of(home).get("services", {})
    return {name for name, row in services.items() if row["state"] == "ready"}


async def unless(stop: Stop, work: Coroutine[Any, Any, T]) -> T:
    """Return what some work returns; a stop cancels it.

    Raises:
        EndedEarly: the stop came first.
    """
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        working.cancel()
        await asyncio.wait((working,))
        raise EndedEarly
    finally:
        stopping.cancel()


async def run(plan: Plan, progress: Progress, watch: Watch, stop: Stop) -> Report:
    """Run the demo until its time is over or the stop, check everything, and report.

    Raises:
        StartFailed: the network did not come up.
        EndedEarly: it was to stop before the stations reported; nothing is left running.
    """
    clock = SystemClock()
    began, entered = began_s(), clock.monotonic()
    local = prepare_home(plan.home).network.local
    await unless(stop, prepare_machine(local, progress, plan.capacity))
    warm = clock.monotonic()
    child = await unless(stop, start(plan.home, progress, clock))
    try:
        progress(f"home     {plan.home.root}  (depin status --home …, from another terminal)")
        fleet = await unless(stop, _ready(plan, child, progress, clock))
        progress(f"page     {plan.home.addresses()['explorer']}")
        replay = Replay(plan.home, fleet, clock)
        progress(f"ready    {clock.monotonic() - warm:.0f} s after the start; stations report")
        ready_s = clock.now_ms() / 1_000 - began
        async with registrar(plan.home, COLLECTOR) as office:
            await _replay(plan, replay, Claiming(plan.home, office), watch, stop)
        progress(
            f"ending   stations are silent; waits up to {DRAIN_S:.0f} s until all they sent is"
            " settled, checks it, stops (Ctrl-C: at once)"
        )
        found = await checks.run(plan.home, fleet, replay.tally, clock, DRAIN_S)
        times = Times(began, ready_s, clock.monotonic() - entered)
        return build_report(plan.home, replay.tally, found, times)
    finally:
        if child is not None:
            await child.stop(STOP_TIMEOUT_S)


async def _ready(plan: Plan, child: Child | None, progress: Progress, clock: Clock) -> Fleet:
    """Register what the demo needs while the services start; return when both are done."""
    coming = asyncio.ensure_future(come_up(plan.home, child, ("ready",), progress, clock))
    setting_up = asyncio.ensure_future(set_up(plan.home, progress, plan.capacity))
    try:
        await asyncio.gather(coming, setting_up)
    finally:
        for task in (coming, setting_up):
            task.cancel()
        await asyncio.gather(coming, setting_up, return_exceptions=True)
    return setting_up.result()


async def _replay(plan: Plan, replay: Replay, claiming: Claiming, watch: Watch, stop: Stop) -> None:
    """Replay and show until the plan's time is over, the records end, or the stop."""
    inner = Stop()
    tasks = [
        asyncio.ensure_future(replay.run(inner, plan.day_s)),
        asyncio.ensure_future(watch(replay.tally, inner)),
        asyncio.ensure_future(claiming.run(inner)),
        asyncio.ensure_future(stop.wait()),
    ]
    try:
        await asyncio.wait(tasks, timeout=plan.seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        inner.set()
        tasks[-1].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):  # whichever it was, what it did is missing from the run
            raise outcome


def fresh_home(base: Path) -> Path:
    """Return an empty home for a demo beside the default network's; the last demo's is removed.

    Raises:
        HomeRefused: the last demo still runs.
    """
    home = Home(base.parent / "demo")
    if holder(home) is not None:
        raise HomeRefused(
            f"a demo runs in {home.root}: stop it, or go on with it by --home {home.root}",
            code="home-in-use",
        )
    if home.settings.exists():
        shutil.rmtree(home.root)
    return home.root
