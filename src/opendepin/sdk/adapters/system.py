"""The clock and the file store of an ordinary computer."""

from __future__ import annotations

import os
import time
from pathlib import Path


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        return time.time_ns() // 1_000_000


class FileStore:
    """One file per value in a folder; written beside, synced, renamed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*.part"):
            left.unlink()

    def read(self, name: str) -> bytes | None:
        """Return a value, or None when there is none."""
        path = self._folder / name
        return path.read_bytes() if path.exists() else None

    def write(self, name: str, value: bytes) -> None:
        """Keep a value; durable on return."""
        part = self._folder / f"{name}.part"
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
        return sorted(path.name for path in self._folder.iterdir() if path.suffix != ".part")

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
