"""The clock and the file store of an ordinary computer."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from opendepin.sdk.errors import StoreInUse

LOCK, PART = ".lock", ".part"


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        return time.time_ns() // 1_000_000


class FileStore:
    """One file per value in a folder; written beside, synced, renamed.

    The folder is this object's alone until `close`, or until the process ends.

    Raises:
        StoreInUse: another store works with the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, -1
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            text = f"{folder} is in use: a device runs in one process at a time"
            raise StoreInUse(text) from error
        self._lock = lock
        for left in folder.glob(f"*{PART}"):
            left.unlink()

    def close(self) -> None:
        """Let another store work with the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __del__(self) -> None:
        self.close()

    def read(self, name: str) -> bytes | None:
        """Return a value, or None when there is none."""
        path = self._folder / name
        return path.read_bytes() if path.exists() else None

    def write(self, name: str, value: bytes) -> None:
        """Keep a value; durable on return."""
        part = self._folder / f"{name}{PART}"
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / name)
        self._sync_folder()

    def remove(self, name: str) -> None:
        """Forget a value; nothing happens when there is none."""
        (self._folder / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the names of all values, sorted."""
        found = (path.name for path in self._folder.iterdir())
        return sorted(name for name in found if name != LOCK and not name.endswith(PART))

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
