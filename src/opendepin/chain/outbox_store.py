"""The outbox's memory: intents, their nonces and every signed variant, durable before anything is
sent.

In: intents. Out: the same after a crash. SQLite with full synchronisation; one file per account,
used by one process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from opendepin.chain.transactions import Signed

SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  receiver BLOB,
  value TEXT NOT NULL,
  data BLOB NOT NULL,
  gas INTEGER,
  state TEXT NOT NULL,
  nonce INTEGER UNIQUE,
  hash BLOB,
  block INTEGER,
  gas_used INTEGER,
  reason TEXT
);
CREATE INDEX IF NOT EXISTS live ON intents (state) WHERE state IN ('queued', 'signed');
CREATE TABLE IF NOT EXISTS variants (
  hash BLOB PRIMARY KEY,
  intent INTEGER NOT NULL REFERENCES intents (row),
  raw BLOB NOT NULL,
  gas INTEGER NOT NULL,
  tip TEXT NOT NULL,
  max_fee TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS of_intent ON variants (intent);
"""

COLUMNS = "row, key, kind, receiver, value, data, gas, state, nonce, hash, block, gas_used, reason"
KEPT_ENDED = 10_000
"""Ended intents whose outcome is remembered; older ones are forgotten."""


class State(StrEnum):
    """How far an intent has come, durably."""

    QUEUED = "queued"
    SIGNED = "signed"
    """It has a nonce and signed bytes; it may have been sent."""
    DONE = "done"
    """Its effect is final."""
    FAILED = "failed"
    """The contract refused, finally."""


@dataclass(frozen=True)
class Intent:
    """Something that shall happen on L1 exactly once."""

    key: str
    """Names it for ever, e.g. `submit/17`: the same key again is the same intent."""
    to: bytes | None
    """Receiver; None makes a contract."""
    data: bytes
    value: int = 0
    kind: str = ""
    """Chooses the done-check."""
    gas: int | None = None
    """Gas limit; estimated without it."""


@dataclass(frozen=True)
class Outcome:
    """How an intent ended."""

    state: State
    transaction: bytes | None
    """Hash of the transaction that did it; None when another account did."""
    block: int | None
    gas_used: int
    reason: str
    """Why it failed; empty when done."""


@dataclass(frozen=True)
class Variant:
    """One signed form of an intent: the same nonce, its own fees."""

    signed: Signed
    gas: int
    tip: int
    max_fee: int


@dataclass(frozen=True)
class Entry:
    """An intent with all that is known of it."""

    row: int
    intent: Intent
    state: State
    nonce: int | None
    outcome: Outcome


class OutboxStore:
    """The intents of one account, in order of arrival."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def put(self, intent: Intent) -> Entry:
        """Keep an intent; one of that key that is live or done stays as it is, a failed one
        starts anew.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            known = self.find(intent.key)
            if known is not None and known.state is not State.FAILED:
                return known
            if known is not None:
                self._forget([known.row])
            self._db.execute(
                "INSERT INTO intents (key, kind, receiver, value, data, gas, state) "
                "VALUES (?,?,?,?,?,?,?)",
                (
                    intent.key,
                    intent.kind,
                    intent.to,
                    str(intent.value),
                    intent.data,
                    intent.gas,
                    State.QUEUED,
                ),
            )
        found = self.find(intent.key)
        if found is None:
            raise LookupError(intent.key)
        return found

    def find(self, key: str) -> Entry | None:
        """Return the intent of a key."""
        rows = self._select("key = ?", (key,))
        return rows[0] if rows else None

    def live(self) -> list[Entry]:
        """Return the intents that have not ended, oldest first."""
        return self._select("state IN ('queued', 'signed')")

    def top_nonce(self) -> int | None:
        """Return the highest nonce that was ever given to a kept intent."""
        return self._db.execute("SELECT max(nonce) FROM intents").fetchone()[0]

    def variants(self, row: int) -> list[Variant]:
        """Return an intent's signed forms, oldest first."""
        found = self._db.execute(
            "SELECT hash, raw, gas, tip, max_fee FROM variants WHERE intent = ? ORDER BY rowid",
            (row,),
        )
        return [Variant(Signed(h, raw), gas, int(tip), int(fee)) for h, raw, gas, tip, fee in found]

    def sign(self, row: int, nonce: int, variant: Variant) -> None:
        """Keep a signed form, and the intent's nonce, before it is sent."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "UPDATE intents SET state = ?, nonce = ? WHERE row = ?", (State.SIGNED, nonce, row)
            )
            self._db.execute(
                "INSERT OR IGNORE INTO variants (hash, intent, raw, gas, tip, max_fee) "
                "VALUES (?,?,?,?,?,?)",
                (
                    variant.signed.hash,
                    row,
                    variant.signed.raw,
                    variant.gas,
                    str(variant.tip),
                    str(variant.max_fee),
                ),
            )

    def requeue(self, row: int) -> None:
        """Take an intent's nonce away, which somebody else used finally: its signed forms are
        void.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "UPDATE intents SET state = ?, nonce = NULL WHERE row = ?", (State.QUEUED, row)
            )
            self._db.execute("DELETE FROM variants WHERE intent = ?", (row,))

    def end(self, row: int, outcome: Outcome) -> None:
        """Keep how an intent ended; forget the oldest ones above `KEPT_ENDED`."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "UPDATE intents SET state=?, hash=?, block=?, gas_used=?, reason=?, data=x'' "
                "WHERE row=?",
                (
                    outcome.state,
                    outcome.transaction,
                    outcome.block,
                    outcome.gas_used,
                    outcome.reason,
                    row,
                ),
            )
            self._db.execute("DELETE FROM variants WHERE intent = ?", (row,))
            old = self._db.execute(
                "SELECT row FROM intents WHERE state IN ('done', 'failed') ORDER BY row DESC "
                "LIMIT -1 OFFSET ?",
                (KEPT_ENDED,),
            )
            self._forget([row for (row,) in old.fetchall()])

    def _forget(self, rows: Iterable[int]) -> None:
        for row in rows:
            self._db.execute("DELETE FROM variants WHERE intent = ?", (row,))
            self._db.execute("DELETE FROM intents WHERE row = ?", (row,))

    def _select(self, where: str, values: tuple[Any, ...] = ()) -> list[Entry]:
        query = f"SELECT {COLUMNS} FROM intents WHERE {where} ORDER BY row"  # noqa: S608 - ours
        return [_entry(row) for row in self._db.execute(query, values)]


def _entry(row: tuple[Any, ...]) -> Entry:
    number, key, kind, to, value, data, gas, state, nonce, transaction, block, used, reason = row
    outcome = Outcome(State(state), transaction, block, used or 0, reason or "")
    return Entry(number, Intent(key, to, data, int(value), kind, gas), State(state), nonce, outcome)
