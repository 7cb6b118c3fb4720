"""One process of the network: signals, readiness line, exit codes.

In: a coroutine function that takes a `Stop` and returns when it is set. Out: the process's exit
code: 0 after a graceful stop, 1 when we are broken, 2 when settings or arguments are refused, 130
after a second signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable

import uvloop

from opendepin.core.errors import DepinError, Rejected

EXIT_BROKEN = 1
EXIT_REJECTED = 2
READY = "READY"
"""First word of the line a service prints on stdout once it serves; the rest is its address or
empty."""


class Stop:
    """A request to stop, seen by everything a service runs."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Ask for the stop; may be called again."""
        self._event.set()

    def is_set(self) -> bool:
        """Say whether the stop was asked for."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Wait until the stop is asked for."""
        await self._event.wait()

    async def sleep(self, seconds: float) -> bool:
        """Wait for this many seconds or the stop; return True when it is to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        return self._event.is_set()


def ready(address: str = "") -> None:
    """Print the readiness line that a supervisor waits for.

    What is loaded by then lives as long as the process, so the collector stops looking at it: its
    full passes cost a gateway 60 ms each, every few seconds.
    """
    gc.collect()
    gc.freeze()
    sys.stdout.write(f"{READY} {address}".rstrip() + "\n")
    sys.stdout.flush()


def run(main: Callable[[Stop], Awaitable[None]]) -> int:
    """Run a service until SIGTERM or SIGINT; return its exit code. A second signal ends it at
    once.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_guarded(main))
        except Rejected as error:
            return _fail(error, EXIT_REJECTED)
        except DepinError as error:
            return _fail(error, EXIT_BROKEN)
        except Exception:  # noqa: BLE001 - the last door: say it and end with a code
            traceback.print_exc()
            return EXIT_BROKEN
    return 0


async def _guarded(main: Callable[[Stop], Awaitable[None]]) -> None:
    stop, loop = Stop(), asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        await main(stop)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _fail(error: DepinError, code: int) -> int:
    sys.stderr.write(f"{error.code}: {error}\n")
    return code
