"""What the sequencer needs of others: the gateways' feeds, the registry, the stores, the inbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from opendepin.core.journey import Batched
from opendepin.core.views import FieldRoots, Identity, Projects

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
