"""What the sequencer needs of others: the gateways' feeds, the registry, the stores, the inbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from opendepin.core.field_tree import FieldTree
from opendepin.core.identity import KeyChange
from opendepin.core.journey import Batched, Reading
from opendepin.core.readings import ProjectRules

Earlier = Callable[[int], Awaitable[Batched]]
"""Gives a sealed batch by number."""


class GroupFeed(Protocol):
    """One gateway's commit groups, in the order it made them."""

    async def after(self, number: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return up to `limit` groups `(number, group bytes)` with numbers above `number`,
        ascending.

        Raises:
            PeerFault: the gateway does not answer.
        """
        ...


class Identity(Protocol):
    """The sequencer's own view of the device registry."""

    def identity_block(self) -> int:
        """Return the final L1 height up to which the view holds every change."""
        ...

    def history(self, device: bytes) -> Sequence[KeyChange]:
        """Return a device's key history, oldest first; empty when unknown. Called from any
        thread.
        """
        ...


class Projects(Protocol):
    """The rules of the network's projects."""

    def rules(self, project: int) -> ProjectRules:
        """Return a project's rules. Called from any thread.

        Raises:
            Rejected: code `unknown-project`.
        """
        ...


class FieldRoots(Protocol):
    """Computes the commitment that a zk program's circuit opens."""

    async def field_root(self, readings: Sequence[Reading], tree: FieldTree) -> int:
        """Return the root of the readings' words in a program's tree, and their count."""
        ...


class Dispersal(Protocol):
    """The availability layer, as far as batches go there."""

    async def disperse(self, batch: Batched, earlier: Earlier) -> tuple[bytes, ...]:
        """Bring a batch to the stores; return t attestations by ascending attester address.

        Raises:
            PeerFault: the threshold cannot be reached now.
        """
        ...


@dataclass(frozen=True)
class InboxState:
    """What the inbox contract holds."""

    count: int
    """Batches accepted, in the newest block."""
    head: bytes
    """Hash of the last header; the network id while there is none."""
    final_count: int
    """Batches accepted in the newest final block."""


class Inbox(Protocol):
    """The inbox contract behind an outbox that keeps the order of what it is given."""

    async def state(self) -> InboxState:
        """Return what the contract holds now.

        Raises:
            PeerFault: the L1 does not answer.
        """
        ...

    async def inbox_block(self, number: int) -> int:
        """Return the L1 height at which an accepted batch was accepted."""
        ...

    async def submit(self, batch: Batched, attestations: Sequence[bytes]) -> None:
        """Hand a batch over to be sent; may be called again for the same batch, and after a
        rollback must be.

        Raises:
            InboxRefused: the contract would refuse it.
            PeerFault: the L1 does not answer.
        """
        ...


@dataclass(frozen=True)
class Views:
    """What a sequencer knows of the network besides the groups."""

    identity: Identity
    projects: Projects
    field_roots: FieldRoots
    data_root: Callable[[bytes], bytes]
    """The data root of a body under the network's code; blocking, called from a thread."""
