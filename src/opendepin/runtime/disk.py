"""The door to the disk: whole files, written so that a reader finds the old or the new one, never a
torn one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

from opendepin.runtime.errors import HomeLocked

PRIVATE = 0o600
"""Mode of files that hold keys."""


def read(path: Path) -> bytes:
    """Return a file's bytes."""
    return path.read_bytes()


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file whole and durably: temporary file, fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            os.fchmod(handle, mode)
            write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def write_all(handle: int, data: bytes | memoryview) -> None:
    """Write all bytes to an open file, however many calls it takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def older(path: Path) -> Path:
    """Return where a log stands that was set aside when it was full; one is kept."""
    return path.with_name(path.name + ".1")


class Lock:
    """An exclusive lock on a file, held until `release` or the end of the process (flock).

    Raises:
        HomeLocked: another process holds it; the text names its pid.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._handle)
            raise HomeLocked(
                f"{path} is held by process {holder}: stop it first or take another --home"
            ) from error
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back; the file stays."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_holder(path: Path) -> int | None:
    """Return the pid that holds a lock file, or None when nobody does."""
    try:
        with Lock(path):
            return None
    except HomeLocked:
        text = path.read_text(errors="replace").strip()
        return int(text) if text.isdigit() else 0
