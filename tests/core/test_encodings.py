"""Deterministic CBOR, hex and hashes: one value has one form, every other form is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core.encodings import (
    abi_encode,
    cbor_decode,
    cbor_encode,
    domain,
    from_hex,
    keccak256,
    sha256,
    to_hex,
)
from opendepin.core.errors import EncodingRejected

values = st.recursive(
    st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=20)
    | st.booleans()
    | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 300), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(values)
def test_cbor_round_trip(value: object) -> None:
    assert cbor_decode(cbor_encode(value), max_depth=12) == value


@given(st.binary(max_size=64))
def test_any_bytes_are_refused_or_are_the_one_form(data: bytes) -> None:
    try:
        value = cbor_decode(data)
    except EncodingRejected:
        return
    assert cbor_encode(value) == data


@pytest.mark.parametrize("depth", [4, 5])
def test_depth_is_bounded(depth: int) -> None:
    value: object = 1
    for _ in range(depth):
        value = [value]
    if depth == 4:
        assert cbor_decode(cbor_encode(value)) == value
    else:
        with pytest.raises(EncodingRejected, match="deeper"):
            cbor_decode(cbor_encode(value))


def test_a_depth_bomb_costs_no_stack() -> None:
    with pytest.raises(EncodingRejected):
        cbor_decode(b"\x81" * 100_000 + b"\x01")


@given(st.binary(max_size=40))
def test_hex_round_trip(data: bytes) -> None:
    assert from_hex(to_hex(data), len(data)) == data


@pytest.mark.parametrize(
    "text", ["00", "0X00", "0xAB", "0x0", "0xzz", "0x 0", "0x00 ", "", "0x0_0"]
)
def test_other_hex_forms_are_refused(text: str) -> None:
    with pytest.raises(EncodingRejected):
        from_hex(text)


def test_hex_of_another_length_is_refused() -> None:
    with pytest.raises(EncodingRejected):
        from_hex("0x00", 2)


def test_known_hashes() -> None:
    empty_sha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    empty_keccak = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert sha256(b"").hex() == empty_sha
    assert keccak256(b"").hex() == empty_keccak
    assert domain("header") == keccak256(b"opendepin/header/1") != domain("segment")
    assert (
        abi_encode(["uint64", "address"], [5, b"\1" * 20])
        == bytes(31) + b"\5" + bytes(12) + b"\1" * 20
    )
