"""The gadgets: each makes values that its own constraints pin down completely.

Preconditions written here ("ranged", "a bit") are kept by the types of `language.py`, which alone
rules may use. Row counts are per call; `n` is a width in bits. Every gadget has a soundness and a
determinism test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opendepin.core import poseidon as plain
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.trace import Trace

MAX_RANGE_BITS = 252
"""Widest range check; below the field's 254 bits a decomposition is unique, and a comparison takes
one bit more.
"""

SHORTEN_EVERY = 19
"""Partial Poseidon rounds between two points where the idle lanes get wires of their own. Without
it rows grow dense
(t = 3: 240 rows with 6,722 terms); with 19 there are 244 rows with 3,223 terms, and the circuit
file halves.
"""


def boolean(trace: Trace, value: Linear) -> Linear:
    """Constrain value to 0 or 1; 1 row."""
    trace.require(value, value - 1, 0)
    return value


def bits(trace: Trace, value: Linear, width: int) -> list[Linear]:
    """Decompose into bits, low first, which also proves 0 <= value < 2**width; n + 1 rows."""
    made = [boolean(trace, bit) for bit in trace.advise_bits(value, width)]
    trace.equal(weighted(made), value)
    return made


def weighted(places: Sequence[Linear]) -> Linear:
    """Return the sum of place · 2**index; no row."""
    return Linear(
        {wire: factor << at for at, bit in enumerate(places) for wire, factor in bit.terms.items()}
    )


def unpacked(trace: Trace, word: Linear, present: Linear, width: int) -> list[Linear]:
    """Take a word of `width` bits apart, and demand 0 where nothing is present; n + 2 rows."""
    made = bits(trace, word, width)
    trace.require(word, 1 - present, 0)
    return made


def less_than(trace: Trace, left: Linear, right: Linear, width: int) -> Linear:
    """Return 1 if left < right else 0; both must be ranged to `width` bits; n + 1 rows.

    The difference plus 2**n is n bits and one above them, which says that left >= right. That one
    is what the others leave of the difference, so it needs no wire.
    """
    shifted = left - right + (1 << width)
    low = [boolean(trace, bit) for bit in trace.advise_bits(shifted, width)]
    above = (shifted - weighted(low)) * pow(2, -width, FIELD_MODULUS)
    return 1 - boolean(trace, trace.once(above))


def larger(trace: Trace, left: Linear, right: Linear, width: int) -> Linear:
    """Return the larger of two values ranged to `width` bits; n + 2 rows."""
    return select(trace, less_than(trace, left, right, width), right, left)


def below(
    trace: Trace, places: Sequence[Linear], bound: int, both: Callable[[int], Linear]
) -> Linear:
    """Return 1 if the number whose checked bits are `places` is below a constant, else 0.

    Two bits at a time, low first: the number is below if its upper digits are, or are equal and
    the rest is below. `both(i)` gives the product of bits i and i + 1, which further constants
    share; about n / 2 rows for those and n / 2 for each constant.
    """
    found = Linear({})
    for at in range(0, len(places), 2):
        digit = bound >> at & 3
        smaller, equal = _digit(places, at, digit, both)
        if digit or found.constant != 0:
            found = smaller() + trace.product(equal(), found)
    return found


def _digit(
    places: Sequence[Linear], at: int, digit: int, both: Callable[[int], Linear]
) -> tuple[Callable[[], Linear], Callable[[], Linear]]:
    """Say how to make [digit of the number < digit] and [=], as expressions over its two bits."""
    low = places[at]
    if at + 1 == len(places):
        cases = (
            (lambda: Linear({}), lambda: 1 - low),
            (lambda: 1 - low, lambda: low),
        )
        return cases[digit]
    high = places[at + 1]
    return (
        (lambda: Linear({}), lambda: 1 - low - high + both(at)),
        (lambda: 1 - low - high + both(at), lambda: low - both(at)),
        (lambda: 1 - high, lambda: high - both(at)),
        (lambda: 1 - both(at), lambda: both(at)),
    )[digit]


def extremes(
    trace: Trace, gates: Sequence[Linear], gated: Sequence[Linear], width: int
) -> tuple[Linear, Linear]:
    """Return the smallest and the largest of the values whose gate is 1; 2**width - 1 and 0 if none
    is.

    Gates must be bits, `gated` the values, ranged to `width` bits, times their gates. Values are
    compared in pairs first, so three comparisons serve two values: about 3n/2 + 5 rows a value.
    """
    most = (1 << width) - 1
    highs: list[Linear] = []
    complements: list[Linear] = []
    for at in range(0, len(gated) - 1, 2):
        (first, second), (left, right) = gates[at : at + 2], gated[at : at + 2]
        high = larger(trace, left, right, width)
        low = left + right - high
        both = trace.product(first, second)
        lowest = low + trace.product(1 - both, high - low)
        highs.append(high)
        complements.append((first + second - both) * most - lowest)
    if len(gated) % 2:
        highs.append(gated[-1])
        complements.append(gates[-1] * most - gated[-1])
    return most - _largest(trace, complements, width), _largest(trace, highs, width)


def _largest(trace: Trace, values: Sequence[Linear], width: int) -> Linear:
    level = [*values]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [
            *(larger(trace, left, right, width) for left, right in pairs),
            *level[len(level) // 2 * 2 :],
        ]
    return level[0]


def select(trace: Trace, flag: Linear, yes: Linear, no: Linear) -> Linear:
    """Return yes if flag else no; flag must be a bit; 1 row."""
    return trace.product(flag, yes - no) + no


def is_zero(trace: Trace, value: Linear) -> Linear:
    """Return 1 if value is 0 else 0; 3 rows, the last of which fixes the inverse of 0 to 0."""
    inverse = trace.advise_inverse(value)
    zero = 1 - trace.product(value, inverse)
    trace.require(value, zero, 0)
    trace.require(inverse, zero, 0)
    return zero


def one_hot(trace: Trace, index: Sequence[Linear], size: int, gate: Linear) -> list[Linear]:
    """Return `size` bits, of which number index holds `gate` and the others 0; none does when index
    >= size.

    `index` are its checked bits, low first, and gate must be a bit. The gate stands at the root of
    a tree that splits by one bit a level, so the bits exclude each other by construction; about
    size + 6 rows.
    """
    used = (size - 1).bit_length()
    if len(index) > used:
        above = is_zero(trace, sum(index[used:], Linear({})))
        gate = trace.product(gate, above)
    level = [gate]
    for place in reversed(range(used)):
        split: list[Linear] = []
        for position, node in enumerate(level):
            right = trace.product(node, index[place])
            split.append(node - right)
            if (2 * position + 1) << place < size:
                split.append(right)
        level = split
    return level


def raise_largest(
    trace: Trace, groups: Sequence[Linear], states: Sequence[Linear], value: Linear, width: int
) -> list[Linear]:
    """Return each group's state after one value: the larger of both where the group's bit is set,
    else unchanged.

    The bits must exclude each other; states and value must be ranged to `width`. 2 · groups + n + 2
    rows.
    """
    looked = sum(
        (trace.product(bit, state) for bit, state in zip(groups, states, strict=True)), Linear({})
    )
    step = trace.product(less_than(trace, looked, value, width), value - looked)
    after: list[Linear] = []
    for bit, state in zip(groups, states, strict=True):
        raised = trace.advise_product_sum(bit, step, 1, state)
        trace.require(bit, step, raised - state)
        after.append(raised)
    return after


def poseidon(trace: Trace, *inputs: Linear) -> Linear:
    """Return the Poseidon hash of two (244 rows) or four (309 rows) values."""
    width = len(inputs) + 1
    constants, matrix = plain.parameters(width)
    partial = plain.PARTIAL_ROUNDS[width]
    first_partial = plain.FULL_ROUNDS // 2
    state: list[Linear] = [Linear({}), *inputs]
    for number, row in enumerate(constants[:-1]):
        state = [_added(trace, lane, constant) for lane, constant in zip(state, row, strict=True)]
        into_partial = number - first_partial
        if not 0 <= into_partial < partial:
            state = [_fifth_power(trace, lane) for lane in state]
        else:
            if into_partial and into_partial % SHORTEN_EVERY == 0 and partial - into_partial > 2:
                state[1:] = [trace.wire(lane) for lane in state[1:]]
            state[0] = _fifth_power(trace, state[0])
        state = [_mixed(row, state) for row in matrix]
    state = [
        _added(trace, lane, constant) for lane, constant in zip(state, constants[-1], strict=True)
    ]
    return _last_round(trace, state, matrix[0])


def _added(trace: Trace, lane: Linear, constant: int) -> Linear:
    total = lane + constant
    return total if total.constant is not None else trace.once(total)


def _mixed(factors: Sequence[int], state: Sequence[Linear]) -> Linear:
    return sum((lane * factor for lane, factor in zip(state, factors, strict=True)), Linear({}))


def _fifth_power(trace: Trace, lane: Linear) -> Linear:
    constant = lane.constant
    if constant is not None:
        return Linear.of(pow(constant, 5, FIELD_MODULUS))
    square = trace.product(lane, lane)
    return trace.product(trace.product(square, square), lane)


def _last_round(trace: Trace, state: Sequence[Linear], factors: Sequence[int]) -> Linear:
    """Constrain the last S-box of lane 0 through the hash's own wire: that saves a row."""
    rest = _mixed(factors[1:], [_fifth_power(trace, lane) for lane in state[1:]])
    square = trace.product(state[0], state[0])
    fourth = trace.product(square, square)
    hashed = trace.advise_product_sum(fourth, state[0], factors[0], rest)
    trace.require(fourth, state[0], (hashed - rest) * pow(factors[0], -1, FIELD_MODULUS))
    return hashed
