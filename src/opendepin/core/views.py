"""What everyone who judges a batch is given beside it: keys, rules, field roots.

In and out: ports that sequencer and stores share, since both judge by one page of code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from opendepin.core.identity import KeyChange
from opendepin.core.journey import Reading
from opendepin.core.readings import ProjectRules


class Identity(Protocol):
    """The judge's own view of the device registry."""

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

    async def field_root(self, readings: Sequence[Reading], capacity: int) -> int:
        """Return the Poseidon root over the readings in a tree of `capacity` leaves, and their
        count.
        """
        ...
