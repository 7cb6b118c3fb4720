from __future__ import annotations

import contextlib

import pytest
import rlp as peer
from hypothesis import given
from hypothesis import strategies as st

from opendepin.chain import rlp
from opendepin.core.errors import EncodingRejected

items = st.recursive(st.binary(max_size=80), lambda part: st.lists(part, max_size=6), max_leaves=20)


@given(items)
def test_what_is_written_is_read_and_equals_the_peer_s(item: rlp.Item) -> None:
    data = rlp.encode(item)
    assert data == peer.encode(item)
    assert rlp.decode(data) == item


@given(st.binary(max_size=120))
def test_only_canonical_bytes_are_read(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except EncodingRejected:
        with pytest.raises((peer.DecodingError, RecursionError, IndexError)):
            peer.decode(data)
    else:
        assert rlp.encode(item) == data


@given(items.filter(bool), st.data())
def test_no_other_bytes_mean_the_same(item: rlp.Item, data: st.DataObject) -> None:
    good = rlp.encode(item)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(EncodingRejected):
        assert rlp.decode(bytes(bad)) != item
    for cut in (good[:-1], good + b"\x00"):
        with pytest.raises(EncodingRejected):
            rlp.decode(cut)


@given(st.integers(0, 2**256 - 1))
def test_integers_have_one_form(value: int) -> None:
    data = rlp.encode_int(value)
    assert rlp.decode_int(data) == value
    with pytest.raises(EncodingRejected):
        rlp.decode_int(b"\x00" + data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81\x05",  # below 0x80 stands for itself
        b"\xb8\x05hello",  # short string in the long form
        b"\xb9\x00\x38" + b"x" * 56,  # leading zero in the length
        b"\xbf" + b"\xff" * 8,  # absurd length
        b"\xc2\x83",
        b"\xf8\x00",
        b"\xb8",
        b"\xc1" * 10 + b"\xc0",  # too deep
    ],
)
def test_other_forms_are_refused(data: bytes) -> None:
    with pytest.raises(EncodingRejected):
        rlp.decode(data)


@pytest.mark.parametrize("item", [[], b"x" * 33, b"\x00"])
def test_no_integers(item: rlp.Item) -> None:
    with pytest.raises(EncodingRejected):
        rlp.decode_int(item)
    with pytest.raises(EncodingRejected):
        rlp.decode_list(rlp.encode(b"x"))
