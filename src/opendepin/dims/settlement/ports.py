"""What settlement needs of others: segments of batches, Layer 1, and an outbox to send by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opendepin.chain.outbox import Intent, Outcome, State
from opendepin.core.batch import Segment
from opendepin.core.task import Task
from opendepin.dims.settlement.rules import Ready


class Segments(Protocol):
    """Segments of accepted batches, from anybody: they are checked against the inbox's hashes."""

    async def segments(self, batch: int) -> Sequence[Segment]:
        """Return a batch's segments, in order.

        Raises:
            PeerFault: nobody gives them now.
        """
        ...


class Sending(Protocol):
    """The outbox of the operator's account."""

    def submit(self, intent: Intent) -> State:
        """Keep an intent durably; the same key again changes nothing."""
        ...

    def state(self, key: str) -> State | None:
        """Return how far an intent has come; None when it is unknown."""
        ...

    async def wait(self, key: str) -> Outcome:
        """Return the outcome of an intent that has ended.

        Raises:
            Reverted: the contract refused it.
        """
        ...


@dataclass(frozen=True)
class Terms:
    """What a program pays, the fields of `IPrograms.Terms`."""

    verifier: bytes
    callback: bytes
    output_count: int
    pay_offset: int
    pay_count: int
    operator_fee: int
    unit_rate: int
    kind: int


@dataclass(frozen=True)
class Now:
    """Layer 1 as one look sees it."""

    height: int
    time: int
    """Unix seconds of the newest block."""
    final: int
    """Newest final height."""


class Contracts(Protocol):
    """What the contracts say in the newest block."""

    async def now(self) -> Now:
        """Return height, time and finality."""
        ...

    async def segment_hash(self, batch: int, index: int) -> bytes:
        """Return the segment hash that the inbox keeps."""
        ...

    async def task_at(self, batch: int, index: int) -> bytes:
        """Return the id of a segment's task, 32 zero bytes when it has none."""
        ...

    async def task(self, identifier: bytes) -> Task:
        """Return a task."""
        ...

    async def program_in_force(self, project: int, batch: int) -> bytes:
        """Return the program id that was in force for a project when the inbox took a batch, 32
        zero bytes when it had none.
        """
        ...

    async def terms(self, project: int, program: bytes) -> Terms:
        """Return a program's terms."""
        ...

    async def affordable(self, project: int, work: int) -> bool:
        """Say whether a project's free balance covers work and the protocol's share of it."""
        ...

    async def operators(self) -> Sequence[bytes]:
        """Return the operators that have not left, by seat."""
        ...

    async def owner_at(self, project: int, device_index: int) -> bytes | None:
        """Return who owns the device at an index; None when there is none or it is revoked."""
        ...

    def open_intent(self, batch: int, index: int, segment: Segment, program: bytes) -> Intent:
        """Return the intent to open a segment's task."""
        ...

    def assign_intent(self, task: bytes, attempt: int) -> Intent:
        """Return the intent to have an operator drawn."""
        ...

    def reopen_intent(self, task: bytes, attempt: int) -> Intent:
        """Return the intent to open a task again, for this attempt."""
        ...

    def decline_intent(self, task: bytes, attempt: int) -> Intent:
        """Return the intent to give a task of this attempt back."""
        ...

    def settle_many_intent(self, ready: Sequence[Ready]) -> Intent:
        """Return the intent to settle several tasks of one program."""
        ...

    def settle_intent(
        self, task: bytes, attempt: int, outputs: Sequence[int], proof: bytes
    ) -> Intent:
        """Return the intent to settle a task."""
        ...

    def claim_intent(
        self, task: bytes, device_index: int, units: int, path: Sequence[bytes]
    ) -> Intent:
        """Return the intent to claim one device's pay."""
        ...
