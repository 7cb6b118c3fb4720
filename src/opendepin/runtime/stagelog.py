r"""The stage log: what a station has finished, numbered, durable before anyone hears of it.

In: records (bytes). Out: the same records by number, for ever the same. Promises: `append` returns
after fsync; numbers are dense from 1; a record that was being written at a crash is cut off when
the log is opened; a record whose bytes changed on disk raises `RotFound` and is never served.

File `<first number, 20 digits>.log`: head `ODPLOG1\n`, then frames. Frame: u32 length, u32 CRC-32
of (number, length), 16 bytes of SHA-256(number, length, record), record. The head's own check tells
a changed length from a torn tail.

A tail that is missing from some byte on, or zero from the start of a frame on, was never written
whole: it is cut. Any other damage is `RotFound`, a hole inside the newest append among it, though a
power cut can leave one where a file system grows a file before its bytes are written (ext4 with
`data=ordered`, XFS and Btrfs do not). Cutting it would be unsound: the bytes of an append whose
fsync never returned and those of one that was acknowledged and lost a block since are the same, and
cutting the second takes back what others hold receipts for: the gateway would sign another group at
the same position. Telling them apart takes a mark that becomes durable after the append and before
its acknowledgement, a second fsync for each append; we do not pay it for a case that a person can
decide.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
import zlib
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from opendepin.core.errors import Rejected
from opendepin.runtime.disk import Lock, sync_folder, write_all
from opendepin.runtime.errors import LogFailed, LogFull, RotFound

MAGIC = b"ODPLOG1\n"
SEGMENT_BYTES = 64 << 20
"""A new file is begun after this many bytes."""
MAX_RECORD_BYTES = 64 << 20
READ_BYTES = 8 << 20
"""One `read` returns at most about this many bytes of records, and at least one record."""
INDEXED_SEGMENTS = 8
"""Offsets of this many closed files are kept in memory."""

_HEAD = struct.Struct(">II16s")
_NUMBERED = struct.Struct(">QI")


class StageLog(Protocol):
    """Where a station keeps what it has finished."""

    def append(self, records: Sequence[bytes]) -> int:
        """Keep records; return the number of the first. Blocking; durable on return."""
        ...

    def read(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Return up to `limit` records with numbers above `after`, in order."""
        ...

    def last(self) -> int:
        """Return the number of the last record, 0 when there is none."""
        ...


def frame(number: int, record: bytes) -> bytes:
    """Return the bytes that keep one record."""
    numbered = _NUMBERED.pack(number, len(record))
    check = sha256(numbered + record).digest()[:16]
    return _HEAD.pack(len(record), zlib.crc32(numbered), check) + record


class SegmentLog:
    """A stage log in files of one folder. One process at a time; its methods may be called from any
    thread.

    Args:
        directory: made when it is missing.
        segment_bytes: size after which a new file is begun.

    Raises:
        HomeLocked: another process has the log open.
        RotFound: the newest file has changed bytes before its tail.
    """

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._folder = directory
        self._segment_bytes = segment_bytes
        self._lock = Lock(directory / "lock")
        self._writing = threading.Lock()
        """Held for a whole append, fsync included."""
        self._mutex = threading.Lock()
        """Held while what readers see changes, and by readers: never during an fsync."""
        self._failed: str | None = None
        self._closed_index: OrderedDict[int, array[int]] = OrderedDict()
        self.cut_bytes = 0
        """Bytes of a torn tail that were cut off at the opening."""
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise

    def append(self, records: Sequence[bytes]) -> int:
        """Keep records durably; return the number of the first.

        Raises:
            LogFull: no room; the log is as before.
            LogFailed: the disk failed; open the log anew.
        """
        if not records or any(len(record) > MAX_RECORD_BYTES for record in records):
            raise Rejected(
                f"append takes 1 or more records of at most {MAX_RECORD_BYTES} bytes", code="record"
            )
        with self._writing:
            if self._failed is not None:
                raise LogFailed(f"the log in {self._folder} failed before: {self._failed}")
            if self._size > self._segment_bytes:
                self._roll()
            first = self._first + len(self._offsets)
            frames = [frame(first + i, record) for i, record in enumerate(records)]
            self._write(b"".join(frames))
            with self._mutex:
                for kept in frames:
                    self._offsets.append(self._size)
                    self._size += len(kept)
            return first

    def read(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Return up to `limit` records (at most about `READ_BYTES` in all) with numbers above
        `after`.

        Raises:
            RotFound: a record's bytes are not those that were written.
        """
        with self._mutex:
            found: list[tuple[int, bytes]] = []
            number, size = max(after, 0) + 1, 0
            while len(found) < limit and number <= self._last() and size < READ_BYTES:
                record = self._record(number)
                found.append((number, record))
                number, size = number + 1, size + len(record)
            return found

    def last(self) -> int:
        """Return the number of the last durable record, 0 when there is none."""
        with self._mutex:
            return self._last()

    def close(self) -> None:
        """Close files and give the lock back."""
        with self._writing, self._mutex:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1
            self._failed = "closed"
            self._lock.release()

    # opening

    def _open(self) -> None:
        self._firsts = sorted(int(path.stem) for path in self._folder.glob("*.log"))
        if not self._firsts:
            self._firsts = [1]
            self._begin(1)
            return
        first = self._firsts[-1]
        self._first, self._handle = first, os.open(self._path(first), os.O_RDWR | os.O_CLOEXEC)
        size = os.fstat(self._handle).st_size
        if size < len(MAGIC):  # the crash came between making the file and writing its head
            self._reset_head(size)
        elif os.pread(self._handle, len(MAGIC), 0) != MAGIC:
            raise RotFound(f"{self._path(first).name} does not start with the log's head")
        self._offsets, good = self._scan(self._handle, first, size)
        if good < size:
            self.cut_bytes = size - good
            os.ftruncate(self._handle, good)
            os.fsync(self._handle)
        self._size = good
        os.lseek(self._handle, good, os.SEEK_SET)

    def _reset_head(self, size: int) -> None:
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, MAGIC, 0)
        os.fsync(self._handle)
        self.cut_bytes = size

    def _scan(self, handle: int, first: int, size: int) -> tuple[array[int], int]:
        """Check every record of the newest file; return offsets and the end of the last good
        one.
        """
        offsets = array("Q")
        at, size = len(MAGIC), max(size, len(MAGIC))
        while at < size:
            number = first + len(offsets)
            head = os.pread(handle, _HEAD.size, at)
            if len(head) < _HEAD.size or self._zeros(handle, at, size):
                return offsets, at
            length = self._length(head, number)
            if at + _HEAD.size + length > size:
                return offsets, at
            self._check(head, number, os.pread(handle, length, at + _HEAD.size))
            offsets.append(at)
            at += _HEAD.size + length
        return offsets, at

    @staticmethod
    def _zeros(handle: int, at: int, size: int) -> bool:
        """Say whether only zero bytes follow: a file that grew before its bytes came (power
        cut).
        """
        while at < size:
            piece = os.pread(handle, min(1 << 16, size - at), at)
            if not piece or piece.count(0) != len(piece):
                return False
            at += len(piece)
        return True

    # writing

    def _begin(self, first: int) -> None:
        handle = self._create(first)
        self._first, self._offsets, self._size = first, array("Q"), len(MAGIC)
        self._handle = handle

    def _create(self, first: int) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        handle = os.open(self._path(first), flags, 0o644)
        try:
            write_all(handle, MAGIC)
            os.fsync(handle)
            sync_folder(self._folder)
        except OSError:
            os.close(handle)
            raise
        return handle

    def _roll(self) -> None:
        first = self._first + len(self._offsets)
        try:
            handle = self._create(first)
        except OSError as error:
            self._failed = str(error)
            text = f"a new log file could not be begun: {error}"
            raise LogFailed(text) from error
        with self._mutex:
            old = self._handle
            self._remember(self._first, self._offsets)
            self._first, self._offsets, self._size = first, array("Q"), len(MAGIC)
            self._handle = handle
            self._firsts.append(first)
            os.close(old)

    def _write(self, data: bytes) -> None:
        try:
            write_all(self._handle, data)
            os.fdatasync(self._handle)
        except OSError as error:
            try:
                os.ftruncate(self._handle, self._size)
                os.lseek(self._handle, self._size, os.SEEK_SET)
                os.fsync(self._handle)
            except OSError as second:
                self._failed = f"{error}; then {second}"
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) and self._failed is None:
                raise LogFull(f"no room in {self._folder}: free some and send again") from error
            self._failed = self._failed or str(error)
            raise LogFailed(f"the disk failed under {self._folder}: {error}") from error

    # reading

    def _last(self) -> int:
        return self._first + len(self._offsets) - 1

    def _record(self, number: int) -> bytes:
        first = (
            self._firsts[bisect_right(self._firsts, number) - 1] if number >= self._firsts[0] else 0
        )
        if first == self._first:
            return self._pread(self._handle, number, self._offsets[number - first])
        handle = self._open_closed(first, number)
        try:
            offsets = self._closed_offsets(first, handle)
            if number - first >= len(offsets):
                raise RotFound(f"record {number} is missing from {self._path(first).name}")
            return self._pread(handle, number, offsets[number - first])
        finally:
            os.close(handle)

    def _open_closed(self, first: int, number: int) -> int:
        try:
            return os.open(self._path(first), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise RotFound(
                f"the file that holds record {number} is gone from {self._folder}"
            ) from error

    def _closed_offsets(self, first: int, handle: int) -> array[int]:
        known = self._closed_index.get(first)
        if known is None:
            known = array("Q", _offsets(handle, first, self._length))
            self._remember(first, known)
        self._closed_index.move_to_end(first)
        return known

    def _remember(self, first: int, offsets: array[int]) -> None:
        self._closed_index[first] = offsets
        while len(self._closed_index) > INDEXED_SEGMENTS:
            self._closed_index.popitem(last=False)

    def _pread(self, handle: int, number: int, at: int) -> bytes:
        head = os.pread(handle, _HEAD.size, at)
        if len(head) < _HEAD.size:
            raise RotFound(f"record {number} is cut short")
        return self._check(
            head, number, os.pread(handle, self._length(head, number), at + _HEAD.size)
        )

    @staticmethod
    def _length(head: bytes, number: int) -> int:
        length, crc, _ = _HEAD.unpack(head)
        if crc != zlib.crc32(_NUMBERED.pack(number, length)):
            raise RotFound(f"the head of record {number} has changed on disk")
        return int(length)

    @staticmethod
    def _check(head: bytes, number: int, record: bytes) -> bytes:
        length, _, check = _HEAD.unpack(head)
        if (
            len(record) != length
            or sha256(_NUMBERED.pack(number, length) + record).digest()[:16] != check
        ):
            raise RotFound(f"record {number} has changed on disk")
        return record

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:020d}.log"


def _offsets(handle: int, first: int, length_of: _LengthOf) -> Iterator[int]:
    size, at, number = os.fstat(handle).st_size, len(MAGIC), first
    while at + _HEAD.size <= size:
        yield at
        at += _HEAD.size + length_of(os.pread(handle, _HEAD.size, at), number)
        number += 1


class _LengthOf(Protocol):
    def __call__(self, head: bytes, number: int, /) -> int: ...
