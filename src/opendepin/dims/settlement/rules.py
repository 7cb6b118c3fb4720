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
class Ready:
    """A task that can be settled, with its proof."""

    id: bytes
    task: Task
    outputs: tuple[int, ...]
    proof: bytes


@dataclass(frozen=True)
class Draw:
    """An operator is to be drawn."""

    attempt: int


@dataclass(frozen=True)
class Reopening:
    """A task is to be opened again, for this attempt."""

    attempt: int


def due_step(
    task: Task, height: int, time: int, draw_delay: int, window_s: int, nobody: bool = False
) -> Draw | Reopening | None:
    """Return what brings an unproven task on; None when nothing is due.

    With `nobody`, a draw was refused because nobody in the task's snapshot was free.
    """
    if task.state is TaskState.ASSIGNED:
        return Reopening(task.attempt + 1) if time > task.deadline else None
    if task.state is not TaskState.OPEN or task.attempt >= MAX_ATTEMPTS:
        return None
    if nobody and time > task.deadline + window_s:
        return Reopening(task.attempt + 1)
    if seed_height(task.opened_block, draw_delay, height) is None:
        return None
    return Draw(task.attempt)


def batches_of(waiting: Sequence[Ready], most: int) -> list[list[Ready]]:
    """Return proofs that can be settled by one call each, in order: of one program, bounded."""
    found: dict[tuple[int, bytes], list[list[Ready]]] = {}
    for ready in waiting:
        groups = found.setdefault((ready.task.project, ready.task.program), [[]])
        if len(groups[-1]) == most:
            groups.append([])
        groups[-1].append(ready)
    return [group for groups in found.values() for group in groups]


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
