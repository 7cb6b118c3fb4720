"""The language of rules: checked values of one reading, and outputs folded over all readings.

A rule is an ordinary function `compute(reading) -> [Output, ...]`, run once on integers per reading
(`integers.py`) and traced once into constraints (`constraints.py`). `Bit`, `Present`, `Ranged` and
`OneHot` are promises that hold inside a proof, so only functions that check them make them.
Everything an output counts hangs on `reading.present`: what stands in the padding of a circuit can
never reach a result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn, overload

from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk.machine import Handle, Machine

_CHECKED = object()
"""Whoever holds it has checked the promise; it never leaves this module."""

MAX_GROUPS = 256
"""Most places of a `OneHot`."""


class Field:
    """A value of the scalar field, of which nothing is known."""

    __slots__ = ("handle", "machine")
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(self, machine: Machine, handle: Handle, checked: object = None) -> None:
        if type(self) is not Field and checked is not _CHECKED:
            raise RuleBroken(
                f"{type(self).__name__} is made only by what checks it, as ranged() and a < b do"
            )
        self.machine, self.handle = machine, handle

    def __add__(self, other: Field | int) -> Field:
        return Field(self.machine, self.handle + _handle(other))

    def __sub__(self, other: Field | int) -> Field:
        return Field(self.machine, self.handle - _handle(other))

    def __mul__(self, other: Field | int) -> Field:
        if isinstance(other, int):
            return Field(self.machine, self.handle * other)
        return Field(self.machine, self.machine.product(self.handle, other.handle))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: int) -> Field:
        return Field(self.machine, other - self.handle)

    def __eq__(self, other: object) -> Bit:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not isinstance(other, Field | int):
            raise RuleBroken(f"cannot compare a field element with {type(other).__name__}")
        return Bit(self.machine, self.machine.is_zero((self - other).handle), _CHECKED)

    def __ne__(self, other: object) -> Bit:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ~(self == other)

    def __bool__(self) -> NoReturn:
        raise RuleBroken("a rule cannot branch on a value: use select(), a bit, or a group")


class Bit(Field):
    """0 or 1."""

    def __and__(self, other: Bit) -> Bit:
        return (
            other & self
            if isinstance(other, Present)
            else Bit(self.machine, self._both(other), _CHECKED)
        )

    def __or__(self, other: Bit) -> Bit:
        return Bit(self.machine, self.handle + other.handle - self._both(other), _CHECKED)

    def __invert__(self) -> Bit:
        return Bit(self.machine, 1 - self.handle, _CHECKED)

    def _both(self, other: Bit) -> Handle:
        return self.machine.product(self.handle, other.handle)


class Present(Bit):
    """A bit that is 0 wherever no reading stands: the only kind an output counts."""

    def __and__(self, other: Bit) -> Present:
        return Present(self.machine, self._both(other), _CHECKED)


class Ranged(Field):
    """A value in 0..2**bits-1; the only kind that can be ordered."""

    __slots__ = ("bits",)

    def __init__(self, machine: Machine, handle: Handle, bits: int, checked: object = None) -> None:
        super().__init__(machine, handle, checked)
        self.bits = bits

    @property
    def maximum(self) -> int:
        """Largest value that can stand here."""
        return (1 << self.bits) - 1

    def __lt__(self, other: Ranged | int) -> Bit:
        return self._ordered(other, swapped=False)

    def __gt__(self, other: Ranged | int) -> Bit:
        return self._ordered(other, swapped=True)

    def __le__(self, other: Ranged | int) -> Bit:
        return ~(self > other)

    def __ge__(self, other: Ranged | int) -> Bit:
        return ~(self < other)

    def _ordered(self, other: Ranged | int, *, swapped: bool) -> Bit:
        bits = self.bits
        if isinstance(other, Ranged):
            bits = max(bits, other.bits)
        elif not 0 <= other <= self.maximum:
            raise RuleBroken(f"{other} cannot be compared with a value of {bits} bits")
        left, right = (_handle(other), self.handle) if swapped else (self.handle, _handle(other))
        return Bit(self.machine, self.machine.less_than(left, right, bits), _CHECKED)


class OneHot:
    """Present bits of which at most one is 1: a reading's place among groups."""

    __slots__ = ("_bits", "machine")

    def __init__(self, machine: Machine, bits: Sequence[Handle], checked: object = None) -> None:
        if checked is not _CHECKED:
            raise RuleBroken("OneHot is made only by one_hot() and from another OneHot")
        self.machine, self._bits = machine, tuple(bits)

    def __len__(self) -> int:
        return len(self._bits)

    def __iter__(self) -> Iterator[Present]:
        return (Present(self.machine, bit, _CHECKED) for bit in self._bits)

    def __and__(self, other: Bit) -> OneHot:
        """Keep the place only where `other` is 1; one row a place."""
        gated = [self.machine.product(bit, _handle(other)) for bit in self._bits]
        return OneHot(self.machine, gated, _CHECKED)

    def merged(self, group_of: Sequence[int], groups: int) -> OneHot:
        """Return coarser groups: place i falls into group `group_of[i]`; no row."""
        if len(group_of) != len(self._bits) or any(not 0 <= group < groups for group in group_of):
            raise RuleBroken("every place needs one group in 0..groups-1")
        totals: list[Handle] = [0] * groups
        for bit, group in zip(self._bits, group_of, strict=True):
            totals[group] = totals[group] + bit
        return OneHot(self.machine, totals, _CHECKED)


class Fold(Enum):
    """How one output comes from all readings."""

    SUM = "sum"
    LARGEST = "largest"
    SMALLEST = "smallest"


@dataclass(frozen=True)
class Output:
    """One number of the result, folded over all readings."""

    fold: Fold
    contribution: Handle
    present: Handle
    """The bit of the reading's group: a largest or smallest value is 0 if it is never set."""
    maximum: int
    """Largest contribution of one reading."""


@dataclass(frozen=True)
class Reading:
    """What a rule sees of one reading; the four lanes are what the field root commits to."""

    present: Present
    device_index: Field
    seq: Field
    observed_s: Field
    value: Field


def wrapped(machine: Machine, present: Handle, lanes: Sequence[Handle]) -> Reading:
    """Wrap one reading for a machine, which must have checked `present` to be a bit."""
    return Reading(Present(machine, present, _CHECKED), *(Field(machine, lane) for lane in lanes))


def ranged(value: Field, bits: int) -> Ranged:
    """Check 0 <= value < 2**bits; no proof exists for a reading where not. n + 1 rows."""
    machine, handle = value.machine, value.handle
    return Ranged(machine, machine.ranged(handle, bits), bits, _CHECKED)


@overload
def select(flag: Bit, yes: Ranged, no: Ranged) -> Ranged: ...


@overload
def select(flag: Bit, yes: Field, no: Field) -> Field: ...


def select(flag: Bit, yes: Field, no: Field) -> Field:
    """Return yes where flag is 1 and no where it is 0; ranged if both are. 1 row."""
    machine = flag.machine
    chosen = machine.product(_handle(flag), _handle(yes) - _handle(no)) + _handle(no)
    if isinstance(yes, Ranged) and isinstance(no, Ranged):
        return Ranged(machine, chosen, max(yes.bits, no.bits), _CHECKED)
    return Field(machine, chosen)


def poseidon(*inputs: Field) -> Field:
    """Hash two or four values, as `core.poseidon` does."""
    if len(inputs) not in (2, 4):
        raise RuleBroken("Poseidon here takes two or four values")
    machine = inputs[0].machine
    return Field(machine, machine.poseidon(*map(_handle, inputs)))


def one_hot(index: Ranged, size: int, gate: Present) -> OneHot:
    """Return the place `index` of `size` where gate is 1, none if beyond. About size + 6 rows."""
    if not 1 < size <= MAX_GROUPS or size > index.maximum + 1:
        raise RuleBroken(
            f"a one-hot has 2..{MAX_GROUPS} places, and no more than its index can name"
        )
    machine = gate.machine
    return OneHot(
        machine, machine.one_hot(_handle(index), index.bits, size, _handle(gate)), _CHECKED
    )


def count(bit: Present) -> Output:
    """Count the readings whose bit is 1; no row per reading."""
    return Output(Fold.SUM, _handle(bit), _handle(bit), 1)


def counts(groups: OneHot) -> list[Output]:
    """Count the readings of each group."""
    return [count(bit) for bit in groups]


def total(bit: Present, value: Ranged) -> Output:
    """Add up the values of the readings whose bit is 1; 1 row per reading."""
    machine = bit.machine
    return Output(
        Fold.SUM, machine.product(_handle(bit), _handle(value)), _handle(bit), value.maximum
    )


def totals(groups: OneHot, value: Ranged) -> list[Output]:
    """Add up the values of each group."""
    return [total(bit, value) for bit in groups]


def largest(groups: OneHot, value: Ranged) -> list[Output]:
    """Find each group's largest value, 0 if it has none; 2 · groups + n + 3 rows per reading."""
    return _extreme(Fold.LARGEST, groups, value)


def smallest(groups: OneHot, value: Ranged) -> list[Output]:
    """Find each group's smallest value, 0 if it has none; 2 · groups + n + 3 rows per reading."""
    return _extreme(Fold.SMALLEST, groups, value)


def _extreme(fold: Fold, groups: OneHot, value: Ranged) -> list[Output]:
    machine = groups.machine
    bits = [_handle(bit) for bit in groups]
    find = machine.largest if fold is Fold.LARGEST else machine.smallest
    found = find(bits, _handle(value), value.bits)
    return [
        Output(fold, handle, bit, value.maximum) for handle, bit in zip(found, bits, strict=True)
    ]


def _handle(value: Field | int) -> Handle:
    return value if isinstance(value, int) else value.handle
