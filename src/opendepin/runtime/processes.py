"""The door to child processes: they die with us, are stopped by pid, and are watched.

The kernel sends a child its death signal when the *thread* that made it ends, so children are made
on the loop's thread, which lives as long as the process. In: argument lists, never shell text. Out:
`Child`, `Supervised`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opendepin.runtime.disk import older
from opendepin.runtime.errors import ChildFailed
from opendepin.runtime.service import Stop

STOP_TIMEOUT_S = 10.0
"""A child gets this long between SIGTERM and SIGKILL."""
MAX_LINE_BYTES = 1 << 22
"""Longest line read from a child's pipe."""
MAX_OUTPUT_BYTES = 1 << 24
"""A child's output is appended to a file of less than this; a larger one is set aside first."""
TAIL_LINES = 20
"""Last lines of a child's stderr kept for its error."""


def bound(argv: Sequence[str]) -> list[str]:
    """Return the argument list that runs `argv` as a child which dies with this process."""
    return [
        sys.executable,
        "-S",
        "-E",
        str(Path(__file__).with_name("child.py")),
        str(os.getpid()),
        "--",
        *argv,
    ]


@dataclass
class Child:
    """A running child process."""

    name: str
    process: asyncio.subprocess.Process
    stderr_tail: deque[str] = field(default_factory=lambda: deque[str](maxlen=TAIL_LINES))
    readers: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self.process.returncode

    async def wait(self) -> int:
        """Wait for its end; return the exit code."""
        code = await self.process.wait()
        for reader in self.readers:
            with contextlib.suppress(asyncio.CancelledError):
                await reader
        return code

    async def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """End it: SIGTERM, wait, SIGKILL; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self.process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.process.wait(), timeout_s)
        return await self.wait()

    def kill(self) -> None:
        """Send SIGKILL now."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def write(self, data: bytes) -> None:
        """Send bytes to its stdin.

        Raises:
            ChildFailed: it has no stdin pipe or has closed it.
        """
        stdin = self.process.stdin
        if stdin is None:
            raise ChildFailed(f"{self.name} has no stdin pipe")
        try:
            stdin.write(data)
            await stdin.drain()
        except (BrokenPipeError, ConnectionError) as error:
            raise ChildFailed(self._ended("closed its input"), code="child-closed") from error

    async def read_line(self) -> bytes:
        """Read one line from its stdout, without the newline.

        Raises:
            ChildFailed: it ended, or the line is longer than `MAX_LINE_BYTES`.
        """
        return (await self._read(lambda out: out.readuntil(b"\n")))[:-1]

    async def read_exactly(self, size: int) -> bytes:
        """Read `size` bytes from its stdout.

        Raises:
            ChildFailed: it ended before.
        """
        return await self._read(lambda out: out.readexactly(size))

    async def _read(self, how: Callable[[asyncio.StreamReader], Awaitable[bytes]]) -> bytes:
        if self.process.stdout is None:
            raise ChildFailed(f"{self.name} has no stdout pipe")
        try:
            return await how(self.process.stdout)
        except asyncio.IncompleteReadError as error:
            raise ChildFailed(self._ended("ended its output"), code="child-closed") from error
        except asyncio.LimitOverrunError as error:
            raise ChildFailed(
                f"{self.name} wrote a line above {MAX_LINE_BYTES} bytes", code="child-line"
            ) from error

    def _ended(self, what: str) -> str:
        tail = " | ".join(self.stderr_tail)
        return (
            f"{self.name} {what} (exit code {self.process.returncode}){': ' + tail if tail else ''}"
        )


async def spawn(
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pipes: bool = False,
    log_file: Path | None = None,
) -> Child:
    """Start a child that dies with us.

    With `pipes` its stdin and stdout are for `write` and `read_*`; otherwise stdin is empty. `env`
    is added to our variables.
    `log_file` takes stdout (without `pipes`) and stderr, appended; without it the last lines of
    stderr are kept for errors.

    Raises:
        ChildFailed: the program cannot be started.
    """
    if threading.current_thread() is not threading.main_thread():
        raise ChildFailed(
            "children are started on the main thread, or they would die with another",
            code="child-thread",
        )
    handle = None
    if log_file is not None:
        _make_room(log_file)
        handle = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    rest: int = subprocess.DEVNULL if handle is None else handle
    try:
        process = await asyncio.create_subprocess_exec(
            *bound(argv),
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else rest,
            stderr=subprocess.PIPE if handle is None else handle,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            limit=MAX_LINE_BYTES,
            start_new_session=True,
        )
    except OSError as error:
        raise ChildFailed(f"cannot start {name}: {error.strerror}", code="child-start") from error
    finally:
        if handle is not None:
            os.close(handle)
    child = Child(name, process)
    if process.stderr is not None:
        child.readers.append(asyncio.ensure_future(_keep_tail(process.stderr, child.stderr_tail)))
    return child


def _make_room(log_file: Path) -> None:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    if log_file.exists() and log_file.stat().st_size >= MAX_OUTPUT_BYTES:
        log_file.replace(older(log_file))


async def _keep_tail(stream: asyncio.StreamReader, tail: deque[str]) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # a line above the limit: drop it, go on
            continue
        if not line:
            return
        tail.append(line.decode(errors="replace").rstrip()[:500])


def run_once(
    argv: Sequence[str], *, timeout_s: float = 30.0, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end and return its output; for set-up and doctor, never on a service's
    loop.

    Raises:
        ChildFailed: it cannot be started or takes longer than `timeout_s`.
    """
    try:
        return subprocess.run(
            list(argv), capture_output=True, timeout=timeout_s, check=False, cwd=cwd
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ChildFailed(f"{argv[0]} did not run: {error}", code="child-start") from error


def detach(argv: Sequence[str], log_file: Path) -> int:
    """Start a process that outlives us, in a session of its own; its output goes to a file. Gives
    its pid.

    Raises:
        ChildFailed: the program cannot be started.
    """
    _make_room(log_file)
    to_log = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log_file), to_log, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        return os.posix_spawnp(argv[0], list(argv), os.environ, file_actions=actions, setsid=True)
    except OSError as error:
        text = f"cannot start {argv[0]}: {error.strerror}"
        raise ChildFailed(text, code="child-start") from error


def alive(pid: int) -> bool:
    """Say whether a process with this id runs (a zombie does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self").exists()


def signal_pid(pid: int, number: int = signal.SIGTERM) -> bool:
    """Send a signal to one process; False when it is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True)
class Backoff:
    """How long a supervisor waits before it starts a child again."""

    first_s: float = 0.2
    factor: float = 2.0
    most_s: float = 10.0
    settled_s: float = 30.0
    """A child that ran this long starts again after `first_s`."""

    def delay(self, failures: int) -> float:
        """Return the wait after this many short runs in a row."""
        return min(self.most_s, self.first_s * self.factor ** min(failures, 32))


@dataclass
class Supervised:
    """One child that is started, probed and started again until the stop."""

    name: str
    argv: Sequence[str]
    ready: Callable[[], Awaitable[bool]]
    """Says whether it serves; asked again and again, so it answers fast and does not raise."""
    env: Mapping[str, str] | None = None
    log_file: Path | None = None
    backoff: Backoff = field(default_factory=Backoff)
    ready_timeout_s: float = 60.0
    stop_timeout_s: float = STOP_TIMEOUT_S
    on_event: Callable[[str, dict[str, Any]], None] = lambda _event, _fields: None
    """Told `started`, `ready`, `ended` with pid, exit code and number of restarts."""
    state: str = "stopped"
    """stopped, starting, ready, waiting (before a restart)."""
    restarts: int = 0
    child: Child | None = None
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: Stop) -> None:
        """Keep the child running until the stop; then end it."""
        failures, loop = 0, asyncio.get_running_loop()
        while not stop.is_set():
            begun = loop.time()
            await self._once(stop)
            if stop.is_set():
                break
            failures = 0 if loop.time() - begun > self.backoff.settled_s else failures + 1
            self.state, self.restarts = "waiting", self.restarts + 1
            if await stop.sleep(self.backoff.delay(failures - 1 if failures else 0)):
                break
        self.state = "stopped"

    async def _once(self, stop: Stop) -> None:
        self.state = "starting"
        self.child = child = await spawn(self.name, self.argv, env=self.env, log_file=self.log_file)
        self.on_event("started", {"pid": child.pid, "restarts": self.restarts})
        ending = asyncio.ensure_future(child.wait())
        stopping = asyncio.ensure_future(stop.wait())
        probing = asyncio.ensure_future(self._probe(child))
        try:
            await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            probing.cancel()
            stopping.cancel()
            await asyncio.gather(probing, stopping, return_exceptions=True)
            self.is_ready.clear()
            code = await child.stop(self.stop_timeout_s)
            await ending
            self.on_event(
                "ended", {"pid": child.pid, "code": code, "tail": list(child.stderr_tail)}
            )

    async def _probe(self, child: Child) -> None:
        loop, wait = asyncio.get_running_loop(), 0.02
        until = loop.time() + self.ready_timeout_s
        while not await self.ready():
            if loop.time() > until:
                self.on_event("not-ready", {"pid": child.pid, "after_s": self.ready_timeout_s})
                child.kill()
                return
            await asyncio.sleep(wait)
            wait = min(0.25, wait * 1.5)
        self.state = "ready"
        self.is_ready.set()
        self.on_event("ready", {"pid": child.pid, "restarts": self.restarts})
