"""What compute needs of others: assignments, batches, identities, programs, a taker of proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opendepin.core.batch import BatchHeader
from opendepin.core.identity import KeyChange
from opendepin.core.journey import Proven
from opendepin.core.readings import ProjectRules
from opendepin.core.task import Task
from opendepin.proofs.ports import ProofKind


@dataclass(frozen=True)
class Assignment:
    """A task that this operator was drawn for and that nobody settled yet."""

    id: bytes
    task: Task


class Assignments(Protocol):
    """What Layer 1 says."""

    async def current(self) -> Sequence[Assignment]:
        """Return the operator's unsettled assignments, as they stand in the newest block."""
        ...

    async def header_hash(self, batch: int) -> bytes:
        """Return the header hash that the inbox accepted for a batch."""
        ...


class Headers(Protocol):
    """Headers of accepted batches, from anybody: they are checked against the inbox's hash."""

    async def header(self, batch: int) -> BatchHeader:
        """Return a batch's header.

        Raises:
            PeerFault: nobody gives it now.
        """
        ...


class Bodies(Protocol):
    """Batch bodies (`Availability.read`)."""

    async def read(self, header: BatchHeader) -> bytes:
        """Return the body, verified against the header.

        Raises:
            PeerFault: too few chunks now.
        """
        ...


class Identity(Protocol):
    """The operator's own view of the device registry."""

    async def reach(self, block: int) -> None:
        """Return once every change up to this final block is known."""
        ...

    def history(self, device: bytes) -> Sequence[KeyChange]:
        """Return a device's key history, oldest first. Called from any thread."""
        ...


@dataclass(frozen=True)
class Prepared:
    """A program version that this operator can run."""

    rules: ProjectRules
    kind: ProofKind


class Programs(Protocol):
    """The programs that this operator has."""

    async def program(self, project: int, program_id: bytes) -> Prepared:
        """Return a project's program version, its keys and engine ready.

        Raises:
            Rejected: code `unknown-program`, it is not here; `program-text` or `program-frame`,
                nobody should prove it.
            PeerFault: the engine does not start now.
        """
        ...


class Results(Protocol):
    """Who takes proofs to Layer 1."""

    def put(self, proven: Proven) -> None:
        """Take a proof; the same one again changes nothing."""
        ...

    def decline(self, task_id: bytes, attempt: int) -> None:
        """Give a task back that cannot be proven here, so that another is drawn at once."""
        ...
