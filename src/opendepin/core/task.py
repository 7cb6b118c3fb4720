"""A task as the settlement contract keeps it: what rooms, explorer and verifiers read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from opendepin.core.statement import Statement, outputs_hash

MAX_ATTEMPTS = 32
"""Draws per task; after the last one nobody is drawn until it is recalled."""


class TaskState(IntEnum):
    """How far a task has come."""

    UNKNOWN = 0
    OPEN = 1
    ASSIGNED = 2
    SETTLED = 3
    RECALLED = 4


@dataclass(frozen=True)
class Origin:
    """Where a task came from, as the settlement contract packs it into one word."""

    project: int
    batch: int
    count: int
    version: int
    """Of the operators' snapshot that was pinned at the (last) opening."""
    opened_block: int
    segment_index: int

    @classmethod
    def of_word(cls, word: int) -> Origin:
        """Take the word apart, lowest bits first (`contracts/modules/task_records.vy`)."""
        found: list[int] = []
        for bits in (64, 64, 32, 40, 40, 16):
            found.append(word & ((1 << bits) - 1))
            word >>= bits
        return cls(*found)


@dataclass(frozen=True)
class Task:
    """The fields of `ISettlement.Task`, in its order."""

    state: TaskState
    project: int
    program: bytes
    batch: int
    segment_index: int
    segment_root: bytes
    field_root: int
    count: int
    opened_block: int
    operators_version: int
    seed: bytes
    attempt: int
    assignee: bytes
    deadline: int
    """Unix seconds; while the task is open, when it was opened (again)."""

    def statement(
        self, task_id: bytes, network_id: bytes, settlement: bytes, outputs: Sequence[int]
    ) -> Statement:
        """Return what a proof of these outputs by the task's operator is bound to."""
        return Statement(
            network_id,
            settlement,
            task_id,
            self.program,
            self.segment_root,
            self.field_root,
            self.count,
            outputs_hash(outputs),
            self.assignee,
        )
