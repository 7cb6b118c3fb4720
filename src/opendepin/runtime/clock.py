"""The door to time."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Where a room takes the time from."""

    def now_ms(self) -> int:
        """Unix time in milliseconds; may jump when the machine's clock is set."""
        ...

    def now_s(self) -> int:
        """Unix time in whole seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    def now_s(self) -> int:
        """Unix time in whole seconds."""
        return int(time.time())

    def monotonic(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for this many seconds."""
        await asyncio.sleep(seconds)


def pause(seconds: float) -> None:
    """Wait for this many seconds where no event loop runs: in commands, never in services."""
    time.sleep(seconds)


class ManualClock:
    """A clock that moves only when told: for tests and replays."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._start_ms = now_ms
        self._passed_ms = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now_ms(self) -> int:
        """Start time plus what has passed."""
        return self._start_ms + int(self._passed_ms)

    def now_s(self) -> int:
        """Start time plus what has passed, in whole seconds."""
        return self.now_ms() // 1000

    def monotonic(self) -> float:
        """Seconds that have passed."""
        return self._passed_ms / 1000

    def advance(self, seconds: float) -> None:
        """Let time pass and wake who slept until now."""
        self._passed_ms += seconds * 1000
        due = [event for until, event in self._sleepers if until <= self._passed_ms]
        self._sleepers = [row for row in self._sleepers if row[0] > self._passed_ms]
        for event in due:
            event.set()

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has let this many seconds pass."""
        event = asyncio.Event()
        self._sleepers.append((self._passed_ms + seconds * 1000, event))
        await event.wait()


def began_s() -> float:
    """Return when this process was started, Unix seconds, by the kernel's count of ticks."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age
