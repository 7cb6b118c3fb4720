"""What the gateway needs of others; the composition root hands it in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from opendepin.core.identity import KeyChange
from opendepin.core.schema import Schema
from opendepin.dims.gateway.dues import Seen


class KeyView(Protocol):
    """The devices' states at the newest final L1 height; changed only between two steps of the
    event loop.
    """

    def current(self, device: bytes) -> KeyChange | None:
        """Return the state of a device at `identity_block`, None when it was never registered."""
        ...

    def changing(self, device: bytes) -> bool:
        """Say whether `current` is suspended or revoked by a change alone that is not final yet."""
        ...

    def identity_block(self) -> int:
        """Return the final L1 height the states are of; 0 until the first was read."""
        ...


class Heights(Protocol):
    """The L1's height."""

    def height(self) -> int:
        """Return the newest L1 height seen."""
        ...


class Inbox(Protocol):
    """What Layer 1 holds of this gateway's lanes."""

    async def covered(self, projects: Sequence[int]) -> Seen:
        """Return up to which position batches hold these lanes.

        Raises:
            PeerFault: the L1 does not answer.
        """
        ...


class Schemas(Protocol):
    """The projects that this gateway serves."""

    def schema(self, project: int) -> Schema | None:
        """Return a project's schema, None for a project it does not serve. A project's schema never
        changes.
        """
        ...

    def capacity(self, project: int) -> int:
        """Return how many messages a segment of the project takes; a larger group would fit no
        batch.
        """
        ...
