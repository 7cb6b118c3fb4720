"""The index as a port: what the indexer writes and what pages and API read.

`Writer` takes rows; `Reader` gives them back as plain mappings whose keys are the columns of
`adapters/schema.sql`.
Promise of every store: writing the same rows again changes nothing, and `rewind(h)` leaves
exactly what was there when block h was the newest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from opendepin.core.group import Group
from opendepin.explorer.ports import BatchRecord, L1Block

Row = Mapping[str, Any]
"""One row by column name."""


@dataclass(frozen=True)
class EventRow:
    """One L1 log as a row: the table it belongs to and its columns besides height, log index
    and transaction.
    """

    table: str
    height: int
    log_index: int
    transaction: bytes
    columns: Mapping[str, Any]


@dataclass(frozen=True)
class MessageRow:
    """One message with what the index shows of it."""

    message_id: bytes
    position: int
    device: bytes
    seq: int
    time_ms: int
    observed_s: int
    value: int | None
    raw: bytes


@dataclass(frozen=True)
class GroupRows:
    """A commit group and its messages, decoded."""

    group: Group
    messages: tuple[MessageRow, ...]


@dataclass(frozen=True)
class BatchRows:
    """A batch decoded: its record and each segment's groups, in order."""

    height: int
    """L1 height at which the inbox accepted it."""
    record: BatchRecord
    segments: tuple[tuple[GroupRows, ...], ...]


class Writer(Protocol):
    """What the indexer needs of the store; each call is one transaction."""

    def newest_block(self) -> L1Block | None:
        """Return the newest block indexed."""
        ...

    def block_hash(self, height: int) -> bytes | None:
        """Return the hash indexed at a height."""
        ...

    def apply(self, blocks: Sequence[L1Block], rows: Sequence[EventRow]) -> None:
        """Add blocks and the rows of their logs."""
        ...

    def rewind(self, height: int) -> None:
        """Forget everything that blocks above `height` put here."""
        ...

    def missing_bodies(self, limit: int) -> list[Row]:
        """Return accepted batches whose body is not indexed yet: number, height, header_hash."""
        ...

    def add_batch(self, rows: BatchRows) -> None:
        """Add a batch's header, segments, groups and messages."""
        ...

    def feed_position(self, gateway: bytes) -> int:
        """Return the last record of a gateway's feed that was read; 0 before the first."""
        ...

    def add_fed_groups(self, gateway: bytes, position: int, groups: Sequence[GroupRows]) -> None:
        """Add groups from a gateway's feed and remember the position."""
        ...


@dataclass(frozen=True)
class Page:
    """Which part of a list: rows after `after` (a key, exclusive), at most `limit`."""

    limit: int
    after: tuple[int, ...] | None = None


class Reader(Protocol):
    """What pages and API need of the store."""

    def version(self) -> int:
        """Return a number that grows with each change: what was computed at the same version
        still holds.
        """
        ...

    def head(self) -> Row | None:
        """Return the newest block: height, hash, time."""
        ...

    def block_time(self, height: int) -> int | None:
        """Return a block's Unix seconds."""
        ...

    def projects(self) -> list[Row]:
        """Return all projects, each as `project` does."""
        ...

    def devices(
        self,
        page: Page,
        *,
        project: int | None = None,
        status: int | None = None,
        indices: Sequence[int] | None = None,
    ) -> list[Row]:
        """Return devices by (project, index) with their last reading and message count."""
        ...

    def device(self, device: bytes) -> Row | None:
        """Return one device with its last reading and message count."""
        ...

    def history(self, device: bytes) -> list[Row]:
        """Return a device's key changes, oldest first."""
        ...

    def readings(self, device: bytes, page: Page) -> list[Row]:
        """Return a device's messages with their stage, newest `seq` first."""
        ...

    def payouts(self, device: bytes, limit: int) -> list[Row]:
        """Return a device's pay, newest first."""
        ...

    def message(self, message_id: bytes) -> Row | None:
        """Return one message with its stage."""
        ...

    def group(self, gateway: bytes, project: int, first: int) -> Row | None:
        """Return one commit group."""
        ...

    def group_messages(self, gateway: bytes, project: int, first: int) -> list[Row]:
        """Return a group's messages in position order."""
        ...

    def batches(self, page: Page) -> list[Row]:
        """Return batches, newest number first."""
        ...

    def batch(self, number: int) -> Row | None:
        """Return one batch with its header."""
        ...

    def segments(self, batch: int) -> list[Row]:
        """Return a batch's segments in order."""
        ...

    def segment_groups(self, batch: int, segment: int) -> list[Row]:
        """Return a segment's groups in order."""
        ...

    def tasks(
        self, page: Page, *, state: str | None = None, project: int | None = None
    ) -> list[Row]:
        """Return tasks by (batch, segment), newest first."""
        ...

    def project(self, project: int) -> Row | None:
        """Return a project with its number of devices and what its tasks came to: devices, tasks,
        settled, proven (readings), paid_wei.
        """
        ...

    def programs(self, project: int) -> list[Row]:
        """Return a project's program versions, newest first."""
        ...

    def task(self, task: bytes) -> Row | None:
        """Return one task."""
        ...

    def task_of(self, batch: int, segment: int) -> Row | None:
        """Return the task over a segment."""
        ...

    def program(self, program: bytes) -> Row | None:
        """Return a registered program version."""
        ...

    def task_payouts(self, task: bytes) -> list[Row]:
        """Return what devices were paid for a task."""
        ...

    def covers(self, limit: int) -> list[Row]:
        """Return the project contract's events, newest first."""
        ...

    def recent(self, limit: int) -> list[Row]:
        """Return the newest happenings of all kinds, newest first: kind, height, time, subject,
        detail.
        """
        ...

    def counts(self) -> Row:
        """Return the counts and sums of `/stats`."""
        ...

    def settle_delays(self, limit: int) -> list[int]:
        """Return milliseconds from signature to settlement of the newest settled messages."""
        ...

    def digest(self) -> bytes:
        """Return a hash of every row that the sources determine: two indexes of the same
        sources agree.
        """
        ...
