"""The Merkle trees equal RFC 9162's definition; no place or path but the true one holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core import merkle
from opendepin.core.errors import ProofRejected

leaf_lists = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True)


def rfc_root(leaves: list[bytes]) -> bytes:
    """Compute MTH of RFC 9162 §2.1.1 as it is written there, over leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(rfc_root(leaves[:split]), rfc_root(leaves[split:]))


def reached(leaf: bytes, index: int, count: int, siblings: list[bytes]) -> bytes | None:
    """Give the root a path leads to, or None where its length is refused."""
    try:
        return merkle.root_of_path(leaf, index, count, siblings)
    except ProofRejected:
        return None


@given(leaf_lists)
def test_root_equals_the_definition(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == rfc_root(leaves)


@given(leaf_lists, st.data())
def test_only_the_true_place_holds(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    top, siblings = merkle.root(leaves), merkle.path(leaves, index)
    assert merkle.root_of_path(leaves[index], index, len(leaves), siblings) == top
    other = data.draw(st.integers(0, len(leaves) - 1))
    if other != index:
        assert reached(leaves[index], other, len(leaves), siblings) != top
    with pytest.raises(ProofRejected):
        merkle.root_of_path(leaves[index], index, len(leaves), [*siblings, bytes(32)])
    if siblings:
        with pytest.raises(ProofRejected):
            merkle.root_of_path(leaves[index], index, len(leaves), siblings[:-1])
        assert merkle.root_of_path(bytes(32), index, len(leaves), siblings) != top


def test_a_node_does_not_pass_for_a_leaf() -> None:
    leaves = [merkle.leaf_hash(bytes([i])) for i in range(4)]
    inner = leaves[0] + leaves[1]
    assert merkle.leaf_hash(inner) != merkle.node_hash(leaves[0], leaves[1])
    assert merkle.root(
        [merkle.node_hash(*leaves[:2]), merkle.node_hash(*leaves[2:])]
    ) == merkle.root(leaves)
    with pytest.raises(ProofRejected):
        merkle.root_of_path(merkle.node_hash(*leaves[:2]), 0, 4, [merkle.node_hash(*leaves[2:])])


@pytest.mark.parametrize(("index", "count"), [(-1, 3), (3, 3), (0, 0)])
def test_places_outside_are_refused(index: int, count: int) -> None:
    with pytest.raises(ProofRejected):
        merkle.root_of_path(bytes(32), index, count, [])


def test_pay_leaf_binds_each_field() -> None:
    base = merkle.pay_leaf(b"\1" * 32, 3, 17)
    assert len({base, merkle.pay_leaf(b"\2" * 32, 3, 17), merkle.pay_leaf(b"\1" * 32, 4, 17)}) == 3
    assert merkle.pay_leaf(b"\1" * 32, 3, 18) != base
    leaves = [merkle.pay_leaf(bytes(32), i, i) for i in range(5)]
    top = merkle.root(leaves, merkle.pay_node)
    path = merkle.path(leaves, 4, merkle.pay_node)
    assert merkle.root_of_path(leaves[4], 4, 5, path, merkle.pay_node) == top
