"""Poseidon over the BN254 scalar field with circomlib's parameters, and the field tree built from
it.

Source: Grassi et al., "Poseidon: A New Hash Function for Zero-Knowledge Proof Systems" (USENIX
Security 2021): the constants come from the Grain LFSR of its appendix E, made here rather than
copied. In: integers below r. Out: one integer below r. `docs/spec/encodings.md` fixes node and
root.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from operator import add, mul
from typing import NamedTuple

from opendepin.core.errors import EncodingRejected
from opendepin.core.statement import FIELD_MODULUS

FULL_ROUNDS = 8
PARTIAL_ROUNDS = {3: 57, 5: 60}
"""By state width t, for the S-box x^5 at 128 bits of security (table of the paper, as circomlib
uses it).
"""

EMPTY_LEAF = 0
"""What stands in a field tree where no reading is."""

ARITY = 4
"""Children of a node of the field tree."""

MAX_TREE_DEPTH = 10


class Parameters(NamedTuple):
    """The constants of one width."""

    round_constants: tuple[tuple[int, ...], ...]
    """One row of t per round."""
    matrix: tuple[tuple[int, ...], ...]
    """The t × t Cauchy matrix that mixes the lanes."""


@cache
def parameters(width: int) -> Parameters:
    """Make the constants of one state width (3 or 5) by the paper's Grain LFSR."""
    stream = _grain(width)
    rounds = FULL_ROUNDS + PARTIAL_ROUNDS[width]
    constants = tuple(tuple(_below_modulus(stream) for _ in range(width)) for _ in range(rounds))
    points = [_draw(stream) % FIELD_MODULUS for _ in range(2 * width)]
    matrix = tuple(
        tuple(
            pow(points[row] + points[width + column], -1, FIELD_MODULUS) for column in range(width)
        )
        for row in range(width)
    )
    return Parameters(constants, matrix)


def poseidon2(left: int, right: int) -> int:
    """Hash two field elements (t = 3)."""
    return _hash((left, right))


def poseidon4(a: int, b: int, c: int, d: int) -> int:
    """Hash four field elements (t = 5)."""
    return _hash((a, b, c, d))


def field_tree_root(leaves: Sequence[int], depth: int) -> int:
    """Return the root of the tree of 4**depth leaves whose first ones are given; the rest are
    `EMPTY_LEAF`.

    Raises:
        EncodingRejected: code `field-tree`, more leaves than the tree holds, or a depth outside
        0..10.
    """
    if not 0 <= depth <= MAX_TREE_DEPTH or len(leaves) > ARITY**depth:
        raise EncodingRejected(
            f"{len(leaves)} leaves do not fit a tree of depth {depth}", code="field-tree"
        )
    level = list(leaves)
    for height in range(depth):
        level += [empty_root(height)] * (-len(level) % ARITY)
        level = [poseidon4(*level[at : at + ARITY]) for at in range(0, len(level), ARITY)]
    return level[0] if level else empty_root(depth)


def field_root(tree_root: int, count: int) -> int:
    """Return the commitment to a tree and to how many readings its leaves hold."""
    return poseidon2(tree_root, count)


@cache
def empty_root(height: int) -> int:
    """Return the root of a subtree of so many levels that holds nothing."""
    if height == 0:
        return EMPTY_LEAF
    child = empty_root(height - 1)
    return poseidon4(child, child, child, child)


def _hash(inputs: Sequence[int]) -> int:
    if any(not 0 <= value < FIELD_MODULUS for value in inputs):
        raise EncodingRejected("Poseidon takes integers in 0..r-1", code="field-element")
    width = len(inputs) + 1
    constants, matrix = parameters(width)
    first_partial, first_last = FULL_ROUNDS // 2, FULL_ROUNDS // 2 + PARTIAL_ROUNDS[width]
    state = [0, *inputs]
    for number, row in enumerate(constants):
        state = list(map(add, state, row))
        if first_partial <= number < first_last:
            state[0] = _fifth_power(state[0])
        else:
            state = list(map(_fifth_power, state))
        state = [sum(map(mul, factors, state)) % FIELD_MODULUS for factors in matrix]
    return state[0]


def _fifth_power(lane: int) -> int:
    square = lane * lane % FIELD_MODULUS
    return square * square % FIELD_MODULUS * lane % FIELD_MODULUS


def _grain(width: int) -> Iterator[int]:
    """Yield the LFSR's bits: field = 1, S-box = 0, n = 254, t, both round counts, thirty ones;
    self-shrinking.
    """
    bits: list[int] = []
    fields = (
        (1, 2),
        (0, 4),
        (254, 12),
        (width, 12),
        (FULL_ROUNDS, 10),
        (PARTIAL_ROUNDS[width], 10),
    )
    for value, size in (*fields, ((1 << 30) - 1, 30)):
        bits += [value >> (size - 1 - place) & 1 for place in range(size)]

    def step() -> int:
        bit = bits[62] ^ bits[51] ^ bits[38] ^ bits[23] ^ bits[13] ^ bits[0]
        del bits[0]
        bits.append(bit)
        return bit

    for _ in range(160):
        step()
    while True:
        keep, bit = step(), step()
        if keep:
            yield bit


def _draw(stream: Iterator[int]) -> int:
    value = 0
    for _ in range(254):
        value = value << 1 | next(stream)
    return value


def _below_modulus(stream: Iterator[int]) -> int:
    """Draw until the value is below r: rejection, for the round constants only."""
    while True:
        value = _draw(stream)
        if value < FIELD_MODULUS:
            return value
