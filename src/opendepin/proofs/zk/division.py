"""Division of a ranged value by a constant, rounding down.

The quotient's bits are advice, found on the tape by multiplying with a rounded reciprocal; the
constraints know nothing of that: they say value = divisor · quotient + remainder with remainder
below the divisor, which has one solution.
"""

from __future__ import annotations

from collections.abc import Sequence

from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk import gadgets
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.trace import Trace

MAX_DIVIDEND_BITS = 124
"""Widest value that is divided: its product with the reciprocal stays below the field."""


def divided(
    trace: Trace, value: Linear, most: int, divisor: int
) -> tuple[Sequence[Linear], Sequence[Linear]]:
    """Return the bits of quotient and remainder; the value must lie in 0..most, most >= divisor.

    At most q + 2 · r + 1 rows for a quotient of q bits and a remainder of r, q + r + 1 if the
    divisor is a power of two.
    """
    width = most.bit_length()
    if not 1 < divisor <= most or width > MAX_DIVIDEND_BITS:
        raise RuleBroken(
            f"a value of at most {MAX_DIVIDEND_BITS} bits is divided by a constant from 2 up to it"
        )
    shift = width + divisor.bit_length()
    reciprocal = (1 << shift) // divisor + 1
    size = (most // divisor).bit_length()
    places = trace.temporary_bits(value * reciprocal, shift + size)[shift:]
    quotient = [gadgets.boolean(trace, trace.advise_value(place)) for place in places]
    rest = value - gadgets.weighted(quotient) * divisor
    remainder = gadgets.bits(trace, rest, (divisor - 1).bit_length())
    if divisor & (divisor - 1):

        def both(at: int) -> Linear:
            return trace.product(remainder[at], remainder[at + 1])

        trace.equal(gadgets.below(trace, remainder, divisor, both), 1)
    return quotient, remainder
