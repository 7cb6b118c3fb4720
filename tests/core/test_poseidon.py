"""Poseidon equals circomlib's published vectors, and the field tree commits to every leaf and to
the count.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core import poseidon
from opendepin.core.errors import EncodingRejected
from opendepin.core.statement import FIELD_MODULUS

CIRCOMLIB = {
    # circomlibjs test/poseidon.js, hash of [1, 2] and of [1, 2, 3, 4]
    (1, 2): 7853200120776062878684798364095072458815029376092732009249414926327459813530,
    (1, 2, 3, 4): 18821383157269793795438455681495246036402687001665670618754263018637548127333,
}


def test_equals_circomlib() -> None:
    assert poseidon.poseidon2(1, 2) == CIRCOMLIB[1, 2]
    assert poseidon.poseidon4(1, 2, 3, 4) == CIRCOMLIB[1, 2, 3, 4]


def test_first_and_last_constants_are_circomlibs() -> None:
    constants, matrix = poseidon.parameters(3)
    assert constants[0][0] == 0x0EE9A592BA9A9518D05986D656F40C2114C4993C11BB29938D21D47304CD8E6E
    assert len(constants) == 65
    assert matrix[0][0] == 0x109B7F411BA0E4C9B2B70CAF5C36A7B194BE7C11AD24378BFEDB68592BA8118B


@pytest.mark.parametrize("value", [-1, FIELD_MODULUS, FIELD_MODULUS + 1])
def test_refuses_what_is_no_field_element(value: int) -> None:
    assert poseidon.poseidon2(FIELD_MODULUS - 1, 0) < FIELD_MODULUS
    with pytest.raises(EncodingRejected):
        poseidon.poseidon2(value, 0)
    with pytest.raises(EncodingRejected):
        poseidon.poseidon4(0, 0, 0, value)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, FIELD_MODULUS - 1), max_size=8))
def test_tree_equals_its_definition(leaves: list[int]) -> None:
    level = leaves + [0] * (16 - len(leaves))
    while len(level) > 1:
        level = [poseidon.poseidon4(*level[i : i + 4]) for i in range(0, len(level), 4)]
    assert poseidon.field_tree_root(leaves, 2) == level[0]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8), st.data())
def test_tree_commits_to_every_leaf(leaves: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leaves) - 1))
    other = [*leaves[:at], leaves[at] + 1, *leaves[at + 1 :]]
    assert poseidon.field_tree_root(other, 2) != poseidon.field_tree_root(leaves, 2)


def test_a_trailing_empty_leaf_is_told_apart_by_the_count() -> None:
    leaves = [5, 6]
    root, padded = (poseidon.field_tree_root(some, 2) for some in (leaves, [*leaves, 0]))
    assert root == padded
    assert poseidon.field_root(root, 2) != poseidon.field_root(padded, 3)


def test_a_full_tree_takes_no_more() -> None:
    assert poseidon.field_tree_root([1] * 16, 2)
    with pytest.raises(EncodingRejected):
        poseidon.field_tree_root([1] * 17, 2)
    with pytest.raises(EncodingRejected):
        poseidon.field_tree_root([], 11)
