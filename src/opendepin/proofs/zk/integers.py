"""Run a rule on plain integers: what the outputs are, without any proof.

The machine here says what each gadget means; it shares no code with the constraints, and tests hold
both equal.
"""

from __future__ import annotations

from collections.abc import Sequence

from opendepin.core import poseidon
from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.errors import ReadingsRejected, RuleBroken
from opendepin.proofs.zk.language import Fold, Output
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.machine import Handle
from opendepin.proofs.zk.rule import Rule
from opendepin.proofs.zk.values import wrapped


class IntegerMachine:
    """`Machine` over integers modulo r."""

    def product(self, left: Handle, right: Handle) -> Handle:
        """Return left · right."""
        return _integer(left) * _integer(right) % FIELD_MODULUS

    def ranged(self, value: Handle, bits: int) -> Handle:
        """Return the value.

        Raises:
            ReadingsRejected: it has more than `bits` bits, so no proof exists either.
        """
        if _integer(value) >> bits:
            raise ReadingsRejected(f"a value the rule needs below 2**{bits} is {_integer(value)}")
        return value

    def less_than(self, left: Handle, right: Handle, bits: int) -> Handle:
        """Return 1 if left < right else 0."""
        return int(_integer(left) < _integer(right))

    def below(self, value: Handle, bound: int, bits: int) -> Handle:
        """Return 1 if value < bound else 0."""
        return int(_integer(value) < bound)

    def is_zero(self, value: Handle) -> Handle:
        """Return 1 if value is 0 else 0."""
        return int(_integer(value) == 0)

    def one_hot(self, index: Handle, bits: int, size: int, gate: Handle) -> list[Handle]:
        """Return `size` bits, number index holding the gate."""
        return [_integer(gate) if place == _integer(index) else 0 for place in range(size)]

    def poseidon(self, *inputs: Handle) -> Handle:
        """Return the Poseidon hash of two or four values."""
        values = [_integer(value) for value in inputs]
        return poseidon.poseidon2(*values) if len(values) == 2 else poseidon.poseidon4(*values)

    def largest(self, groups: Sequence[Handle], value: Handle, bits: int) -> list[Handle]:
        """Return the value once per group; the fold looks at the group's bit."""
        return [value for _ in groups]

    smallest = largest

    def extremes(
        self, gates: Sequence[Handle], values: Sequence[Handle], bits: int
    ) -> tuple[Handle, Handle]:
        """Return the smallest and the largest value whose gate is 1; without any 2**bits-1, 0."""
        pairs = zip(map(_integer, gates), map(_integer, values), strict=True)
        found = [value for gate, value in pairs if gate]
        return min(found, default=(1 << bits) - 1), max(found, default=0)


def outputs(rule: Rule, readings: Sequence[Reading]) -> tuple[int, ...]:
    """Return the rule's outputs over these readings.

    Raises:
        ReadingsRejected: the rule's circuit does not take them.
    """
    rule.check(readings)
    machine, layout = IntegerMachine(), rule.layout
    seen = (wrapped(machine, 1, layout, layout.stored(each)) for each in readings)
    columns = zip(*map(rule.compute, seen), strict=True)
    return tuple(_folded(column) for column in columns)


def _folded(column: Sequence[Output]) -> int:
    if column[0].fold is Fold.SUM:
        return sum(_integer(output.contribution) for output in column) % FIELD_MODULUS
    values = [_integer(output.contribution) for output in column if _integer(output.present)]
    find = max if column[0].fold is Fold.LARGEST else min
    return find(values, default=0)


def _integer(value: Handle) -> int:
    if isinstance(value, Linear):
        raise RuleBroken("a value of another machine reached the integers")
    return value % FIELD_MODULUS
