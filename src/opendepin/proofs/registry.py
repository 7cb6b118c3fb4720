"""Find proof kinds: ours by name, others by the entry point group `opendepin.proofs`.

An entry point names a `KindFactory`. A package cannot take the name of a kind of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

from opendepin.proofs.errors import KindUnknown
from opendepin.proofs.ports import ProofKind
from opendepin.proofs.workplace import Workplace
from opendepin.proofs.zk.kind import open_zk

GROUP = "opendepin.proofs"


class KindFactory(Protocol):
    """Opens a proof kind for one program."""

    async def __call__(self, text: bytes, workplace: Workplace) -> ProofKind:
        """Open the kind for a program, given as its canonical text: data, never code.

        Raises:
            ProgramRejected: the text is no program of this kind.
        """
        ...


OURS: Mapping[str, KindFactory] = {"zk": open_zk}


def kinds() -> tuple[str, ...]:
    """Return the names of all kinds that can be opened here."""
    return tuple(sorted({*OURS, *(point.name for point in _installed())}))


def factory(kind: str) -> KindFactory:
    """Return the factory of a kind.

    Raises:
        KindUnknown: no such kind is installed, or two packages offer it.
    """
    if kind in OURS:
        return OURS[kind]
    found = [point for point in _installed() if point.name == kind]
    if len(found) != 1:
        raise KindUnknown(f"{len(found)} packages offer the proof kind {kind!r}; known: {kinds()}")
    return cast(KindFactory, found[0].load())


def _installed() -> list[EntryPoint]:
    return [point for point in entry_points(group=GROUP) if point.name not in OURS]
