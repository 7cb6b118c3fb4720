"""The first code of a sandboxed process: put up the walls, then call what was asked for.

Started by `run`. In: a `Job` as JSON on stdin. Out, on the descriptor it is told: the line `ready`
once every wall stands, then one JSON reply; before that a reply with `missing` and no more. Two
processes: the first waits and says how the second ended; the second is number 1 of a process
namespace, so that nothing outlives it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from pathlib import Path

import msgspec

from opendepin.core.errors import DepinError
from opendepin.runtime.sandbox import kernel, walls
from opendepin.runtime.sandbox.limits import Job
from opendepin.runtime.sandbox.watch import Watch

READY = b"ready\n"
ENDED_BY_CPU, ENDED_BY_SIGNAL = 91, 92
"""Exit codes of the first process."""
MAX_TEXT = 2_000


def main(answer_fd: int) -> None:
    """Do one job; does not return."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        walls.die_with_parent(signal.SIGKILL)
        if job.walled:
            walls.separate()
    except kernel.Missing as error:
        _missing(answer_fd, error)
    alive, held = os.pipe()
    second = os.fork()
    if second == 0:
        os.close(held)
        _second(job, answer_fd, alive)
    os.close(answer_fd)
    os.close(alive)
    _, status, usage = os.wait4(second, 0)
    if os.WIFEXITED(status):
        os._exit(min(os.WEXITSTATUS(status), ENDED_BY_CPU - 1))
    spent = usage.ru_utime + usage.ru_stime
    os._exit(ENDED_BY_CPU if spent >= job.limits.cpu_s - 0.5 else ENDED_BY_SIGNAL)


def _second(job: Job, answer_fd: int, alive: int) -> None:
    scratch = walls.SCRATCH if job.walled else job.scratch
    libraries = [path for path in job.libraries if not Path(path).is_symlink()]
    readable = [*job.readable, job.folder, *libraries]
    try:
        walls.die_with_parent(signal.SIGKILL)
        _end_if_alone(alive)
        _wall_in(job, readable, scratch)
    except kernel.Missing as error:
        _missing(answer_fd, error)
    os.environ.update(HOME=scratch, TMPDIR=scratch)
    os.write(answer_fd, READY)
    watch = Watch(readable, scratch)
    if job.watched:
        watch.start()
    _answer(answer_fd, _reply(job, watch))
    os._exit(0)


def _end_if_alone(alive: int) -> None:
    """End when the parent has, before its death could be signalled."""
    os.set_blocking(alive, False)
    with contextlib.suppress(BlockingIOError):
        if os.read(alive, 1) == b"":
            os._exit(1)
    os.close(alive)


def _wall_in(job: Job, readable: list[str], scratch: str) -> None:
    if not job.walled:
        os.chdir(job.folder)
        walls.limit(job.limits)
        return
    walls.landlock_version()
    walls.new_root(job)
    walls.limit(job.limits)
    walls.give_up_privileges()
    walls.confine(readable, scratch)
    walls.close_calls()


def _reply(job: Job, watch: Watch) -> bytes:
    try:
        try:
            result = getattr(importlib.import_module(job.module), job.function)(job.argument)
            reply: dict[str, object] = {"result": result}
        except MemoryError:
            reply = {"stopped": "memory", "what": ""}
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the project raises
            reply = {"failed": _failure(error, job.folder)}
        if watch.noted:
            kind, what = watch.noted[0]
            reply = {"stopped": kind, "what": what}
        found = msgspec.json.encode(reply)
    except MemoryError:
        return b'{"stopped":"memory","what":""}'
    if len(found) > job.limits.result_bytes:
        return b'{"stopped":"result","what":""}'
    return found


def _failure(error: BaseException, folder: str) -> dict[str, object]:
    """Say what was raised, and at which line of the project."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(folder + "/")
    ]
    last = own[-1] if own else None
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(folder + "/"):
        file, line, source = error.filename, error.lineno, error.text
    else:
        file = last.filename if last else None
        line, source = (last.lineno, last.line) if last else (None, None)
    return {
        "type": type(error).__name__,
        "text": str(error)[:MAX_TEXT],
        "code": error.code if isinstance(error, DepinError) else "",
        "file": file[len(folder) + 1 :] if file else "",
        "line": line or 0,
        "source": (source or "").strip()[:MAX_TEXT],
    }


def _missing(answer_fd: int, error: kernel.Missing) -> None:
    _answer(answer_fd, msgspec.json.encode({"missing": error.part, "what": error.why}))
    os._exit(0)


def _answer(answer_fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(answer_fd, view) :]
