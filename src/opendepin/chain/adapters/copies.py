"""Copies of the embedded engine's state: checked when taken, written atomically, two kept, rotten
ones set aside.

In: gzipped dumps. Out: files `state-<height>-<first 8 bytes of the block hash>.json.gz`. A reader
finds whole files only.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec

from opendepin.chain.errors import EngineFailed, HeaderRejected
from opendepin.chain.header import rlp_of_json
from opendepin.core.encodings import keccak256
from opendepin.runtime.disk import write_atomic

KEPT = 2
NAME = re.compile(r"state-(\d{12})-([0-9a-f]{16})\.json\.gz")
MAX_DUMP_BYTES = 1 << 31
"""Largest unpacked dump that is read."""


class _Environment(msgspec.Struct):
    number: str


class _Dump(msgspec.Struct):
    """The parts of a dump that are checked; the rest is skipped."""

    block: _Environment
    best_block_number: int


_decoder = msgspec.json.Decoder(_Dump)


@dataclass(frozen=True)
class Copy:
    """One kept state."""

    path: Path
    height: int
    hash_start: bytes
    """First 8 bytes of the hash of the block at `height`."""


class Copies:
    """The folder of copies."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.lost = False
        """Whether `good` or `set_aside` found a copy that is not good."""

    def good(self) -> list[Copy]:
        """Return the good copies, newest first; others are set aside."""
        found: list[Copy] = []
        for copy in self._all():
            try:
                if self.height_of(copy.path.read_bytes()) != copy.height:
                    raise EngineFailed("the copy holds another height than its name says")
            except (EngineFailed, OSError):
                self.set_aside(copy)
            else:
                found.append(copy)
        return found

    def height_of(self, dump: bytes) -> int:
        """Return the height a dump ends at.

        Raises:
            EngineFailed: it is torn, rotten or of another form.
        """
        try:
            parsed = _decoder.decode(_unpack(dump))
            height = int(parsed.block.number, 16)
        except (OSError, EOFError, zlib.error, msgspec.DecodeError, ValueError) as error:
            raise EngineFailed(f"not a state dump: {error}") from error
        if height != parsed.best_block_number:
            raise EngineFailed(
                f"the dump stands between blocks {parsed.best_block_number} and {height}"
            )
        return height

    def keep(self, dump: bytes, height: int, block_hash: bytes) -> list[Copy]:
        """Write a checked dump as the newest copy and drop what is too many; return the copies,
        newest first.
        """
        name = f"state-{height:012d}-{block_hash[:8].hex()}.json.gz"
        if not (self._home / name).exists():
            write_atomic(self._home / name, dump)
        found = self._all()
        for copy in found[KEPT:]:
            copy.path.unlink(missing_ok=True)
        return found[:KEPT]

    def unpack(self, copy: Copy) -> Path:
        """Write the copy's plain JSON for the engine to load; `clear` removes it.

        Raises:
            EngineFailed: its blocks are no chain.
        """
        path = self._home / "load.json"
        path.write_bytes(_one_chain(_unpack(copy.path.read_bytes())))
        return path

    def clear(self) -> None:
        """Remove what `unpack` wrote."""
        (self._home / "load.json").unlink(missing_ok=True)

    def set_aside(self, copy: Copy) -> None:
        """Rename a copy that is not good, so that it is looked at no more but not lost."""
        self.lost = True
        copy.path.replace(copy.path.with_name(f"{copy.path.name}.rotten"))

    @property
    def was_started(self) -> bool:
        """Whether a chain once ran here."""
        return (self._home / "started").exists()

    def mark_started(self) -> None:
        """Note that a chain runs here: from now on a start without a good copy is refused."""
        if not self.was_started:
            write_atomic(self._home / "started", b"")

    def _all(self) -> list[Copy]:
        if not self._home.is_dir():
            return []
        rows = [(path, NAME.fullmatch(path.name)) for path in self._home.iterdir()]
        found = [Copy(path, int(m[1]), bytes.fromhex(m[2])) for path, m in rows if m is not None]
        return sorted(found, key=lambda copy: copy.height, reverse=True)


def _unpack(dump: bytes) -> bytes:
    with gzip.GzipFile(fileobj=BytesIO(dump)) as file:
        data = file.read(MAX_DUMP_BYTES)
        if file.read(1):
            raise EngineFailed(f"a dump unpacks to more than {MAX_DUMP_BYTES} bytes")
    return data


def _one_chain(state: bytes) -> bytes:
    """Leave out blocks that are not ancestors of the newest one.

    After a restore the engine also keeps the genesis block that it began with by itself; dumped and
    loaded again, either of the two may become block 0.
    """
    value: Any = msgspec.json.decode(state)
    try:
        by_hash = {keccak256(rlp_of_json(row["header"])): row for row in value["blocks"]}
        best = value["best_block_number"]
        tops = [found for found, row in by_hash.items() if int(row["header"]["number"], 16) == best]
        chain: list[Any] = []
        for top in tops[:1]:
            at: bytes = top
            while (row := by_hash.get(at)) is not None:
                chain.append(row)
                at = bytes.fromhex(row["header"]["parentHash"][2:])
    except (KeyError, TypeError, ValueError, HeaderRejected) as error:
        raise EngineFailed(f"a dump's blocks are of another form: {error!r}") from error
    if len(tops) != 1 or len(chain) != best + 1:
        raise EngineFailed(f"a dump's blocks are no chain of {best + 1}, but {len(chain)}")
    return msgspec.json.encode({**value, "blocks": chain[::-1]})
