"""The operator's assignments on Layer 1: events say which tasks to look at, state what they are.

In: a chain reader and the spans of a `chain.follower`. Out: `ports.Assignments`. Keeps nothing over
a restart: the follower tells the whole history again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opendepin.chain.abi import Contract
from opendepin.chain.events import TaskRecalled, TaskSettled
from opendepin.chain.follower import Mark, Span, kept_marks
from opendepin.chain.ports import ChainReader
from opendepin.core.task import Task, TaskState
from opendepin.dims.compute.ports import Assignment


@dataclass(frozen=True)
class TaskAssigned:
    """Event of `Settlement`."""

    task: bytes
    operator: bytes
    attempt: int
    deadline: int
    skipped: int


@dataclass
class _Seen:
    assigned: int
    """Block of the last draw of this operator."""
    closed: int | None = None
    """Block in which the task was settled or recalled."""


class AssignmentsOnChain:
    """One operator's assignments; a `chain.follower.Listener` on the settlement contract."""

    def __init__(
        self, chain: ChainReader, settlement: Contract, inbox: Contract, operator: bytes
    ) -> None:
        """Bind the events.

        Raises:
            BindingRejected: the contracts' ABIs have other events.
        """
        self._chain, self._settlement, self._inbox = chain, settlement, inbox
        self._operator = operator
        self._assigned = settlement.event(TaskAssigned)
        self._closing = (settlement.event(TaskSettled), settlement.event(TaskRecalled))
        self._marks: list[Mark] = []
        self._seen: dict[bytes, _Seen] = {}

    def marks(self) -> Sequence[Mark]:
        """Return where the listener stands."""
        return self._marks

    async def apply(self, span: Span) -> None:
        """Note draws of this operator and ends of its tasks."""
        for log in span.logs:
            if log.topics[0] == self._assigned.topic:
                drawn = self._assigned.decode(log.topics, log.data)
                if drawn.operator == self._operator:
                    self._seen[drawn.task] = _Seen(log.block)
            for event in self._closing:
                if log.topics[0] == event.topic:
                    seen = self._seen.get(event.decode(log.topics, log.data).task)
                    if seen is not None:
                        seen.closed = log.block
        final = span.final.height
        self._seen = {
            task: seen
            for task, seen in self._seen.items()
            if seen.closed is None or seen.closed > final
        }
        self._marks = kept_marks(self._marks, span)

    async def rewind(self, height: int) -> None:
        """Forget what blocks above `height` told."""
        self._marks = [mark for mark in self._marks if mark.height <= height]
        self._seen = {task: seen for task, seen in self._seen.items() if seen.assigned <= height}
        for seen in self._seen.values():
            if seen.closed is not None and seen.closed > height:
                seen.closed = None

    async def current(self) -> list[Assignment]:
        """Return the tasks that the newest block's state assigns to this operator."""
        found: list[Assignment] = []
        for identifier in [task for task, seen in self._seen.items() if seen.closed is None]:
            task = await self._chain.call(self._settlement.call("task", identifier, returns=Task))
            if task.state is TaskState.ASSIGNED and task.assignee == self._operator:
                found.append(Assignment(identifier, task))
        return found

    async def header_hash(self, batch: int) -> bytes:
        """Return the header hash that the inbox accepted for a batch."""
        return await self._chain.call(self._inbox.call("header_hash", batch, returns=bytes))
