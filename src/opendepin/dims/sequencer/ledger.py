"""The sequencer's own log of sealed batches, and the state after the last of them.

In: sealed batches. Out: where the chain stands, after any crash. Promise: a batch is durable before
it is returned, and its record's number is the batch's number: the same header or none, never two.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from opendepin.core.batch import BatchHeader
from opendepin.core.coverage import Coverage, Step, decode_snapshot, encode_snapshot
from opendepin.core.errors import Broken
from opendepin.core.journey import Batched
from opendepin.dims.sequencer.errors import LogBehind
from opendepin.dims.sequencer.records import Sealed, decode_sealed
from opendepin.runtime.disk import read, write_atomic
from opendepin.runtime.stagelog import StageLog


class Ledger:
    """Sealed batches on disk, the coverage and the cursors after them. Blocking."""

    def __init__(self, network_id: bytes, log: StageLog, snapshot: Path, every: int) -> None:
        self._network_id, self._log, self._snapshot, self._every = network_id, log, snapshot, every
        self.coverage = Coverage()
        self.last: BatchHeader | None = None
        """Header of the last sealed batch."""
        self.cursors: dict[bytes, int] = {}
        self._load()

    @property
    def number(self) -> int:
        """Number of the last sealed batch, 0 before the first."""
        return self.last.number if self.last else 0

    @property
    def head(self) -> bytes:
        """Hash of the last header; the network id before the first."""
        return self.last.hash() if self.last else self._network_id

    def seal(self, batch: Batched, step: Step, cursors: Mapping[bytes, int]) -> None:
        """Make a batch durable and go on after it.

        Raises:
            LogBehind: the batch is not the next one; nothing was written.
        """
        header = batch.header
        if header.number != self._log.last() + 1 or header.parent != self.head:
            raise LogBehind(f"batch {header.number} does not follow record {self._log.last()}")
        self._log.append([Sealed(batch, cursors, step.encode()).encode()])
        self.coverage.apply(step)
        self.last, self.cursors = header, dict(cursors)
        if header.number % self._every == 0:
            write_atomic(self._snapshot, encode_snapshot(header.number, self.coverage))

    def batch(self, number: int) -> Batched:
        """Return a sealed batch.

        Raises:
            LogBehind: none of this number was sealed.
        """
        return self._record(number).batch

    def _record(self, number: int) -> Sealed:
        found = self._log.read(number - 1, 1) if number >= 1 else []
        if not found:
            raise LogBehind(f"the log holds no batch {number}")
        return decode_sealed(*found[0], self._network_id)

    def _load(self) -> None:
        number = self._load_snapshot()
        if number:
            self._stand(self._record(number))
        while number < self._log.last():
            number += 1
            record = self._record(number)
            record.apply(self.coverage)
            self._stand(record)

    def _load_snapshot(self) -> int:
        """Return the batch that the snapshot stands after; a rotten one is as none, the log is
        whole.
        """
        try:
            number, coverage = decode_snapshot(read(self._snapshot))
        except (FileNotFoundError, Broken):
            return 0
        if number > self._log.last():
            raise LogBehind(f"a snapshot stands at batch {number}, the log ends before")
        self.coverage = coverage
        return number

    def _stand(self, record: Sealed) -> None:
        self.last, self.cursors = record.batch.header, dict(record.cursors)
