"""What identity is to other rooms, and what it needs of Layer 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opendepin.chain.ports import Final
from opendepin.core.identity import KeyChange


@dataclass(frozen=True)
class Entry:
    """One change as the registry's event tells it."""

    change: KeyChange
    accumulator: bytes
    """What the contract's accumulator of the device is after it."""


@dataclass(frozen=True)
class Project:
    """A project as it was registered."""

    project: int
    owner: bytes
    """Address of who registered it; the token may have moved since."""
    name: str
    metadata_hash: bytes


@dataclass(frozen=True)
class Changes:
    """What happened in the registry in a span of blocks, in order."""

    entries: tuple[Entry, ...]
    projects: tuple[Project, ...]


class Registry(Protocol):
    """The registry contracts on Layer 1, as the follower reads them.

    Every method raises a `PeerFault` when the node is away or says what cannot be.
    """

    async def height(self) -> int:
        """Return the height of the newest block."""
        ...

    async def final(self) -> Final:
        """Return the newest final block; its height never goes back."""
        ...

    async def hash_at(self, height: int) -> bytes | None:
        """Return the hash of the block that stands at a height now; None above the head."""
        ...

    async def changes(self, first: int, last: int) -> Changes:
        """Return what the registry's events tell of the blocks first..last."""
        ...


class KeyHistory(Protocol):
    """Every device's keys, as gateway, stores and verifiers see them."""

    def current(self, device: bytes) -> KeyChange | None:
        """Return the state a device may be trusted with now; None when it is unknown."""
        ...

    def identity_block(self) -> int:
        """Return the newest final height that is applied; never decreases."""
        ...

    def history(self, device: bytes) -> Sequence[KeyChange]:
        """Return a device's final history, oldest first; empty when it is unknown."""
        ...

    def key_at(self, device: bytes, block: int, project: int) -> KeyChange:
        """Return the state at an identity block when the device may speak for the project."""
        ...

    async def reach(self, block: int) -> None:
        """Return once every change up to this final block is applied."""
        ...
