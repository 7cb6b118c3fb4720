"""What is written out for speed equals the plain forms of the core."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from opendepin.core import keys, merkle
from opendepin.core.errors import SignatureRejected
from opendepin.core.group import Group, GroupHeader, leaf, receipt_of_json
from opendepin.core.keys import HALF_N, Key, N
from opendepin.core.wire import Scanned
from opendepin.dims.gateway import rules
from opendepin.dims.gateway.rules import Place
from tests.dims.gateway.world import GATEWAY, NETWORK

IDS = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


@given(IDS, st.integers(1, 2**40), st.integers(0, 2**40))
def test_the_tree_is_the_core_s(ids: list[bytes], first: int, block: int) -> None:
    leaves = rules.leaves_of(first, block, ids)
    assert leaves == [leaf(first + i, block, row) for i, row in enumerate(ids)]
    assert rules.levels(leaves)[-1] == [merkle.root(leaves)]


@given(IDS, st.integers(1, 2**40), st.data())
def test_a_receipt_is_the_core_s_and_holds(
    ids: list[bytes], first: int, data: st.DataObject
) -> None:
    rows = [Scanned(b"d" * 20, 1, 1, row, b"s" * 64, b"raw %d" % i) for i, row in enumerate(ids)]
    place = Place(NETWORK, 3, GATEWAY.address, first, 9, 99)
    sealed = rules.seal(place, rows, GATEWAY.sign_recoverable)
    header = sealed.group.header
    root = merkle.root(sealed.tree[0])
    assert header == GroupHeader(NETWORK, 3, GATEWAY.address, first, len(ids), 9, 99, root)
    assert sealed.group == Group(header, sealed.group.signature, tuple(row.raw for row in rows))
    index = data.draw(st.integers(0, len(ids) - 1))
    written = json.loads(sealed.receipt_json(index))
    receipt = receipt_of_json(written)
    assert written == receipt.to_json() == sealed.receipt(index).to_json()
    assert receipt.message_id == ids[index]
    receipt.check(GATEWAY.address)
    whole = json.loads(sealed.group_json)
    assert whole["leaves"] == ["0x" + row.hex() for row in sealed.tree[0]]
    assert rules.sealed_of(sealed.group, ids) == sealed


SCALARS = st.one_of(
    st.sampled_from([0, 1, HALF_N, HALF_N + 1, N - 1, N, N + 1, 2**256 - 1]),
    st.integers(0, 2**256 - 1),
)


def plain(public: bytes, digest: bytes, signature: bytes) -> bool:
    try:
        keys.check(public, digest, signature)
    except SignatureRejected:
        return False
    return True


@given(st.binary(min_size=32, max_size=32), SCALARS, SCALARS, st.integers(0, 511))
def test_a_signature_holds_where_the_check_accepts(digest: bytes, r: int, s: int, bit: int) -> None:
    key = Key.from_seed(b"v")
    good = key.sign(digest)
    flipped = (int.from_bytes(good, "big") ^ 1 << bit).to_bytes(64, "big")
    high = good[:32] + (N - int.from_bytes(good[32:], "big")).to_bytes(32, "big")
    odd = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    for signature in (good, flipped, high, odd):
        for public in (key.public, Key.from_seed(b"w").public, bytes(64), b"\xff" * 64):
            expected = plain(public, digest, signature)
            assert keys.holds(public, digest, signature) == expected
    assert keys.holds(key.public, digest, good)
    assert not keys.holds(key.public, digest, high)
