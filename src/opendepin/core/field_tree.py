"""The field tree: what a segment's readings commit to inside a proof (`docs/spec/encodings.md` §4).

In: readings. Out: one field element. The tree's size follows from the program alone, never from how
many readings there are, so one circuit fits every segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opendepin.core.journey import Reading
from opendepin.core.layout import Layout
from opendepin.core.poseidon import ARITY, field_root, field_tree_root


def tree_depth(words: int) -> int:
    """Return the levels of the smallest 4-ary tree with so many leaves."""
    depth, leaves = 0, 1
    while leaves < words:
        depth, leaves = depth + 1, leaves * ARITY
    return depth


@dataclass(frozen=True)
class FieldTree:
    """The tree of one program's segments."""

    layout: Layout
    capacity: int
    """Readings it has room for."""

    @property
    def depth(self) -> int:
        """Levels below the root."""
        return tree_depth(self.capacity * self.layout.words)

    def root(self, readings: Sequence[Reading]) -> int:
        """Return the field root; some milliseconds per word, the engine is far faster.

        Raises:
            SchemaRejected: a reading does not fit the layout.
            EncodingRejected: code `field-tree`, too many readings.
        """
        leaves = self.layout.pack_all(readings)
        return field_root(field_tree_root(leaves, self.depth), len(readings))
