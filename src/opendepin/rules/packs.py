"""Packs: array fields of fixed length, computed with value by value.

`pack > 5` is a pack of conditions, `pack * 2` a pack of numbers; a loop over a pack runs once for
each value while the rule is traced, so it costs its rows as many times.
"""

# Projects call this without a type checker: what they give is looked at here.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast, overload

from opendepin.proofs.zk.machine import Handle
from opendepin.rules.choices import Choice
from opendepin.rules.constants import Constant, is_constant, places_of
from opendepin.rules.numbers import Flag, Number, chosen, constant
from opendepin.rules.traps import Value, refuse

MAX_LENGTH = 256
"""Most values of a pack."""

Operation = Callable[[Any, Any], Any]


class Pack(Value):
    """Some values of one kind, in a fixed order."""

    __hash__ = Value.__hash__
    __slots__ = ("items",)

    def __init__(self, items: Sequence[Number | Flag | Choice]) -> None:
        if not 1 <= len(items) <= MAX_LENGTH:
            refuse(f"a pack has 1 to {MAX_LENGTH} values, not {len(items)}", "an array field")
        kinds = {type(item) for item in items}
        if len(kinds) != 1 or not kinds <= {Number, Flag, Choice}:
            refuse("a pack has values of one kind", "Pack([a, b, c]) of numbers only")
        self.items: tuple[Any, ...] = tuple(items)

    def __repr__(self) -> str:
        return f"<pack of {len(self.items)}: {self.items[0]!r}>"

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return iter(self.items)

    def __getitem__(self, at: int) -> Any:
        if type(at) is not int or not -len(self.items) <= at < len(self.items):
            refuse(
                f"a pack of {len(self.items)} values is indexed by a constant below that",
                "pack[0], or a loop over the pack with select()",
            )
        return self.items[at]

    def _each(self, act: Operation, other: object) -> Pack:
        if isinstance(other, Pack):
            if len(other) != len(self):
                refuse(
                    f"packs of {len(self)} and {len(other)} values",
                    "packs of one length, or a single value for all",
                )
            return Pack([act(a, b) for a, b in zip(self.items, other.items, strict=True)])
        return Pack([act(item, other) for item in self.items])

    def __add__(self, other: object) -> Pack:
        return self._each(lambda a, b: a + b, other)

    def __sub__(self, other: object) -> Pack:
        return self._each(lambda a, b: a - b, other)

    def __rsub__(self, other: object) -> Pack:
        return self._each(lambda item, by: by - item, other)

    def __mul__(self, other: object) -> Pack:
        return self._each(lambda a, b: a * b, other)

    __radd__, __rmul__ = __add__, __mul__

    def __pow__(self, other: object) -> Pack:
        return self._each(lambda a, b: a**b, other)

    def __floordiv__(self, other: object) -> Pack:
        return self._each(lambda a, b: a // b, other)

    def __mod__(self, other: object) -> Pack:
        return self._each(lambda a, b: a % b, other)

    def __truediv__(self, other: object) -> Pack:
        return self._each(lambda a, b: a / b, other)

    def __lt__(self, other: object) -> Pack:
        return self._each(lambda a, b: a < b, other)

    def __le__(self, other: object) -> Pack:
        return self._each(lambda a, b: a <= b, other)

    def __gt__(self, other: object) -> Pack:
        return self._each(lambda a, b: a > b, other)

    def __ge__(self, other: object) -> Pack:
        return self._each(lambda a, b: a >= b, other)

    def __eq__(self, other: object) -> Pack:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._each(lambda a, b: a == b, other)

    def __ne__(self, other: object) -> Pack:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._each(lambda a, b: a != b, other)

    def __and__(self, other: object) -> Pack:
        return self._each(lambda a, b: a & b, other)

    def __or__(self, other: object) -> Pack:
        return self._each(lambda a, b: a | b, other)

    def __xor__(self, other: object) -> Pack:
        return self._each(lambda a, b: a ^ b, other)

    def __invert__(self) -> Pack:
        return Pack([~item for item in self.items])

    def __neg__(self) -> Pack:
        return Pack([-item for item in self.items])

    def __abs__(self) -> Pack:
        return Pack([abs(item) for item in self.items])

    def at_scale(self, scale: int) -> Pack:
        """Return the values with another number of decimals."""
        return Pack([item.at_scale(scale) for item in self.items])

    def one_of(self, *values: object) -> Pack:
        """Say of each value whether it is one of these constants."""
        return Pack([item.one_of(*values) for item in self.items])


def numbers_of(value: object, what: str) -> list[Number]:
    """Return the numbers of a number, a pack or a list; `what` names who asks.

    Raises:
        RuleRejected: something else, or numbers of different scales.
    """
    items = _items(value)
    if not items or not all(isinstance(item, Number) for item in items):
        refuse(f"{what} takes numbers", f"{what[:-2]}(reading['field']); condition.number()")
    numbers = cast(list[Number], items)
    if len({number.scale for number in numbers}) > 1:
        refuse(f"{what} of values with different decimals", "at_scale() on those with fewer")
    return numbers


def flags_of(value: object, what: str) -> list[Flag]:
    """Return the conditions of a condition, a pack or a list; `what` names who asks."""
    items = _items(value)
    if not items or not all(isinstance(item, Flag) for item in items):
        refuse(f"{what} takes conditions", "a comparison, as reading['field'] > 3")
    return cast(list[Flag], items)


def sum_of(values: object) -> Number:
    """Add up numbers of one reading; no row."""
    found, *rest = numbers_of(values, "sum_of()")
    for number in rest:
        found = found + number
    return found


def count_of(flags: object) -> Number:
    """Count the conditions of one reading that hold; no row."""
    found = flags_of(flags, "count_of()")
    handle: Handle = 0
    for flag in found:
        handle = handle + flag.handle
    return Number(found[0].session, handle, 0, len(found))


def any_of(flags: object) -> Flag:
    """Say whether one condition holds at least; 3 rows for any number of them."""
    found = flags_of(flags, "any_of()")
    return found[0] if len(found) == 1 else count_of(found) != 0


def all_of(flags: object) -> Flag:
    """Say whether all conditions hold; 3 rows for any number of them."""
    found = flags_of(flags, "all_of()")
    return found[0] if len(found) == 1 else count_of(found) == len(found)


def largest_of(*values: object) -> Number:
    """Return the largest of some numbers of one reading; bits + 3 rows for each but the first."""
    return _extreme(values, "largest_of()", lambda left, right: left < right)


def smallest_of(*values: object) -> Number:
    """Return the smallest of some numbers of one reading; bits + 3 rows for each but the first."""
    return _extreme(values, "smallest_of()", lambda left, right: right < left)


@overload
def select(condition: Flag, yes: Flag, no: Flag) -> Flag: ...


@overload
def select(condition: Flag, yes: Number | Constant, no: Number | Constant) -> Number: ...


def select(condition: Flag, yes: object, no: object) -> Number | Flag:
    """Return `yes` where the condition holds, else `no`; 1 row.

    Both are numbers of one scale, constants, or conditions.
    """
    if not isinstance(condition, Flag):
        refuse(
            f"select() chooses by a condition, not by {type(condition).__name__.lower()}",
            "select(value > 3, yes, no)",
        )
    if isinstance(yes, Flag) and isinstance(no, Flag):
        machine = condition.session.machine
        chosen_flag = machine.product(condition.handle, yes.handle - no.handle) + no.handle
        return Flag(condition.session, chosen_flag)
    scales = [value.scale for value in (yes, no) if isinstance(value, Number)]
    scale = max(scales or [places_of(value) for value in (yes, no)])
    ends = [
        constant(condition.session, end, scale) if is_constant(end) else end for end in (yes, no)
    ]
    left, right = (numbers_of(end, "select()")[0] for end in ends)
    numbers_of([left, right], "select()")
    return chosen(condition, left, right)


def limited(value: Number, low: object, high: object) -> Number:
    """Return the value, or the bound that it goes beyond; the range is then low..high."""
    bottom, top = (constant(value.session, end, value.scale) for end in (low, high))
    if bottom.low > top.low:
        refuse("limited() needs a low bound that is not above the high", "limited(value, 0, 10)")
    raised = chosen(value < low, bottom, value)
    handle = chosen(value > high, top, raised).handle
    return Number(value.session, handle, bottom.low, top.low, value.scale, value.unit)


def _extreme(values: Sequence[object], what: str, gives_way: Operation) -> Number:
    given = values[0] if len(values) == 1 else values
    scales = [item.scale for item in _items(given) if isinstance(item, Number)]
    session = next((item.session for item in _items(given) if isinstance(item, Number)), None)
    level = numbers_of(
        [
            constant(session, item, scales[0]) if session and is_constant(item) else item
            for item in _items(given)
        ],
        what,
    )
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [
            *(_met(left, right, what, gives_way) for left, right in pairs),
            *level[len(level) // 2 * 2 :],
        ]
    return level[0]


def _met(left: Number, right: Number, what: str, gives_way: Operation) -> Number:
    met = chosen(gives_way(left, right), right, left)
    find = max if what == "largest_of()" else min
    low, high = find(left.low, right.low), find(left.high, right.high)
    return Number(met.session, met.handle, low, high, met.scale, met.unit)


def _items(value: object) -> list[Any]:
    if isinstance(value, Pack):
        return [*value.items]
    return [*cast(Sequence[Any], value)] if isinstance(value, list | tuple) else [value]
