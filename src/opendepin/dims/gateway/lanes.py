"""A project's lane through the gateway, its forming group, and what became of a message.

In: judged messages. Out: tickets that point into a group until it is durable, then to the receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from opendepin.core.identity import KeyChange
from opendepin.core.schema import Schema
from opendepin.core.wire import Scanned, Scanner
from opendepin.dims.gateway.errors import IndexBroken, Refusal
from opendepin.dims.gateway.rules import Sealed


class Forming:
    """A group that collects messages, then waits for the disk."""

    __slots__ = ("blocks", "ended", "refused", "scanned", "sealed", "since", "states", "waiters")

    def __init__(self, since: float) -> None:
        self.scanned: list[Scanned] = []
        self.states: list[KeyChange] = []
        self.blocks: set[int] = set()
        """Identity blocks at which its messages were judged."""
        self.refused: dict[int, Refusal] = {}
        """Messages that were refused after they had joined: the device changed, or the disk is
        full."""
        self.sealed: Sealed | None = None
        self.waiters: list[Callable[[], None]] = []
        self.ended = False
        """Every message is durable or refused."""
        self.since = since
        """Loop time of its beginning."""

    def add(self, scanned: Scanned, state: KeyChange, block: int) -> int:
        """Take in a message that was good in this state at this identity block; return its
        index.
        """
        self.scanned.append(scanned)
        self.states.append(state)
        self.blocks.add(block)
        return len(self.states) - 1

    def index_of(self, message_id: bytes) -> int | None:
        """Return where a message stands, None when it does not."""
        for index, row in enumerate(self.scanned):
            if row.message_id == message_id and index not in self.refused:
                return index
        return None

    def kept(self) -> list[Scanned]:
        """Return the messages that were not refused."""
        if not self.refused:
            return self.scanned
        return [row for index, row in enumerate(self.scanned) if index not in self.refused]

    def place(self, index: int) -> tuple[Sealed, int]:
        """Return the durable group and a message's index in it.

        Raises:
            IndexBroken: asked before the group is durable.
        """
        if self.sealed is None:
            raise IndexBroken("a receipt was asked for before its group was durable")
        if not self.refused:
            return self.sealed, index
        return self.sealed, index - sum(1 for refused in self.refused if refused < index)

    def end(self) -> None:
        """Tell who waits that every message is durable or refused."""
        self.ended = True
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter()


@dataclass
class Lane:
    """What the gateway holds of one project."""

    project: int
    schema: Schema
    scanner: Scanner
    limit: int
    """Most messages in a group of the project."""
    forming: Forming | None = None
    closed: list[Forming] = field(default_factory=list[Forming])
    """Full groups, in order, that wait for the commit."""
    committing: Sequence[Forming] = ()
    stopped: Refusal | None = None
    """What new messages are answered while Layer 1 lacks what was acknowledged before."""

    def close(self) -> None:
        """End the forming group's collecting."""
        if self.forming is not None:
            self.closed.append(self.forming)
            self.forming = None

    def in_work(self) -> list[Forming]:
        """Return the groups that are not durable yet."""
        forming = [] if self.forming is None else [self.forming]
        return [*forming, *self.closed, *self.committing]


class Ticket:
    """A message that is in a group; durable once the group has ended."""

    __slots__ = ("forming", "index", "repeated")

    def __init__(self, forming: Forming, index: int, *, repeated: bool = False) -> None:
        self.forming, self.index, self.repeated = forming, index, repeated

    def place(self) -> tuple[Sealed, int]:
        """Return the durable group and the index in it."""
        return self.forming.place(self.index)

    def outcome(self) -> Ticket | Refusal:
        """Return what became of the message once its group has ended."""
        refused = self.forming.refused
        return refused.get(self.index, self) if refused else self

    def raw(self) -> bytes:
        """Return the message's bytes as they were admitted."""
        return self.forming.scanned[self.index].raw


@dataclass(frozen=True)
class Repeat:
    """A message that was durable before: its group and index there."""

    sealed: Sealed
    index: int

    repeated = True

    def place(self) -> tuple[Sealed, int]:
        """Return the durable group and the index in it."""
        return self.sealed, self.index

    def raw(self) -> bytes:
        """Return the message's bytes as they were admitted."""
        return self.sealed.group.messages[self.index]


Outcome: TypeAlias = Ticket | Repeat | Refusal
"""What became of a message."""
