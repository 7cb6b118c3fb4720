"""Give a refused attempt its name: an audit hook that notes what a project tried, and raises.

The hook is no wall (code inside the interpreter can get around it); the walls hold without it.
It is there so that a person reads "opened a network connection" instead of an errno. A noted
attempt counts also when the project catches the exception.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn, cast

SAYS = {
    "process": "it started another process or thread",
    "network": "it opened a network connection",
    "ctypes": "it loaded foreign code (ctypes)",
    "signal": "it sent a signal",
    "read": "it read outside the project's folder",
    "write": "it wrote outside its scratch folder",
    "system": "it changed the system",
}
"""Kind of attempt → what is said of it."""

_EVENTS = {
    "process": ("subprocess.", "os.system", "os.fork", "os.exec", "os.posix_spawn", "os.spawn"),
    "network": ("socket.", "urllib.", "http.client.", "ftplib.", "smtplib."),
    "ctypes": ("ctypes.",),
    "signal": ("os.kill", "signal.pthread_kill"),
    "write": ("os.link", "os.symlink", "os.chmod", "os.chown", "os.utime", "os.setxattr"),
    "system": ("resource.setrlimit", "resource.prlimit", "sys.addaudithook"),
}
_BY_PREFIX = {prefix: kind for kind, prefixes in _EVENTS.items() for prefix in prefixes}
_EXACT = {
    "pty.spawn": "process",
    "os.forkpty": "process",
    "_thread.start_joinable_thread": "process",
    "os.killpg": "signal",
}
_QUIET = {"socket.gethostname"}
"""Changes and tells nothing that `platform` does not."""
_PATHS = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.truncate": (0,),
    "os.listdir": (0,),
    "os.scandir": (0,),
}
"""Events that name paths, and where; the last two read."""
_READS = {"os.listdir", "os.scandir"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FOREIGN = {"ctypes", "_ctypes"}
MAX_NOTED = 16
MAX_TEXT = 200


class Refused(PermissionError):
    """What the project tried is not allowed here."""


class Watch:
    """Notes attempts, by kind."""

    def __init__(self, readable: Sequence[str], scratch: str) -> None:
        self.noted: list[tuple[str, str]] = []
        """(kind, what), in the order they were tried."""
        self._readable = tuple(readable)
        self._searched = frozenset(sys.path)
        """Where modules are looked for: to look there is no attempt, whatever the walls say."""
        self._scratch = scratch
        self._inside = False

    def start(self) -> None:
        """Watch from now on; cannot be ended."""
        for name in _FOREIGN:
            sys.modules.pop(name, None)
        for module, name in (_thread, "start_new_thread"), (threading, "_start_new_thread"):
            setattr(module, name, self._thread)  # CPython 3.11 has no audit event for it
        sys.addaudithook(self._hook)

    def _thread(self, function: object, *_arguments: object) -> NoReturn:
        self._note("process", f"thread {_shown(function)}")

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._inside:
            return
        self._inside = True
        try:
            found = self._judge(event, arguments)
        finally:
            self._inside = False
        if found is not None:
            self._note(*found)

    def _note(self, kind: str, what: str) -> NoReturn:
        if len(self.noted) < MAX_NOTED:
            self.noted.append((kind, what))
        raise Refused(f"{SAYS[kind]}: {what}")

    def _judge(self, event: str, arguments: tuple[object, ...]) -> tuple[str, str] | None:
        if event == "open":
            return self._opened(arguments)
        if event == "import":
            name = str(arguments[0])
            return ("ctypes", f"import {name}") if name in _FOREIGN else None
        if event in _PATHS:
            for place in _PATHS[event]:
                if not self._may(arguments[place], writing=event not in _READS):
                    kind = "read" if event in _READS else "write"
                    return kind, f"{event} {_shown(arguments[place])}"
            return None
        kind = _EXACT.get(event)
        if kind is None and event not in _QUIET:
            kind = next((k for prefix, k in _BY_PREFIX.items() if event.startswith(prefix)), None)
        return None if kind is None else (kind, f"{event} {_shown(arguments)}".strip())

    def _opened(self, arguments: tuple[object, ...]) -> tuple[str, str] | None:
        path, flags = arguments[0], arguments[2]
        writing = isinstance(flags, int) and bool(flags & _WRITING)
        if isinstance(path, int) or self._may(path, writing=writing):
            return None
        return ("write" if writing else "read"), _shown(path)

    def _may(self, path: object, *, writing: bool) -> bool:
        name = _name(path)
        if name is None or (name in self._searched and not writing):
            return True
        real = os.path.realpath(name)
        allowed = (self._scratch, os.devnull) if writing else (*self._readable, self._scratch)
        return real == os.devnull or any(
            real == each or real.startswith(each + "/") for each in allowed
        )


def _name(path: object) -> str | None:
    """Return a path as text; None when it is a descriptor."""
    if isinstance(path, str | bytes):
        return os.fsdecode(path)
    return os.fspath(cast("os.PathLike[str]", path)) if isinstance(path, os.PathLike) else None


def _shown(value: object) -> str:
    return (_name(value) or repr(value))[:MAX_TEXT]
