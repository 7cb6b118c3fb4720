"""Numbers and flags: fixed-point decimals that know their least and largest value, and 0-or-1.

A `Number` is an integer times 10**-scale. Adding costs no row, a product of two numbers one,
comparing about as many as the value has bits, half of that with a constant. Rounding is always
down (floor), and only `//`, `%` and `at_scale` round.
"""

from __future__ import annotations

from typing import Any, NoReturn

from opendepin.proofs.zk.machine import Handle
from opendepin.rules.constants import MAX_SCALE, is_constant, places_of, scaled
from opendepin.rules.session import MAX_BITS, Session, checked
from opendepin.rules.traps import Value, refuse

MAX_POWER = 4
"""Largest exponent of `**`."""


class Flag(Value):
    """A condition: 1 or 0. Combine with `&`, `|`, `^`, `~`."""

    __hash__ = Value.__hash__
    __slots__ = ("handle", "session")

    def __init__(self, session: Session, handle: Handle) -> None:
        self.session, self.handle = session, checked(handle, 0, 1)

    def __repr__(self) -> str:
        return "<condition>"

    def __and__(self, other: object) -> Flag:
        return Flag(self.session, self._both(_flag(other, self, "&")))

    def __or__(self, other: object) -> Flag:
        right = _flag(other, self, "|")
        return Flag(self.session, self.handle + right.handle - self._both(right))

    def __xor__(self, other: object) -> Flag:
        right = _flag(other, self, "^")
        return Flag(self.session, self.handle + right.handle - self._both(right) * 2)

    def __invert__(self) -> Flag:
        return Flag(self.session, 1 - self.handle)

    def __eq__(self, other: object) -> Flag:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ~(self ^ other)

    def __ne__(self, other: object) -> Flag:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self ^ other

    def number(self) -> Number:
        """Return the condition as the number 1 or 0; no row."""
        return Number(self.session, self.handle, 0, 1)

    def _both(self, other: Flag) -> Handle:
        return self.session.machine.product(self.handle, other.handle)

    def _refused(self, other: object) -> NoReturn:
        refuse("a condition is no number", "condition.number() is 1 or 0")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refused
    __lt__ = __gt__ = __le__ = __ge__ = __truediv__ = __floordiv__ = _refused


class Number(Value):
    """A fixed-point decimal within a known range."""

    __hash__ = Value.__hash__
    __slots__ = ("handle", "high", "known_bits", "low", "scale", "session", "unit")

    def __init__(
        self,
        session: Session,
        handle: Handle,
        low: int,
        high: int,
        scale: int = 0,
        unit: str = "",
        *,
        known_bits: bool = False,
    ) -> None:
        if (high - low).bit_length() > MAX_BITS or max(abs(low), abs(high)).bit_length() > MAX_BITS:
            refuse(
                f"a value of this line can reach {max(abs(low), abs(high)):.3g}, "
                f"which is wider than {MAX_BITS} bits",
                "at_scale() with fewer decimals first, or narrower bounds in the schema",
            )
        self.session, self.low, self.high = session, low, high
        self.handle = checked(handle, low, high)
        self.scale, self.unit, self.known_bits = scale, unit, known_bits

    @property
    def bits(self) -> int:
        """How many bits tell the value from its least."""
        return max(1, (self.high - self.low).bit_length())

    @property
    def least(self) -> str:
        """The least value, as a decimal text."""
        return text_of(self.low, self.scale)

    @property
    def largest(self) -> str:
        """The largest value, as a decimal text."""
        return text_of(self.high, self.scale)

    def __repr__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"<number {self.least} to {self.largest}{unit}, {self.scale} decimals>"

    # -- arithmetic

    def __add__(self, other: object) -> Number:
        right = _alike(other, self, "+")
        return self._of(
            self.handle + right.handle, self.low + right.low, self.high + right.high, self.scale
        )

    def __sub__(self, other: object) -> Number:
        right = _alike(other, self, "-")
        return self._of(
            self.handle - right.handle, self.low - right.high, self.high - right.low, self.scale
        )

    def __rsub__(self, other: object) -> Number:
        return _alike(other, self, "-") - self

    def __neg__(self) -> Number:
        return self._of(0 - self.handle, -self.high, -self.low, self.scale)

    def __mul__(self, other: object) -> Number:
        right = _any(other, self, "*")
        scale = self.scale + right.scale
        if scale > MAX_SCALE:
            refuse(
                f"the product has {scale} decimals, more than {MAX_SCALE}",
                "at_scale() with fewer decimals before multiplying",
            )
        ends = [a * b for a in (self.low, self.high) for b in (right.low, right.high)]
        low, high = min(ends), max(ends)
        if right is self:
            low = 0 if self.low <= 0 <= self.high else min(ends)
        unit = self.unit if right.unit == "" else right.unit if self.unit == "" else ""
        product = self.session.machine.product(self.handle, right.handle)
        return Number(self.session, product, low, high, scale, unit)

    def __pow__(self, power: object) -> Number:
        if type(power) is not int or not 1 <= power <= MAX_POWER:
            refuse("a power is a constant", f"value ** 2, up to {MAX_POWER}")
        found = self
        for _ in range(power - 1):
            found = self * found
        return found

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: object) -> NoReturn:
        if isinstance(other, Value):
            refuse(
                "dividing by a reading's value has no exact result inside a proof",
                "ratio(total(a), total(b)) for figures; a > b * 2 to compare a quotient",
            )
        refuse(
            "`/` would have to round, and every rounding is spelt out here",
            "value // constant (whole parts, rounded down), or multiply by a Decimal",
        )

    def __rtruediv__(self, other: object) -> NoReturn:
        self.__truediv__(self)

    def __floordiv__(self, other: object) -> Number:
        return self._divided(other, "//")[0]

    def __mod__(self, other: object) -> Number:
        return self._divided(other, "%")[1]

    def __divmod__(self, other: object) -> tuple[Number, Number]:
        return self._divided(other, "divmod()")

    def __rfloordiv__(self, other: object) -> NoReturn:
        self.__truediv__(self)

    __rmod__ = __rdivmod__ = __rfloordiv__

    def __abs__(self) -> Number:
        if self.low >= 0:
            return self
        return Number(
            self.session,
            chosen(self.below(0), -self, self).handle,
            0 if self.high >= 0 else -self.high,
            max(-self.low, self.high),
            self.scale,
            self.unit,
        )

    def at_scale(self, scale: int) -> Number:
        """Return the value with another number of decimals: more costs no row, fewer rounds down.

        Rounding down costs about as many rows as the value has bits, plus twice the cut ones.
        """
        if type(scale) is not int or not 0 <= scale <= MAX_SCALE:
            refuse(f"a scale is a constant of 0..{MAX_SCALE}", "value.at_scale(2)")
        if scale >= self.scale:
            factor = 10 ** (scale - self.scale)
            return self._of(self.handle * factor, self.low * factor, self.high * factor, scale)
        quotient, _ = _divide(self, 10 ** (self.scale - scale))
        return self._of(
            quotient.handle, quotient.low, quotient.high, scale, known=quotient.known_bits
        )

    # -- comparisons

    def __lt__(self, other: object) -> Flag:
        if is_constant(other):
            return self.below(self._constant(other))
        right = _alike(other, self, "<")
        low, high = min(self.low, right.low), max(self.high, right.high)
        bits = max(1, (high - low).bit_length())
        left_handle, right_handle = self.handle - low, right.handle - low
        return Flag(self.session, self.session.machine.less_than(left_handle, right_handle, bits))

    def __ge__(self, other: object) -> Flag:
        return ~(self < other)

    def __gt__(self, other: object) -> Flag:
        if is_constant(other):
            return ~self.below(self._constant(other) + 1)
        return _alike(other, self, ">") < self

    def __le__(self, other: object) -> Flag:
        return ~(self > other)

    def __eq__(self, other: object) -> Flag:  # pyright: ignore[reportIncompatibleMethodOverride]
        right = _alike(other, self, "==")
        return Flag(self.session, self.session.machine.is_zero(self.handle - right.handle))

    def __ne__(self, other: object) -> Flag:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ~(self == other)

    def one_of(self, *values: object) -> Flag:
        """Say whether the value is one of these constants; 3 rows each."""
        if len({self._constant(value) for value in values}) != len(values) or not values:
            refuse("one_of() takes different constants", "value.one_of(1, 2, 3)")
        found: Handle = 0
        for value in values:
            found = found + (self == value).handle
        return Flag(self.session, found)

    def between(self, low: object, high: object) -> Flag:
        """Say whether low <= value < high."""
        return (self >= low) & (self < high)

    # -- inside

    def taken_apart(self) -> Number:
        """Return the value with its bits at hand, which makes comparing with many constants
        cheaper; as many rows as bits, plus one.
        """
        if not self.known_bits:
            self.session.machine.ranged(self.handle - self.low, self.bits)
            self.known_bits = True
        return self

    def _constant(self, value: object) -> int:
        return scaled(value, self.scale)

    def below(self, bound: int) -> Flag:
        """Say whether the value's integer is below a constant integer; no row if it always is or
        never.
        """
        if bound <= self.low or bound > self.high:
            return Flag(self.session, int(bound > self.high))
        machine = self.session.machine
        return Flag(
            self.session, machine.below(self.handle - self.low, bound - self.low, self.bits)
        )

    def _divided(self, other: object, sign: str) -> tuple[Number, Number]:
        if not is_constant(other):
            refuse(
                f"`{sign}` by a reading's value has no cheap proof",
                "a constant divisor; ratio(total(a), total(b)) for figures",
            )
        scale = max(self.scale, places_of(other))
        divisor = scaled(other, scale)
        if divisor <= 0:
            refuse(f"`{sign}` needs a constant above 0", f"value {sign} 3600")
        return _divide(self.at_scale(scale), divisor)

    def _of(
        self, handle: Handle, low: int, high: int, scale: int, *, known: bool = False
    ) -> Number:
        return Number(self.session, handle, low, high, scale, self.unit, known_bits=known)


def chosen(flag: Flag, yes: Number, no: Number) -> Number:
    """Return yes where flag is 1, else no; one scale, 1 row."""
    handle = flag.session.machine.product(flag.handle, yes.handle - no.handle) + no.handle
    low, high = min(yes.low, no.low), max(yes.high, no.high)
    unit = yes.unit if no.unit in (yes.unit, "") else no.unit if yes.unit == "" else ""
    return Number(flag.session, handle, low, high, yes.scale, unit)


def constant(session: Session, value: object, scale: int | None = None) -> Number:
    """Return a constant as a number, with its own decimals or the given."""
    scale = places_of(value) if scale is None else scale
    whole = scaled(value, scale)
    return Number(session, whole, whole, whole, scale)


def text_of(value: int, scale: int) -> str:
    """Write value · 10**-scale as a decimal text, exactly."""
    sign, digits = "-" * (value < 0), str(abs(value)).rjust(scale + 1, "0")
    return sign + (f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits)


def _divide(value: Number, divisor: int) -> tuple[Number, Number]:
    """Divide a value's integer by a positive constant, rounding down."""
    session, first, last = value.session, value.low // divisor, value.high // divisor
    base = first * divisor
    shifted, most = value.handle - base, value.high - base
    if first == last or divisor == 1:
        known = value.known_bits and base == value.low
        whole, rest = (shifted, 0) if divisor == 1 else (0, shifted)
        top = 0 if divisor == 1 else most
        return (
            Number(session, whole + first, first, last, known_bits=known),
            Number(session, rest, value.low - base, top, value.scale, value.unit),
        )
    quotient, remainder = session.machine.divided(shifted, most, divisor)
    return (
        Number(session, quotient + first, first, last, known_bits=True),
        Number(session, remainder, 0, divisor - 1, value.scale, value.unit, known_bits=True),
    )


def _any(other: object, beside: Any, sign: str) -> Number:
    if is_constant(other):
        return constant(beside.session, other)
    if isinstance(other, Flag):
        refuse("a condition is no number", "condition.number() is 1 or 0")
    if not isinstance(other, Number):
        refuse(
            f"`{sign}` takes a number of the reading or a constant, not {_kind(other)}",
            "a Number, a whole number or a Decimal",
        )
    if other.session is not beside.session:
        refuse(
            "this value was kept from another run of the rule",
            "compute everything from the reading that compute() is given",
        )
    return other


def _alike(other: object, beside: Number, sign: str) -> Number:
    if is_constant(other):
        return constant(beside.session, other, beside.scale)
    right = _any(other, beside, sign)
    if right.scale != beside.scale:
        finer = max(right.scale, beside.scale)
        refuse(
            f"`{sign}` of values with {beside.scale} and {right.scale} decimals",
            f"value.at_scale({finer}) on the one with fewer, which costs nothing",
        )
    return right


def _flag(other: object, beside: Flag, sign: str) -> Flag:
    if not isinstance(other, Flag):
        refuse(
            f"`{sign}` takes two conditions, not {_kind(other)}",
            f"brackets around each comparison: (a < b) {sign} (c < d)",
        )
    if other.session is not beside.session:
        refuse(
            "this condition was kept from another run of the rule",
            "compute everything from the reading that compute() is given",
        )
    return other


def _kind(value: object) -> str:
    return type(value).__name__.lower()
