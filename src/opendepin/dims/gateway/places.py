"""Where each admitted message stands: message id → group number and index, on disk, for ever, in
little memory.

In: ids and places, in order. Out: the few places an id may have (the caller compares the real ids).
Sorted runs of the ids' first 8 bytes, merged eight to one; a run is found by bisection in a mapped
file. Everything here can be made again from the log, so a damaged run is thrown away and said so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from opendepin.runtime.disk import write_atomic

MERGE = 8
"""So many runs of one tier become one of the next."""
MAGIC = b"ODPRUN1\n"
_HEAD = len(MAGIC) + 32
"""Magic and SHA-256 of the rest; then all keys, ascending, then all places, each u64
little-endian."""
INDEX_BITS = 8
"""A place is group number × 256 + index in the group."""


def prefix_of(message_id: bytes) -> int:
    """Return the first 8 bytes of an id, the key of the runs."""
    return int.from_bytes(message_id[:8], "big")


@dataclass(frozen=True)
class _Run:
    """One sorted file over the groups first..last."""

    path: Path
    tier: int
    first: int
    last: int
    keys: Any
    places: Any

    def find(self, key: int) -> list[int]:
        """Return the places of a key."""
        low = int(np.searchsorted(self.keys, np.uint64(key), side="left"))
        found: list[int] = []
        while low < len(self.keys) and int(self.keys[low]) == key:
            found.append(int(self.places[low]))
            low += 1
        return found


class Places:
    """The runs of one folder. `find` may run in another thread than `add`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._runs: list[_Run] = []
        self.dropped = 0
        """Damaged or superfluous runs thrown away at the opening."""
        self._open()

    @property
    def covered(self) -> int:
        """Number of the last group that the runs hold; they hold all from 1 on."""
        return self._runs[-1].last if self._runs else 0

    def find(self, message_id: bytes) -> list[int]:
        """Return the places whose id may be this one."""
        key = prefix_of(message_id)
        return [place for run in self._runs for place in run.find(key)]

    def add(self, rows: Mapping[bytes, int], last: int) -> None:
        """Keep the places of the groups up to `last`, all those after `covered`."""
        keys = np.frombuffer(b"".join(message_id[:8] for message_id in rows), dtype=">u8")
        places = np.fromiter(rows.values(), dtype="<u8", count=len(rows))
        run = self._write(0, self.covered + 1, last, keys.astype("<u8"), places)
        self._runs = self._merged([*self._runs, run])

    def drop_after(self, group: int) -> None:
        """Throw away runs that hold groups after this one."""
        while self._runs and self._runs[-1].last > group:
            self._runs.pop().path.unlink(missing_ok=True)
            self.dropped += 1

    def _open(self) -> None:
        found: list[tuple[int, int, int, Path]] = []
        for path in self._folder.glob("*.run"):
            first, last, tier = (int(part) for part in path.stem.split("-"))
            found.append((first, -last, tier, path))
        for first, negative_last, tier, path in sorted(found):
            run = None
            if first == self.covered + 1:
                run = _read(path, tier, first, -negative_last)
            if run is None:  # held by a merged run already, after a gap, or damaged
                path.unlink(missing_ok=True)
                self.dropped += 1
            else:
                self._runs.append(run)

    def _merged(self, runs: list[_Run]) -> list[_Run]:
        while len(runs) >= MERGE and len({run.tier for run in runs[-MERGE:]}) == 1:
            old = runs[-MERGE:]
            keys = np.concatenate([run.keys for run in old])
            places = np.concatenate([run.places for run in old])
            merged = self._write(old[0].tier + 1, old[0].first, old[-1].last, keys, places)
            runs = [*runs[:-MERGE], merged]
            for run in old:
                run.path.unlink(missing_ok=True)
        return runs

    def _write(self, tier: int, first: int, last: int, keys: Any, places: Any) -> _Run:
        order = np.argsort(keys, kind="stable")
        body = keys[order].tobytes() + places[order].tobytes()
        path = self._folder / f"{first:020d}-{last:020d}-{tier:02d}.run"
        write_atomic(path, MAGIC + sha256(body).digest() + body)
        return _map(path, tier, first, last)


def _map(path: Path, tier: int, first: int, last: int) -> _Run:
    words = np.memmap(path, dtype="<u8", mode="r", offset=_HEAD)
    half = len(words) // 2
    return _Run(path, tier, first, last, words[:half], words[half:])


def _read(path: Path, tier: int, first: int, last: int) -> _Run | None:
    """Open a run when its bytes are those that were written."""
    if path.stat().st_size < _HEAD + 16 or path.stat().st_size % 16 != _HEAD % 16:
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD)
    run = _map(path, tier, first, last)
    digest = sha256(run.keys.data)
    digest.update(run.places.data)
    return run if head == MAGIC + digest.digest() else None
