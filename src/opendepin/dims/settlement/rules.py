"""What to do about a task, from its state alone. Pure.

In: a task, the time of Layer 1. Out: the step that is due, whose turn it is, pay and its paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opendepin.core import merkle
from opendepin.core.batch import Segment
from opendepin.core.statement import seed_height
from opendepin.core.task import MAX_ATTEMPTS, Task, TaskState
from opendepin.dims.settlement.errors import SegmentsFault


@dataclass(frozen=True)
class Draw:
    """An operator is to be drawn."""

    attempt: int
    since: int
    """Unix seconds (about) from which it is due: whose turn is later waits from here."""


def due_draw(task: Task, height: int, time: int, draw_delay: int) -> Draw | None:
    """Return the draw that is due for a task; None when none is."""
    if task.state is TaskState.OPEN:
        if seed_height(task.opened_block, draw_delay, height) is None:
            return None
        return Draw(0, task.deadline)
    if task.state is TaskState.ASSIGNED and time > task.deadline:
        attempt = task.attempt + 1
        return Draw(attempt, task.deadline) if attempt < MAX_ATTEMPTS else None
    return None


def turn(number: int, operator: bytes, operators: Sequence[bytes]) -> int:
    """Return how many operators come before this one for batch or attempt `number`."""
    if operator not in operators:
        return len(operators)
    return (operators.index(operator) - number) % len(operators)


def check_segments(segments: Sequence[Segment], hashes: Sequence[bytes]) -> None:
    """Check segments that somebody gave against the inbox's hashes.

    Raises:
        SegmentsFault: number or hash of one differs.
    """
    found = [segment.hash() for segment in segments]
    if found != list(hashes):
        raise SegmentsFault(f"{len(found)} segments are not the {len(hashes)} of the inbox")


@dataclass(frozen=True)
class Pay:
    """One device's pay of a settled task."""

    device_index: int
    units: int
    path: tuple[bytes, ...]


def pay_of(task: bytes, outputs: Sequence[int], offset: int, count: int) -> list[Pay]:
    """Return the pay of every device with units, with its path under the task's pay root."""
    units = outputs[offset : offset + count]
    leaves = [merkle.pay_leaf(task, index, each) for index, each in enumerate(units)]
    return [
        Pay(index, each, tuple(merkle.path(leaves, index, merkle.pay_node)))
        for index, each in enumerate(units)
        if each
    ]
