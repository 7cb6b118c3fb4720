"""The reading half of the SQLite index: every list and figure the pages and the API show."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from opendepin.explorer.store import Page, Row

LAST_MESSAGE = (
    "LEFT JOIN messages m ON m.device = d.device"
    " AND m.seq = (SELECT max(x.seq) FROM messages x WHERE x.device = d.device)"
)
DEVICE_COLUMNS = (
    "d.*, m.message_id, m.seq, m.observed_s, m.value, m.time_ms,"
    " (SELECT count(*) FROM messages c WHERE c.device = d.device) AS messages"
)
TASK_FILTERS = {
    "open": "assigned IS NULL AND settled IS NULL AND recalled IS NULL",
    "assigned": "assigned IS NOT NULL AND settled IS NULL AND recalled IS NULL",
    "settled": "settled IS NOT NULL",
    "recalled": "recalled IS NOT NULL AND settled IS NULL",
}
RECENT = """
SELECT * FROM (SELECT 'settled' AS kind, s.height, s.log_index, s.task AS subject,
    t.count AS amount, t.batch AS detail
  FROM settlements s JOIN tasks t ON t.task = s.task ORDER BY s.height DESC LIMIT :n)
UNION ALL SELECT * FROM (SELECT 'batch', b.height, b.log_index, b.header_hash, h.messages, b.number
  FROM batches b LEFT JOIN headers h ON h.number = b.number
  ORDER BY b.height DESC, b.log_index DESC LIMIT :n)
UNION ALL SELECT * FROM (SELECT 'assigned', a.height, a.log_index, a.task, t.count, t.batch
  FROM assignments a JOIN tasks t ON t.task = a.task ORDER BY a.height DESC LIMIT :n)
UNION ALL SELECT * FROM (SELECT
    'paid', p.height, min(p.log_index), p.task, wei_sum(p.amount), count(*)
  FROM payouts p GROUP BY p.height, p.task ORDER BY p.height DESC LIMIT :n)
UNION ALL SELECT * FROM (SELECT
    'registered', k.height, min(k.log_index), k.device, count(*), k.status
  FROM key_changes k GROUP BY k.height, k.status ORDER BY k.height DESC LIMIT :n)
UNION ALL SELECT * FROM (SELECT 'cover', c.height, c.log_index, c.tx, c.fields, c.name
  FROM covers c WHERE c.name LIKE 'Payout%' ORDER BY c.height DESC, c.log_index DESC LIMIT :n)
ORDER BY height DESC, log_index DESC LIMIT :n
"""
COUNTS = """
SELECT (SELECT count(*) FROM messages) AS admitted,
  (SELECT count(*) FROM (SELECT DISTINCT device FROM messages)) AS reporting,
  (SELECT count(*) FROM devices) AS devices,
  (SELECT count(*) FROM devices WHERE status = 1) AS active,
  (SELECT count(*) FROM batches) AS batches,
  (SELECT coalesce(sum(messages), 0) FROM headers) AS batched,
  (SELECT count(*) FROM tasks) AS tasks,
  (SELECT count(*) FROM task_states WHERE assigned IS NOT NULL) AS assigned,
  (SELECT count(*) FROM settlements) AS settled,
  (SELECT coalesce(sum(t.count), 0) FROM settlements s
    JOIN tasks t ON t.task = s.task) AS proven,
  (SELECT count(*) FROM recalls) AS recalled,
  (SELECT count(*) FROM payouts) AS payouts,
  (SELECT wei_sum(amount) FROM payouts) AS paid_wei,
  (SELECT wei_sum(amount) FROM burns) AS burned_wei,
  (SELECT max(observed_s) FROM messages) AS observed_s,
  (SELECT count(*) FROM projects) AS projects
"""
PROJECTS = """
SELECT p.*,
  (SELECT count(*) FROM devices d WHERE d.project = p.project) AS devices,
  (SELECT count(*) FROM tasks t WHERE t.project = p.project) AS tasks,
  (SELECT count(*) FROM settlements s JOIN tasks t ON t.task = s.task
    WHERE t.project = p.project) AS settled,
  (SELECT coalesce(sum(t.count), 0) FROM settlements s JOIN tasks t ON t.task = s.task
    WHERE t.project = p.project) AS proven,
  (SELECT wei_sum(o.amount) FROM payouts o JOIN tasks t ON t.task = o.task
    WHERE t.project = p.project) AS paid_wei
FROM projects p"""


class Queries(ABC):
    """Queries over a SQLite index; rows come as mappings of column to value."""

    @abstractmethod
    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection."""

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Return every row of a query."""
        return [dict(row) for row in self.connection().execute(sql, values)]

    def one(self, sql: str, *values: Any) -> Row | None:
        """Return the first row of a query."""
        row = self.connection().execute(sql, values).fetchone()
        return dict(row) if row is not None else None

    def head(self) -> Row | None:
        """Return the newest block."""
        return self.one("SELECT height, hash, time FROM blocks ORDER BY height DESC LIMIT 1")

    def block_time(self, height: int) -> int | None:
        """Return a block's Unix seconds."""
        row = self.one("SELECT time FROM blocks WHERE height = ?", height)
        return row["time"] if row else None

    def projects(self) -> list[Row]:
        """Return all projects, each as `project` does."""
        return self.all(f"{PROJECTS} ORDER BY p.project")

    def devices(
        self,
        page: Page,
        *,
        project: int | None = None,
        status: int | None = None,
        indices: Sequence[int] | None = None,
    ) -> list[Row]:
        """Return devices by (project, index)."""
        where, values = ["1"], list[Any]()
        for column, value in (("d.project = ?", project), ("d.status = ?", status)):
            if value is not None:
                where.append(column)
                values.append(value)
        if indices is not None:
            where.append(f"d.device_index IN ({','.join('?' * len(indices))})")
            values += indices
        if page.after is not None:
            where.append("(d.project, d.device_index) > (?, ?)")
            values += page.after
        sql = f"SELECT {DEVICE_COLUMNS} FROM devices d {LAST_MESSAGE} WHERE {' AND '.join(where)}"  # noqa: S608
        return self.all(sql + " ORDER BY d.project, d.device_index LIMIT ?", *values, page.limit)

    def device(self, device: bytes) -> Row | None:
        """Return one device."""
        sql = f"SELECT {DEVICE_COLUMNS} FROM devices d {LAST_MESSAGE} WHERE d.device = ?"  # noqa: S608
        return self.one(sql, device)

    def history(self, device: bytes) -> list[Row]:
        """Return a device's key changes, oldest first."""
        return self.all(
            "SELECT * FROM key_changes WHERE device = ? ORDER BY height, log_index", device
        )

    def readings(self, device: bytes, page: Page) -> list[Row]:
        """Return a device's messages with their stage, newest first."""
        before = page.after[0] if page.after else 1 << 62
        return self.all(
            "SELECT * FROM message_stages WHERE device = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
            *(device, before, page.limit),
        )

    def payouts(self, device: bytes, limit: int) -> list[Row]:
        """Return a device's pay, newest first."""
        return self.all(
            "SELECT * FROM payouts WHERE device = ? ORDER BY height DESC, log_index DESC LIMIT ?",
            device,
            limit,
        )

    def message(self, message_id: bytes) -> Row | None:
        """Return one message with its stage."""
        return self.one("SELECT * FROM message_stages WHERE message_id = ?", message_id)

    def group(self, gateway: bytes, project: int, first: int) -> Row | None:
        """Return one commit group."""
        return self.one(
            "SELECT * FROM groups WHERE gateway = ? AND project = ? AND first = ?",
            gateway,
            project,
            first,
        )

    def group_messages(self, gateway: bytes, project: int, first: int) -> list[Row]:
        """Return a group's messages in position order."""
        return self.all(
            "SELECT * FROM messages WHERE gateway = ? AND project = ? AND group_first = ?"
            " ORDER BY position",
            *(gateway, project, first),
        )

    def batches(self, page: Page) -> list[Row]:
        """Return batches, newest number first."""
        before = page.after[0] if page.after else 1 << 62
        return self.all(
            "SELECT b.*, h.time, h.messages, h.data_bytes FROM batches b"
            " LEFT JOIN headers h ON h.number = b.number"
            " WHERE b.number < ? ORDER BY b.number DESC LIMIT ?",
            *(before, page.limit),
        )

    def batch(self, number: int) -> Row | None:
        """Return one batch with its header."""
        return self.one(
            "SELECT h.*, b.* FROM batches b LEFT JOIN headers h ON h.number = b.number"
            " WHERE b.number = ?",
            number,
        )

    def segments(self, batch: int) -> list[Row]:
        """Return a batch's segments in order."""
        return self.all("SELECT * FROM segments WHERE batch = ? ORDER BY segment", batch)

    def segment_groups(self, batch: int, segment: int) -> list[Row]:
        """Return a segment's groups in order."""
        return self.all(
            "SELECT g.*, p.leaf_first FROM places p"
            " JOIN groups g ON g.gateway = p.gateway AND g.project = p.project"
            " AND g.first = p.first WHERE p.batch = ? AND p.segment = ? ORDER BY p.ordinal",
            *(batch, segment),
        )

    def tasks(
        self, page: Page, *, state: str | None = None, project: int | None = None
    ) -> list[Row]:
        """Return tasks by (batch, segment), newest first."""
        before = page.after or (1 << 62, 0)
        where = TASK_FILTERS[state] if state else "1"
        return self.all(
            f"SELECT * FROM task_states WHERE (batch, segment) < (?, ?) AND {where}"  # noqa: S608
            " AND (? IS NULL OR project = ?) ORDER BY batch DESC, segment DESC LIMIT ?",
            *(*before, project, project, page.limit),
        )

    def project(self, project: int) -> Row | None:
        """Return a project with its number of devices and what its tasks came to."""
        return self.one(f"{PROJECTS} WHERE p.project = ?", project)

    def programs(self, project: int) -> list[Row]:
        """Return a project's program versions, newest first."""
        return self.all(
            "SELECT * FROM programs WHERE project = ? ORDER BY height DESC, log_index DESC", project
        )

    def task(self, task: bytes) -> Row | None:
        """Return one task."""
        return self.one("SELECT * FROM task_states WHERE task = ?", task)

    def task_of(self, batch: int, segment: int) -> Row | None:
        """Return the task over a segment."""
        return self.one("SELECT * FROM task_states WHERE batch = ? AND segment = ?", batch, segment)

    def program(self, program: bytes) -> Row | None:
        """Return a registered program version."""
        return self.one(
            "SELECT * FROM programs WHERE program = ? ORDER BY height DESC LIMIT 1", program
        )

    def task_payouts(self, task: bytes) -> list[Row]:
        """Return what devices were paid for a task."""
        return self.all("SELECT * FROM payouts WHERE task = ? ORDER BY device_index", task)

    def covers(self, limit: int) -> list[Row]:
        """Return the project contract's events, newest first."""
        return self.all("SELECT * FROM covers ORDER BY height DESC, log_index DESC LIMIT ?", limit)

    def recent(self, limit: int) -> list[Row]:
        """Return the newest happenings of all kinds, newest first."""
        rows = self.connection().execute(RECENT, {"n": limit})
        return [{**dict(row), "time": self.block_time(row["height"])} for row in rows]

    def counts(self) -> Row:
        """Return the counts and sums of `/stats`."""
        return self.one(COUNTS) or {}

    def settle_delays(self, limit: int) -> list[int]:
        """Return milliseconds from signature to settlement of the newest settled messages."""
        rows = self.all(
            "SELECT b.time * 1000 - m.time_ms AS delay"
            " FROM settlements s JOIN tasks t ON t.task = s.task"
            " JOIN places p ON p.batch = t.batch AND p.segment = t.segment"
            " JOIN messages m ON m.gateway = p.gateway"
            " AND m.project = p.project AND m.group_first = p.first"
            " JOIN blocks b ON b.height = s.height"
            " ORDER BY s.height DESC LIMIT ?",
            limit,
        )
        return [row["delay"] for row in rows]
