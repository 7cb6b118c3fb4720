"""What the events of inbox and settlement tell: which batches and tasks there are to look after.

In: the spans of a `chain.follower`. Out: unopened batches, live tasks, and settled ones as they
become final. Events are hints; what is done follows from state. A rewind forgets what blocks told
that are gone. Keeps nothing over a restart: the follower tells the whole history again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from opendepin.chain.abi import Contract
from opendepin.chain.events import TaskOpened, TaskRecalled, TaskSettled
from opendepin.chain.follower import Mark, Span, kept_marks
from opendepin.chain.ports import Log
from opendepin.core.journey import Settled


@dataclass(frozen=True)
class BatchAccepted:
    """Event of `BatchInbox`."""

    number: int
    header_hash: bytes
    data_root: bytes
    segments: int


@dataclass
class SeenBatch:
    """A batch of the inbox, until every task it will have is final."""

    block: int
    segments: int
    opened: dict[int, int] = field(default_factory=dict[int, int])
    """Segment index → block in which its task was opened."""


@dataclass
class SeenTask:
    """A task, until its end is final."""

    opened: TaskOpened
    block: int
    closed: int | None = None
    """Block in which it was settled or recalled."""
    settled: TaskSettled | None = None
    transaction: bytes = b""


@dataclass(frozen=True)
class FinalTask:
    """A settled task whose block is final."""

    settled: Settled
    event: TaskSettled
    opened: TaskOpened


class View:
    """A `chain.follower.Listener` on inbox and settlement."""

    def __init__(self, settlement: Contract, inbox: Contract) -> None:
        """Bind the events.

        Raises:
            BindingRejected: the contracts' ABIs have other events.
        """
        self._accepted = inbox.event(BatchAccepted)
        self._opened = settlement.event(TaskOpened)
        self._settled = settlement.event(TaskSettled)
        self._recalled = settlement.event(TaskRecalled)
        self._marks: list[Mark] = []
        self.batches: dict[int, SeenBatch] = {}
        self.tasks: dict[bytes, SeenTask] = {}
        self._final: list[FinalTask] = []

    def marks(self) -> Sequence[Mark]:
        """Return where the listener stands."""
        return self._marks

    async def apply(self, span: Span) -> None:
        """Take over what new blocks tell."""
        for log in span.logs:
            self._take(log)
        self._prune(span.final.height)
        self._marks = kept_marks(self._marks, span)

    async def rewind(self, height: int) -> None:
        """Forget what blocks above `height` told."""
        self._marks = [mark for mark in self._marks if mark.height <= height]
        self.batches = {n: batch for n, batch in self.batches.items() if batch.block <= height}
        for batch in self.batches.values():
            batch.opened = {i: at for i, at in batch.opened.items() if at <= height}
        self.tasks = {t: task for t, task in self.tasks.items() if task.block <= height}
        for task in self.tasks.values():
            if task.closed is not None and task.closed > height:
                task.closed, task.settled = None, None

    def unopened(self) -> list[tuple[int, list[int]]]:
        """Return the batches with segments that have no task, and those segments' indices."""
        found: list[tuple[int, list[int]]] = []
        for number, batch in sorted(self.batches.items()):
            missing = [index for index in range(batch.segments) if index not in batch.opened]
            if missing:
                found.append((number, missing))
        return found

    def live(self) -> list[tuple[bytes, SeenTask]]:
        """Return the tasks that are neither settled nor recalled, the oldest first."""
        return [(task, seen) for task, seen in self.tasks.items() if seen.closed is None]

    def forget(self, batch: int, index: int) -> None:
        """Leave out a segment that can never have a task."""
        seen = self.batches.get(batch)
        if seen is not None:
            seen.opened[index] = seen.block

    def take_final(self) -> list[FinalTask]:
        """Return the settled tasks that became final since the last call."""
        found, self._final = self._final, []
        return found

    def _take(self, log: Log) -> None:
        topic, topics, data = log.topics[0], log.topics, log.data
        if topic == self._accepted.topic:
            accepted = self._accepted.decode(topics, data)
            self.batches[accepted.number] = SeenBatch(log.block, accepted.segments)
        elif topic == self._opened.topic:
            opened = self._opened.decode(topics, data)
            self.tasks[opened.task] = SeenTask(opened, log.block)
            if opened.batch in self.batches:
                self.batches[opened.batch].opened[opened.segment_index] = log.block
        elif topic == self._settled.topic:
            settled = self._settled.decode(topics, data)
            self._close(settled.task, log, settled)
        elif topic == self._recalled.topic:
            self._close(self._recalled.decode(topics, data).task, log, None)

    def _close(self, identifier: bytes, log: Log, settled: TaskSettled | None) -> None:
        task = self.tasks.get(identifier)
        if task is not None:
            task.closed, task.settled, task.transaction = log.block, settled, log.transaction

    def _prune(self, final: int) -> None:
        """Let go of what can no longer change, and keep its end for `take_final`."""
        for identifier, task in list(self.tasks.items()):
            if task.closed is None or task.closed > final:
                continue
            del self.tasks[identifier]
            if task.settled is not None:
                event = task.settled
                settled = Settled(
                    identifier, event.outputs_hash, event.pay_root, task.transaction, task.closed
                )
                self._final.append(FinalTask(settled, event, task.opened))
        self.batches = {
            number: batch
            for number, batch in self.batches.items()
            if len(batch.opened) < batch.segments or max(batch.opened.values()) > final
        }
