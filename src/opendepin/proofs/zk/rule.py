"""A rule: what turns one segment's readings into a program's outputs, with its capacity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from opendepin.core.errors import SchemaRejected
from opendepin.core.field_tree import FieldTree
from opendepin.core.journey import Reading
from opendepin.core.layout import Layout
from opendepin.core.schema import Schema
from opendepin.proofs.errors import ReadingsRejected, RuleBroken
from opendepin.proofs.zk import language

MAX_CAPACITY = 4_096
"""Most readings of one circuit."""


@dataclass(frozen=True)
class Rule:
    """What a project computes over each segment."""

    name: str
    schema: Schema
    capacity: int
    """Readings in one proof: as many as its rows leave room for below a power of two."""
    compute: Callable[[language.Reading], Sequence[language.Output]]

    def __post_init__(self) -> None:
        if not 2 <= self.capacity <= MAX_CAPACITY:
            raise RuleBroken(f"a capacity is in 2..{MAX_CAPACITY}, not {self.capacity}")

    @property
    def layout(self) -> Layout:
        """How a reading becomes lanes and words."""
        return Layout.of(self.schema)

    @property
    def tree(self) -> FieldTree:
        """What the readings of a segment commit to."""
        return FieldTree(self.layout, self.capacity)

    def resized(self, capacity: int) -> Rule:
        """Return the same rule for another number of readings."""
        return replace(self, capacity=capacity)

    def check(self, readings: Sequence[Reading]) -> None:
        """Refuse readings that the circuit does not take: none, too many, or a lane out of bounds.

        Raises:
            ReadingsRejected: the first thing that does not fit.
        """
        check_readings(self.name, self.tree, readings)


def check_readings(name: str, tree: FieldTree, readings: Sequence[Reading]) -> None:
    """Refuse readings that a circuit of such a tree does not take.

    Raises:
        ReadingsRejected: the first thing that does not fit.
    """
    if not 1 <= len(readings) <= tree.capacity:
        raise ReadingsRejected(f"{name} takes 1..{tree.capacity} readings, not {len(readings)}")
    for at, reading in enumerate(readings):
        try:
            tree.layout.stored(reading)
        except SchemaRejected as error:
            raise ReadingsRejected(f"reading {at}: {error}") from error
