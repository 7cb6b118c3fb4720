"""The checked values of a rule: what is known of each, and the operations that keep it known.

`Bit`, `Present`, `Ranged`, `Shifted` and `OneHot` are promises that hold inside a proof, so only
functions that check them make them. Rules take them from `language.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, overload

from opendepin.core.layout import Lane, Layout
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
        return Field(self.machine, self.handle + handle_of(other))

    def __sub__(self, other: Field | int) -> Field:
        return Field(self.machine, self.handle - handle_of(other))

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
        if isinstance(other, Ranged):
            bits = max(self.bits, other.bits)
            pair = (other.handle, self.handle) if swapped else (self.handle, other.handle)
            return Bit(self.machine, self.machine.less_than(*pair, bits), _CHECKED)
        if not 0 <= other <= self.maximum:
            raise RuleBroken(f"{other} cannot be compared with a value of {self.bits} bits")
        return ~self.below(other + 1) if swapped else self.below(other)

    def below(self, bound: int) -> Bit:
        """Return whether the value is below a constant, whatever it is; about n rows the first
        time, n / 2 for each further constant.
        """
        if bound <= 0 or bound > self.maximum:
            return Bit(self.machine, int(bound > 0), _CHECKED)
        return Bit(self.machine, self.machine.below(self.handle, bound, self.bits), _CHECKED)


class Shifted(Field):
    """A value of minimum..minimum + 2**bits - 1, perhaps negative: known by its distance from the
    minimum, which is `stored`.
    """

    __slots__ = ("minimum", "stored")

    def __init__(self, stored: Ranged, minimum: int) -> None:
        super().__init__(stored.machine, stored.handle + minimum, _CHECKED)
        self.stored, self.minimum = stored, minimum

    @property
    def maximum(self) -> int:
        """Largest value that can stand here."""
        return self.minimum + self.stored.maximum

    def __lt__(self, other: Shifted | int) -> Bit:
        if isinstance(other, int):
            return self.stored.below(other - self.minimum)
        low = min(self.minimum, other.minimum)
        bits = (max(self.maximum, other.maximum) - low).bit_length()
        left = self.stored.handle + (self.minimum - low)
        right = other.stored.handle + (other.minimum - low)
        return Bit(self.machine, self.machine.less_than(left, right, bits), _CHECKED)

    def __gt__(self, other: Shifted | int) -> Bit:
        return ~(self < other + 1) if isinstance(other, int) else other < self

    def __le__(self, other: Shifted | int) -> Bit:
        return self < other + 1 if isinstance(other, int) else ~(other < self)

    def __ge__(self, other: Shifted | int) -> Bit:
        return ~(self < other)


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
        gated = [self.machine.product(bit, handle_of(other)) for bit in self._bits]
        return OneHot(self.machine, gated, _CHECKED)

    def merged(self, group_of: Sequence[int], groups: int) -> OneHot:
        """Return coarser groups: place i falls into group `group_of[i]`; no row."""
        if len(group_of) != len(self._bits) or any(not 0 <= group < groups for group in group_of):
            raise RuleBroken("every place needs one group in 0..groups-1")
        totals: list[Handle] = [0] * groups
        for bit, group in zip(self._bits, group_of, strict=True):
            totals[group] = totals[group] + bit
        return OneHot(self.machine, totals, _CHECKED)


class Reading:
    """What a rule sees of one reading: `reading.device_index`, `reading["pm10"]`."""

    __slots__ = ("_lanes", "layout", "present")

    def __init__(
        self, machine: Machine, present: Handle, layout: Layout, lanes: Sequence[Handle]
    ) -> None:
        self.layout = layout
        self.present = Present(machine, present, _CHECKED)
        self._lanes = tuple(
            Ranged(machine, handle, lane.bits, _CHECKED)
            for lane, handle in zip(layout.lanes, lanes, strict=True)
        )

    @property
    def device_index(self) -> Ranged:
        """The device's index in the project."""
        return self._lanes[0]

    @property
    def observed_s(self) -> Ranged:
        """When it was observed, Unix seconds."""
        return self._lanes[1]

    @property
    def seq(self) -> Ranged:
        """The device's sequence number."""
        return self._lanes[2]

    def __getitem__(self, name: str) -> Any:
        """Return a field: a `Ranged`, a `Shifted` if its minimum is not 0, a tuple if it is an
        array.
        """
        found = self.values(name)
        return found[0] if len(found) == 1 else found

    def values(self, name: str) -> tuple[Any, ...]:
        """Return all values of a field, `Ranged` or `Shifted` each, also where there is one only.

        Raises:
            RuleBroken: the schema has no such field.
        """
        if name not in self.layout.fields:
            known = ", ".join(self.layout.fields)
            raise RuleBroken(f"the schema has no field {name!r}; there are: {known}")
        numbers = self.layout.fields[name]
        return tuple(_placed(self._lanes[at], self.layout.lanes[at]) for at in numbers)


def _placed(value: Ranged, lane: Lane) -> Ranged | Shifted:
    return Shifted(value, lane.minimum) if lane.minimum else value


def wrapped(machine: Machine, present: Handle, layout: Layout, lanes: Sequence[Handle]) -> Reading:
    """Wrap one reading for a machine, which must have checked `present` to be a bit and each lane
    to be within its bits.
    """
    return Reading(machine, present, layout, lanes)


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
    chosen = machine.product(handle_of(flag), handle_of(yes) - handle_of(no)) + handle_of(no)
    if isinstance(yes, Ranged) and isinstance(no, Ranged):
        return Ranged(machine, chosen, max(yes.bits, no.bits), _CHECKED)
    return Field(machine, chosen)


def poseidon(*inputs: Field) -> Field:
    """Hash two or four values, as `core.poseidon` does."""
    if len(inputs) not in (2, 4):
        raise RuleBroken("Poseidon here takes two or four values")
    machine = inputs[0].machine
    return Field(machine, machine.poseidon(*map(handle_of, inputs)))


def one_hot(index: Ranged, size: int, gate: Present) -> OneHot:
    """Return the place `index` of `size` where gate is 1, none if beyond. About size + 6 rows."""
    if not 1 < size <= MAX_GROUPS or size > index.maximum + 1:
        raise RuleBroken(
            f"a one-hot has 2..{MAX_GROUPS} places, and no more than its index can name"
        )
    machine = gate.machine
    return OneHot(
        machine, machine.one_hot(handle_of(index), index.bits, size, handle_of(gate)), _CHECKED
    )


def total_where(gates: Sequence[Bit], values: Sequence[Ranged]) -> Ranged:
    """Add up the values whose gate is 1; 1 row each, shared with the extremes."""
    machine, width = _pack(gates, values)
    found: Handle = 0
    for gate, value in zip(gates, values, strict=True):
        found = found + machine.product(handle_of(gate), handle_of(value))
    return Ranged(machine, found, (len(values) * ((1 << width) - 1)).bit_length(), _CHECKED)


def extremes_where(gates: Sequence[Bit], values: Sequence[Ranged]) -> tuple[Ranged, Ranged]:
    """Find the smallest and the largest value whose gate is 1, in about 3n/2 + 6 rows a value.

    Without any the largest is 0 and the smallest 2**bits - 1, which no fold over groups notices.
    """
    machine, width = _pack(gates, values)
    low, high = machine.extremes([*map(handle_of, gates)], [*map(handle_of, values)], width)
    return Ranged(machine, low, width, _CHECKED), Ranged(machine, high, width, _CHECKED)


def count_where(gates: Sequence[Bit]) -> Ranged:
    """Count the bits that are 1; no row."""
    found: Handle = 0
    for gate in gates:
        found = found + handle_of(gate)
    return Ranged(gates[0].machine, found, len(gates).bit_length(), _CHECKED)


def _pack(gates: Sequence[Bit], values: Sequence[Ranged]) -> tuple[Machine, int]:
    if not values or len(gates) != len(values):
        raise RuleBroken("each value of an array needs one gate")
    return values[0].machine, max(value.bits for value in values)


def handle_of(value: Field | int) -> Handle:
    """Return what the machine knows the value by."""
    return value if isinstance(value, int) else value.handle
