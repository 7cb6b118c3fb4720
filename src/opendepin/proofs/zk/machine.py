"""What a rule runs on: one port, on integers (`integers.py`) or constraints (`constraints.py`).

A handle is an integer on the one machine and a linear expression over wires on the other; adding
handles, and scaling one by a constant, is the same code for both and needs no machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from opendepin.proofs.zk.linear import Linear

Handle = int | Linear


class Machine(Protocol):
    """What costs constraints; the preconditions are kept by the types of `language.py`."""

    def product(self, left: Handle, right: Handle) -> Handle:
        """Return left · right."""
        ...

    def ranged(self, value: Handle, bits: int) -> Handle:
        """Return the value, which must lie in 0..2**bits-1 or nothing can be proven."""
        ...

    def less_than(self, left: Handle, right: Handle, bits: int) -> Handle:
        """Return 1 if left < right else 0; both are ranged to `bits`."""
        ...

    def below(self, value: Handle, bound: int, bits: int) -> Handle:
        """Return 1 if value < bound else 0; value is ranged to `bits`, bound in 1..2**bits-1."""
        ...

    def is_zero(self, value: Handle) -> Handle:
        """Return 1 if value is 0 else 0."""
        ...

    def one_hot(self, index: Handle, bits: int, size: int, gate: Handle) -> list[Handle]:
        """Return `size` bits, number index holding the gate; index is ranged to `bits`."""
        ...

    def poseidon(self, *inputs: Handle) -> Handle:
        """Return the Poseidon hash of two or four values."""
        ...

    def largest(self, groups: Sequence[Handle], value: Handle, bits: int) -> list[Handle]:
        """Return, per group, what a fold over all readings needs to find its largest value."""
        ...

    def smallest(self, groups: Sequence[Handle], value: Handle, bits: int) -> list[Handle]:
        """Return, per group, what a fold over all readings needs to find its smallest value."""
        ...

    def extremes(
        self, gates: Sequence[Handle], values: Sequence[Handle], bits: int
    ) -> tuple[Handle, Handle]:
        """Return the smallest and the largest value whose gate is 1; without any 2**bits-1 and 0.

        Gates are bits, values are ranged to `bits`.
        """
        ...
