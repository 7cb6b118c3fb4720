"""Run a function of ours over a project's code inside the sandbox, and say what came of it.

In: the function by name, its argument, the project's folder, limits. Out: what it returned. The
answer comes from a process that ran hostile code: whoever reads it checks it like any other input.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

import opendepin
from opendepin.runtime.errors import ProjectFailed, ProjectStopped, SandboxMissing
from opendepin.runtime.sandbox.child import ENDED_BY_CPU, ENDED_BY_SIGNAL, READY
from opendepin.runtime.sandbox.limits import MAX_ARGUMENT_BYTES, Job, Limits
from opendepin.runtime.sandbox.watch import SAYS

WEAKER_MODE = "no sandbox: the project's Python runs with your rights, only its use is bounded"
"""The label of the weaker mode; shown wherever it is used."""

_NEEDS = {
    "namespaces": "user namespaces (user.max_user_namespaces, AppArmor or a container forbid them)",
    "mounts": "mounts inside a user namespace (Linux 5.12 or newer)",
    "landlock": "landlock (Linux 5.13 or newer, `landlock` among the kernel's security modules)",
    "seccomp": "seccomp filters on x86_64 or aarch64",
    "capabilities": "dropping capabilities",
    "privileges": "giving up new privileges",
    "parent": "signals at a parent's death",
    "system": "Linux",
}
_SAYS = SAYS | {
    "time": "it ran longer than {limits.wall_s:g} s",
    "cpu": "it used more than {limits.cpu_s} s of processor time",
    "memory": "it needed more than {megabytes:,} MiB of memory",
    "printed": "it printed more than {limits.printed_bytes:,} bytes",
    "result": "it answered with more than {limits.result_bytes:,} bytes",
    "crash": "its process ended without an answer",
}
_BOOT = (
    "import sys; sys.path[:] = {path!r}; "
    "from opendepin.runtime.sandbox.child import main; main({fd})"
)
_PIECE = 1 << 16
_OVERHEAD = 1 << 10
_LIBRARY_LINKS = ("/lib", "/lib64")
_EMPTY_ENVIRONMENT = {"PATH": "", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Call:
    """A function of ours to be called inside: `module:function`, with a JSON argument."""

    module: str
    function: str
    argument: object = None


@dataclass(frozen=True)
class Outcome:
    """What a run gave."""

    result: object
    """JSON value, unchecked."""
    printed: str
    """What the project printed."""
    seconds: float


def run(
    call: Call,
    folder: Path,
    limits: Limits | None = None,
    *,
    walled: bool = True,
    watched: bool = True,
) -> Outcome:
    """Call a function inside the sandbox; `walled=False` is the weaker mode, `WEAKER_MODE`.

    Raises:
        SandboxMissing: the kernel lacks a part; nothing of the project ran.
        ProjectStopped: the project tried what is not allowed, or exceeded a limit.
        ProjectFailed: it raised an exception.
    """
    limits = limits or Limits()
    if walled and not sys.platform.startswith("linux"):
        raise _missing("system", sys.platform)
    with tempfile.TemporaryDirectory(prefix="depin-sandbox-") as scratch:
        readable, libraries = _installation()
        job = Job(
            module=call.module,
            function=call.function,
            argument=call.argument,
            folder=str(folder.resolve(strict=True)),
            readable=readable,
            libraries=libraries,
            scratch=os.path.realpath(scratch),
            walled=walled,
            watched=watched,
            limits=limits,
        )
        return _Run(job).finish()


@cache
def _path() -> list[str]:
    """Return where modules are found, each folder by its real name; ours first."""
    own = Path(opendepin.__file__).resolve().parents[1]
    found = [str(own), *(os.path.realpath(each) for each in sys.path if each)]
    return list(dict.fromkeys(each for each in found if Path(each).exists()))


@cache
def _installation() -> tuple[list[str], list[str]]:
    """Return what a Python process reads: folders of modules; folders of shared libraries."""
    package = str(Path(opendepin.__file__).resolve().parent)
    named = (sysconfig.get_path(each) for each in ("stdlib", "platstdlib", "purelib", "platlib"))
    readable = [package, *(os.path.realpath(each) for each in named)]
    mapped = {
        os.path.realpath(Path(line.split(maxsplit=5)[5].strip()).parent)
        for line in _maps()
        if ".so" in line and "/" in line
    }
    libraries = [
        each for each in sorted(mapped) if not any(Path(each).is_relative_to(r) for r in readable)
    ]
    links = [each for each in _LIBRARY_LINKS if Path(each).is_symlink()]
    existing = [each for each in dict.fromkeys(readable) if Path(each).exists()]
    return existing, [*links, *libraries]


def _maps() -> list[str]:
    try:
        return Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []


def _missing(part: str, what: str) -> SandboxMissing:
    return SandboxMissing(
        f"this machine cannot wall in a project's Python: it lacks {_NEEDS.get(part, part)} "
        f"({what}). Run on a machine that has it, or, for code that you wrote or read yourself, "
        "with --unsafe-no-sandbox"
    )


class _Run:
    """One child, from its start to its end."""

    def __init__(self, job: Job) -> None:
        self._job, self._limits = job, job.limits
        self._answer, self._printed = bytearray(), bytearray()
        self._over: str | None = None
        """The limit on time or output that was exceeded."""

    def finish(self) -> Outcome:
        """Start the child, read it to its end, judge the answer."""
        document = msgspec.json.encode(self._job)
        if len(document) > MAX_ARGUMENT_BYTES:
            raise ProjectStopped(
                f"a sandboxed call takes at most {MAX_ARGUMENT_BYTES:,} bytes, not "
                f"{len(document):,}",
                kind="argument",
            )
        begun = time.monotonic()
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb", buffering=0) as answer:
            try:
                child = self._start(writing)
            finally:
                os.close(writing)
            try:
                self._feed(child, document)
                self._read(child, answer.fileno(), begun + self._limits.wall_s)
            finally:
                self._end(child)
        return self._judge(child.returncode, time.monotonic() - begun)

    def _start(self, answer_fd: int) -> subprocess.Popen[bytes]:
        boot = _BOOT.format(path=_path(), fd=answer_fd)
        command = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", boot]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[answer_fd],
            env=_EMPTY_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )

    def _feed(self, child: subprocess.Popen[bytes], document: bytes) -> None:
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
                pipe.write(document)

    def _read(self, child: subprocess.Popen[bytes], answer_fd: int, until: float) -> None:
        """Read answer and output until both end, a limit is exceeded, or the time is over."""
        if child.stdout is None:
            return
        bounds = {
            answer_fd: (self._answer, len(READY) + self._limits.result_bytes + _OVERHEAD, "result"),
            child.stdout.fileno(): (self._printed, self._limits.printed_bytes, "printed"),
        }
        with selectors.DefaultSelector() as waiting:
            for each in bounds:
                waiting.register(each, selectors.EVENT_READ)
            while waiting.get_map():
                left = until - time.monotonic()
                ready = waiting.select(max(0.0, left))
                if not ready and left <= 0:
                    self._over = "time"
                    return
                for key, _ in ready:
                    piece = os.read(key.fd, _PIECE)
                    into, most, name = bounds[key.fd]
                    into += piece
                    if not piece:
                        waiting.unregister(key.fd)
                    elif len(into) > most:
                        self._over = name
                        return

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        """Kill what is left (both processes are in the child's group) and wait."""
        if self._over is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=1.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdout is not None:
            child.stdout.close()

    def _judge(self, code: int, seconds: float) -> Outcome:
        printed = bytes(self._printed).decode(errors="replace")
        if self._over is not None:
            raise self._stopped(self._over, "", printed)
        ready = self._answer.startswith(READY)
        if code == ENDED_BY_CPU:
            raise self._stopped("cpu", "", printed)
        try:
            body = bytes(self._answer).removeprefix(READY)
            reply = msgspec.json.decode(body, type=dict[str, object])
        except (msgspec.DecodeError, RecursionError) as error:
            if not ready:
                raise _missing("start", printed.strip()[-300:] or f"exit code {code}") from error
            how = "killed" if code == ENDED_BY_SIGNAL else f"exit code {code}"
            raise self._stopped("crash", how, printed) from error
        if not ready:
            raise _missing(str(reply.get("missing", "start")), str(reply.get("what", "")))
        if "stopped" in reply:
            raise self._stopped(str(reply["stopped"]), str(reply.get("what", "")), printed)
        if "failed" in reply:
            raise _failed(reply["failed"], printed)
        return Outcome(reply.get("result"), printed, seconds)

    def _stopped(self, kind: str, what: str, printed: str) -> ProjectStopped:
        kind = kind if kind in _SAYS else "crash"
        says = _SAYS[kind].format(limits=self._limits, megabytes=self._limits.memory_bytes >> 20)
        text = f"the project was stopped: {says}" + (f" ({what[:300]})" if what else "")
        return ProjectStopped(text, kind=kind, printed=printed)


def _failed(found: object, printed: str) -> ProjectFailed:
    try:
        raised = msgspec.convert(found, Raised)
    except msgspec.ValidationError as error:
        return ProjectFailed(f"the project failed, and its answer is unreadable: {error}")
    return ProjectFailed(raised.sentence(), at=(raised.file, raised.line), printed=printed)


class Raised(msgspec.Struct, frozen=True):
    """An exception of the project, as the child tells it."""

    type: str
    text: str
    code: str = ""
    file: str = ""
    line: int = 0
    source: str = ""

    def sentence(self) -> str:
        """Say where it was raised, and what."""
        what = self.text if self.code else f"{self.type}: {self.text}"
        if not self.file:
            return what
        source = f"\n    {self.source}" if self.source else ""
        return f"{self.file}:{self.line}: {what}{source}"
