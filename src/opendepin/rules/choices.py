"""Choices: values that are one of a few labels, from enums, static tables and windows of time.

A `Choice` is an index of known size and a map from each index to a label or to none. The map is a
constant of the circuit, so the circuit hash, and with it the program id, commits to every table.
"""

# Projects call this without a type checker: what they give is looked at here.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from opendepin.proofs.zk.machine import Handle
from opendepin.rules.constants import is_constant, places_of, scaled
from opendepin.rules.numbers import Flag, Number, text_of
from opendepin.rules.traps import Value, refuse

MAX_PLACES = 256
"""Most entries of a table, and most groups of a figure."""


IS_ZERO_ROWS = 3
"""What comparing an index with one constant costs; telling all places apart costs a row each."""


class Choice(Value):
    """One of `labels`, or none of them."""

    __hash__ = Value.__hash__
    __slots__ = ("devices", "index", "inside", "label_of", "labels", "session")

    def __init__(
        self,
        index: Number,
        labels: Sequence[str],
        label_of: Sequence[int | None],
        inside: Flag | None = None,
        *,
        devices: bool = False,
    ) -> None:
        if not 1 <= len(label_of) <= MAX_PLACES:
            refuse(
                f"{len(label_of)} places are told apart, at most {MAX_PLACES} can be",
                "fewer devices, wider windows or bins, or a coarser table",
            )
        if not isinstance(index, Number) or index.scale or index.low < 0:
            refuse(
                "a choice is by a whole number from 0",
                "an enum field, reading.devices(n), Table([...]).choice(reading.device)",
            )
        if len(set(labels)) != len(labels):
            refuse("two labels are the same", "a label of its own for each")
        self.session, self.index, self.inside, self.devices = index.session, index, inside, devices
        self.labels, self.label_of = tuple(labels), tuple(label_of)

    def __repr__(self) -> str:
        return f"<choice of {', '.join(self.labels[:8])}{', …' if len(self.labels) > 8 else ''}>"

    def __eq__(self, other: object) -> Flag:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.one_of(other)

    def __ne__(self, other: object) -> Flag:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ~self.one_of(other)

    def one_of(self, *labels: object) -> Flag:
        """Say whether the choice is one of these labels; no row once the places are told apart."""
        if isinstance(labels[0] if labels else None, Value):
            refuse(
                "two choices have no common order to compare by",
                "compare each with a label: (a == 'x') & (b == 'x')",
            )
        wanted = {self._number(label) for label in labels}
        matching = [place for place, label in enumerate(self.label_of) if label in wanted]
        if len(matching) * IS_ZERO_ROWS < len(self.label_of):
            found = sum(((self.index == place).handle for place in matching), start=_nothing())
            flag = Flag(self.session, found)
            return flag if self.inside is None else flag & self.inside
        bits = self.places(self.session.present)
        return Flag(self.session, sum((bits[place] for place in matching), start=_nothing()))

    def places(self, gate: Flag) -> list[Handle]:
        """Return a bit per place of the index, all 0 where the gate is; about as many rows as
        places, once per gate.
        """
        size = len(self.label_of)
        parts = (self.index, self.inside, gate)
        return self.session.once(f"places {size}", parts, lambda: self._places(gate))

    def merged(self, gate: Flag) -> list[Handle]:
        """Return a bit per label, all 0 where the gate is; no more rows than `places`."""
        bits: list[Handle] = [0] * len(self.labels)
        for place, bit in enumerate(self.places(gate)):
            label = self.label_of[place]
            if label is not None:
                bits[label] = bits[label] + bit
        return bits

    def _places(self, gate: Flag) -> list[Handle]:
        index = self.index
        size = min(len(self.label_of), index.high + 1)
        never: list[Handle] = [0] * (len(self.label_of) - size)
        gate = gate if self.inside is None else gate & self.inside
        if size == 1:
            return [(gate & (index == 0)).handle, *never]
        machine, bits = self.session.machine, index.high.bit_length()
        return [*machine.one_hot(index.handle, bits, size, gate.handle), *never]

    def _number(self, label: object) -> int:
        if not isinstance(label, str) or label not in self.labels:
            refuse(
                f"{label!r} is none of the labels",
                f"one of: {', '.join(map(repr, self.labels[:12]))}",
            )
        return self.labels.index(label)


class Table:
    """A static join: constants by index, as device → region or device → class.

    Its rows are constants of the circuit; joining costs about as many rows as the table is long,
    once for all columns that are taken by the same index.
    """

    __slots__ = ("_column",)

    def __init__(self, rows: Mapping[int, object] | Sequence[object]) -> None:
        given = dict(rows) if isinstance(rows, Mapping) else dict(enumerate(rows))
        if not given or any(type(key) is not int or key < 0 for key in given):
            refuse("a table has rows by index, from 0", "Table(['north', 'south']) or {0: 'north'}")
        if max(given) >= MAX_PLACES:
            refuse(
                f"a table's last index is {max(given)}, at most {MAX_PLACES - 1} is possible",
                "a shorter table; put the column into the readings' schema if it is longer",
            )
        self._column = [given.get(key) for key in range(max(given) + 1)]

    def __len__(self) -> int:
        return len(self._column)

    def choice(self, index: Number | Choice) -> Choice:
        """Return the label that stands beside the index, none where no row does."""
        if any(not isinstance(label, str | None) for label in self._column):
            refuse("a table of labels has texts only", "number() for a table of numbers")
        labels = list(dict.fromkeys(label for label in self._column if isinstance(label, str)))
        label_of = [None if each is None else labels.index(str(each)) for each in self._column]
        return Choice(self._index(index), labels, label_of)

    def number(self, index: Number | Choice, default: int | Decimal = 0, unit: str = "") -> Number:
        """Return the number that stands beside the index, `default` where no row does."""
        column = [default if value is None else value for value in self._column]
        if any(isinstance(value, str) or not is_constant(value) for value in column):
            refuse("a table of numbers has whole numbers and Decimals", "choice() for labels")
        number = self._index(index)
        scale = max(map(places_of, [*column, default]))
        base = scaled(default, scale)
        bits = Choice(number, (), [None] * len(column)).places(number.session.present)
        found: Handle = base
        numbers = [scaled(value, scale) for value in column]
        for value, bit in zip(numbers, bits, strict=True):
            found = found + bit * (value - base)
        low, high = min(*numbers, base), max(*numbers, base)
        return Number(number.session, found, low, high, scale, unit)

    def _index(self, index: Number | Choice) -> Number:
        number = index.index if isinstance(index, Choice) else index
        if not isinstance(number, Number) or number.scale or number.low < 0:
            refuse(
                "a table is joined by a whole number from 0, or by an enum",
                "reading.device, or an enum field",
            )
        return number


def of_index(index: Number, labels: Sequence[str], inside: Flag | None = None) -> Choice:
    """Return the choice whose label i stands for index i."""
    return Choice(index, labels, range(len(labels)), inside)


def windows(time: Number, start: int, width: int, count: int, inside: str = "w") -> Choice:
    """Sort a time into `count` windows of `width` seconds from `start`; none outside of them.

    About 2 · 40 + 3 · bits(width) + count rows for a time of 40 bits.
    """
    for given, least, what in ((start, 0, "start"), (width, 1, "width"), (count, 1, "count")):
        if type(given) is not int or given < least:
            refuse(
                f"a window's {what} is a constant whole number from {least}",
                "windows(reading.observed_s, 1_356_998_400, 3_600, 24)",
            )
    if not isinstance(time, Number) or time.scale:
        refuse("windows are of a time in whole seconds", "reading.observed_s")
    found = bins(time, start, width, count)
    return of_index(found.index, [f"{inside}{number}" for number in range(count)], found.inside)


def bins(value: Number, low: object, width: object, count: int) -> Choice:
    """Sort a number into `count` bins of equal width from `low`; none outside of them.

    About 3 · bits + count rows; fewer than a histogram's edges from some ten bins on.
    """
    if not isinstance(value, Number) or type(count) is not int or count < 1:
        refuse("bins() sorts a number into a constant number", "bins(value, 0, 10, 12)")
    first, step = scaled(low, value.scale), scaled(width, value.scale)
    if step < 1:
        refuse("a bin's width is a constant above 0", "bins(value, 0, 10, 12)")
    within = ~value.below(first) & value.below(first + step * count)
    offset = value.session.machine.product(within.handle, value.handle - first)
    since = Number(value.session, offset, 0, step * count - 1)
    labels = [text_of(first + step * number, value.scale) for number in range(count)]
    return of_index(since // step, labels, within)


def hour_of_day(time: Number, offset_s: int = 0) -> Choice:
    """Return the hour 0 to 23 at a constant offset from UTC; about 110 rows for 40 bits."""
    return _of_period(time, offset_s, 86_400, 3_600, [f"h{hour:02}" for hour in range(24)])


def day_of_week(time: Number, offset_s: int = 0) -> Choice:
    """Return the day of the week at a constant offset from UTC; about 90 rows for 40 bits."""
    days = ("thu", "fri", "sat", "sun", "mon", "tue", "wed")
    return _of_period(time, offset_s, 7 * 86_400, 86_400, days)


def _of_period(
    time: Number, offset_s: int, period: int, width: int, labels: Sequence[str]
) -> Choice:
    if not isinstance(time, Number) or time.scale or type(offset_s) is not int:
        refuse("a time of day is of whole seconds", "hour_of_day(reading.observed_s, -5 * 3600)")
    return of_index((time + offset_s) % period // width, labels)


def _nothing() -> Handle:
    return 0
