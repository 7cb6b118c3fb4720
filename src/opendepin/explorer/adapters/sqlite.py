"""The index in one SQLite file: connections, and the writing half."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from opendepin.explorer.adapters.queries import Queries
from opendepin.explorer.errors import StoreBroken
from opendepin.explorer.ports import L1Block
from opendepin.explorer.store import BatchRows, EventRow, GroupRows, MessageRow, Row

SCHEMA_VERSION = 1
LOG_TABLES = (
    *("projects", "key_changes", "owners", "programs", "batches", "tasks", "assignments"),
    *("settlements", "recalls", "callbacks", "payouts", "burns", "covers"),
)
"""Tables fed by L1 logs."""

HEIGHT_TABLES = (*LOG_TABLES, "blocks", "headers", "segments", "places")
"""Tables whose every row stands at an L1 height."""

DIGEST_TABLES = (*HEIGHT_TABLES, "groups", "messages")

INSERT_GROUP = (
    "INSERT INTO groups(gateway, project, first, count, identity_block, include_by, root,"
    " signature, fed, height) VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
    " height = CASE WHEN groups.fed OR excluded.fed THEN NULL ELSE excluded.height END,"
    " fed = max(groups.fed, excluded.fed)"
)
INSERT_MESSAGE = "INSERT OR IGNORE INTO messages VALUES (?,?,?,?,?,?,?,?,?,?,?)"
INSERT_HEADER = "INSERT OR IGNORE INTO headers VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
INSERT_SEGMENT = "INSERT OR IGNORE INTO segments VALUES (?,?,?,?,?,?,?,?,?)"
INSERT_PLACE = "INSERT OR IGNORE INTO places VALUES (?,?,?,?,?,?,?,?)"


class SqliteStore(Queries):
    """The index in a SQLite file. One writer; readers on any thread, each with its own connection.

    Raises:
        StoreBroken: the file is no index of this form; delete it, it is rebuilt from its sources.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._version = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(path)) as made:
                made.execute("PRAGMA journal_mode = WAL")
                (found,) = made.execute("PRAGMA user_version").fetchone()
                if found not in {0, SCHEMA_VERSION}:
                    raise StoreBroken(
                        f"{path} has form {found}, this program reads {SCHEMA_VERSION}: delete it"
                    )
                made.executescript(
                    files("opendepin.explorer.adapters").joinpath("schema.sql").read_text("utf-8")
                )
        except sqlite3.DatabaseError as error:
            raise StoreBroken(f"{path} is no index: {error}; delete it, it is rebuilt") from error

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._local = threading.local()

    def version(self) -> int:
        """Return the number of changes since start."""
        return self._version

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self._path, check_same_thread=False, timeout=30)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA synchronous = NORMAL")
            found.create_aggregate("wei_sum", 1, WeiSum)  # pyright: ignore[reportArgumentType]
            self._local.connection = found
            with self._lock:
                self._open.append(found)
        return found

    def newest_block(self) -> L1Block | None:
        """Return the newest block indexed."""
        row = self.one("SELECT * FROM blocks ORDER BY height DESC LIMIT 1")
        return L1Block(row["height"], row["hash"], row["parent"], row["time"]) if row else None

    def block_hash(self, height: int) -> bytes | None:
        """Return the hash indexed at a height."""
        row = self.one("SELECT hash FROM blocks WHERE height = ?", height)
        return row["hash"] if row else None

    def apply(self, blocks: Sequence[L1Block], rows: Sequence[EventRow]) -> None:
        """Add blocks and the rows of their logs."""
        with self.connection() as write:
            write.executemany(
                "INSERT OR REPLACE INTO blocks VALUES (?,?,?,?)",
                [(b.height, b.hash, b.parent, b.time) for b in blocks],
            )
            for row in rows:
                if row.table not in LOG_TABLES:
                    raise StoreBroken(f"no table {row.table}")
                values = {
                    "height": row.height,
                    "log_index": row.log_index,
                    **row.columns,
                    "tx": row.transaction,
                }
                marks = ",".join("?" * len(values))
                sql = f"INSERT OR IGNORE INTO {row.table}({','.join(values)}) VALUES ({marks})"  # noqa: S608
                write.execute(sql, list(values.values()))
        self._version += 1

    def rewind(self, height: int) -> None:
        """Forget everything that blocks above `height` put here."""
        with self.connection() as write:
            for table in HEIGHT_TABLES:
                write.execute(f"DELETE FROM {table} WHERE height > ?", (height,))  # noqa: S608
            write.execute(
                "DELETE FROM messages WHERE EXISTS (SELECT 1 FROM groups g WHERE g.height > ? AND"
                " g.gateway = messages.gateway AND g.project = messages.project"
                " AND g.first = messages.group_first)",
                (height,),
            )
            write.execute("DELETE FROM groups WHERE height > ?", (height,))
        self._version += 1

    def missing_bodies(self, limit: int) -> list[Row]:
        """Return accepted batches whose body is not indexed yet."""
        return self.all(
            "SELECT number, height, header_hash FROM batches b WHERE NOT EXISTS"
            " (SELECT 1 FROM headers h WHERE h.number = b.number) ORDER BY number LIMIT ?",
            limit,
        )

    def add_batch(self, rows: BatchRows) -> None:
        """Add a batch's header, segments, groups and messages."""
        record, height = rows.record, rows.height
        h = record.header
        count = sum(segment.count for segment in record.segments)
        head = (
            h.number,
            height,
            h.parent,
            h.segments_root,
            h.data_root,
            h.data_bytes,
            h.time,
            record.signature,
        )
        with self.connection() as write:
            write.execute(
                INSERT_HEADER, (*head, b"".join(record.attestations), *record.code, count)
            )
            for index, segment in enumerate(record.segments):
                ranges = [
                    ["0x" + r.gateway.hex(), r.first, r.last, r.identity_first, r.identity_last]
                    for r in segment.ranges
                ]
                values = (
                    segment.project,
                    segment.root,
                    str(segment.field_root),
                    segment.count,
                    json.dumps(ranges),
                )
                write.execute(INSERT_SEGMENT, (h.number, index, height, *values, segment.hash()))
                leaf = 0
                for ordinal, found in enumerate(rows.segments[index]):
                    _write_group(write, found, fed=False, height=height)
                    g = found.group.header
                    place = (h.number, index, ordinal, height, g.gateway, g.project, g.first, leaf)
                    write.execute(INSERT_PLACE, place)
                    leaf += g.count
        self._version += 1

    def feed_position(self, gateway: bytes) -> int:
        """Return the last record of a gateway's feed that was read."""
        row = self.one("SELECT position FROM cursors WHERE source = ?", "feed:" + gateway.hex())
        return row["position"] if row else 0

    def add_fed_groups(self, gateway: bytes, position: int, groups: Sequence[GroupRows]) -> None:
        """Add groups from a gateway's feed and remember the position."""
        with self.connection() as write:
            for found in groups:
                _write_group(write, found, fed=True, height=None)
            write.execute(
                "INSERT OR REPLACE INTO cursors VALUES (?,?)", ("feed:" + gateway.hex(), position)
            )
        self._version += 1

    def digest(self) -> bytes:
        """Hash every row of every table that the sources determine, in key order; which stores'
        attestations were at hand when a batch was read is left out, it differs by the moment.
        """
        total = sha256()
        for table in DIGEST_TABLES:
            total.update(table.encode())
            sql = f"SELECT * FROM {table}"  # noqa: S608
            found: list[sqlite3.Row] = self.connection().execute(sql).fetchall()
            for text in sorted(repr(_determined(row)) for row in found):
                total.update(text.encode())
        return total.digest()


def _determined(row: sqlite3.Row) -> list[Any]:
    """Return a row's values that any index of the same sources has."""
    return [row[name] for name in row.keys() if name != "attestations"]  # noqa: SIM118


def _write_group(
    write: sqlite3.Connection, rows: GroupRows, *, fed: bool, height: int | None
) -> None:
    h = rows.group.header
    values = (h.gateway, h.project, h.first, h.count, h.identity_block, h.include_by_block, h.root)
    write.execute(INSERT_GROUP, (*values, rows.group.signature, int(fed), height))
    write.executemany(INSERT_MESSAGE, _message_values(h.gateway, h.project, h.first, rows.messages))


def _message_values(
    gateway: bytes, project: int, first: int, messages: Iterable[MessageRow]
) -> Iterable[tuple[Any, ...]]:
    for m in messages:
        head = (m.message_id, gateway, project, first, m.position, m.device, m.seq, m.time_ms)
        yield (*head, m.observed_s, m.value, m.raw)


def copy_index(kept: Path, target: Path) -> None:
    """Copy an index that may be in use, as it stands after its last whole round."""
    source, copy = sqlite3.connect(kept), sqlite3.connect(target)
    with source, copy:
        source.backup(copy)
    source.close()
    copy.close()


class WeiSum:
    """SQL aggregate: the exact sum of decimal texts, as a decimal text."""

    def __init__(self) -> None:
        self._total = 0

    def step(self, value: str | int | None) -> None:
        """Add one row."""
        self._total += int(value or 0)

    def finalize(self) -> str:
        """Return the sum."""
        return str(self._total)
