"""Messages: the vectors hold, another COSE library agrees, forgeries and bit flips are refused."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from cwt import COSE, COSEKey
from cwt.cose_key_interface import COSEKeyInterface
from cwt.exceptions import VerifyError
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core import message
from opendepin.core.encodings import cbor_encode, from_hex
from opendepin.core.errors import DepinError, MessageRejected, SignatureRejected
from opendepin.core.keys import Key
from opendepin.core.limits import MAX_MESSAGE_BYTES, MAX_SEQ, MAX_TIME_MS
from tests.core import make_vectors

VECTORS = json.loads((Path(__file__).parent / "vectors" / "message.json").read_text())
AAD = make_vectors.AAD
DEVICE = make_vectors.DEVICE

data_maps = st.dictionaries(
    st.integers(0, 2**32), st.integers(-(2**63), 2**64 - 1), min_size=1, max_size=16
)


def cose_key(key: Key, private: bool = True) -> COSEKeyInterface:
    fields = {1: 2, 2: key.address, 3: -47, -1: 8, -2: key.public[:32], -3: key.public[32:]}
    return COSEKey.new({**fields, -4: key.secret} if private else fields)


def admit(raw: bytes) -> None:
    """Parse and check under the key of the device the message names; two devices are known."""
    signed = message.parse(raw)
    known = {key.address: key.public for key in (DEVICE, make_vectors.OTHER)}
    if signed.device not in known:
        raise SignatureRejected("a device nobody knows")
    message.verify(signed, message.message_id(signed, AAD), known[signed.device])


def test_vector_file_is_what_the_code_makes() -> None:
    assert (Path(__file__).parent / "vectors" / "message.json").read_text() == make_vectors.render(
        make_vectors.message_vectors()
    )


@pytest.mark.parametrize("row", VECTORS["good"], ids=lambda row: f"seq {row['seq']}")
def test_good_vectors_parse_and_verify(row: dict[str, object]) -> None:
    signed = message.parse(from_hex(str(row["message"])))
    digest = message.message_id(signed, AAD)
    message.verify(signed, digest, DEVICE.public)
    assert (signed.seq, signed.time_ms, signed.device) == (
        row["seq"],
        row["time_ms"],
        DEVICE.address,
    )
    assert digest == from_hex(str(row["message_id"]))


@pytest.mark.parametrize("row", VECTORS["forged"], ids=lambda row: row["what"])
def test_forged_vectors_are_refused_with_their_code(row: dict[str, str]) -> None:
    with pytest.raises(DepinError) as caught:
        admit(from_hex(row["message"]))
    assert caught.value.code == row["code"]


@given(st.integers(1, MAX_SEQ), st.integers(0, MAX_TIME_MS), data_maps)
def test_what_is_built_parses_to_the_same(seq: int, time_ms: int, data: dict[int, int]) -> None:
    signed = message.parse(message.build(DEVICE, DEVICE.address, seq, time_ms, data, AAD))
    message.verify(signed, message.message_id(signed, AAD), DEVICE.public)
    assert (signed.seq, signed.time_ms, signed.data) == (seq, time_ms, data)


@given(st.integers(1, MAX_SEQ), st.integers(0, MAX_TIME_MS), data_maps)
def test_an_independent_cose_library_accepts_ours(
    seq: int, time_ms: int, data: dict[int, int]
) -> None:
    raw = message.build(DEVICE, DEVICE.address, seq, time_ms, data, AAD)
    key = cose_key(DEVICE, private=False)
    assert COSE.new().decode(raw, key, external_aad=AAD) == message.parse(raw).payload
    other = message.external_aad(make_vectors.NETWORK, make_vectors.PROJECT + 1)
    with pytest.raises(VerifyError):
        COSE.new().decode(raw, key, external_aad=other)


@given(st.integers(1, MAX_SEQ), data_maps)
def test_we_accept_an_independent_cose_library(seq: int, data: dict[int, int]) -> None:
    payload = cbor_encode({1: seq, 2: 5, 3: data})
    header = {1: -47, 4: DEVICE.address}
    theirs = COSE.new().encode_and_sign(payload, cose_key(DEVICE), header, {}, external_aad=AAD)
    assert isinstance(theirs, bytes)
    signed = message.parse(low_s(theirs))
    message.verify(signed, message.message_id(signed, AAD), DEVICE.public)
    assert signed.seq == seq


def low_s(raw: bytes) -> bytes:
    """Turn the last 32 bytes into the low form, as item 2 of the message page asks."""
    s = int.from_bytes(raw[-32:], "big")
    return raw[:-32] + min(s, make_vectors.N - s).to_bytes(32, "big")


def test_every_single_bit_flip_is_refused() -> None:
    raw = make_vectors.GOOD
    for bit in range(8 * len(raw)):
        altered = bytearray(raw)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DepinError):
            admit(bytes(altered))


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_our_error(raw: bytes) -> None:
    with pytest.raises(MessageRejected):
        message.parse(raw)


@given(st.integers(0, len(make_vectors.GOOD) - 1), st.binary(max_size=4))
def test_spliced_messages_raise_only_our_error_or_parse(at: int, splice: bytes) -> None:
    raw = make_vectors.GOOD[:at] + splice + make_vectors.GOOD[at + len(splice) :]
    with contextlib.suppress(MessageRejected):
        assert message.parse(raw).raw == raw


def test_size_limit_holds_at_the_limit_and_above() -> None:
    at_limit = b"\xd2" + b"\0" * (MAX_MESSAGE_BYTES - 1)
    with pytest.raises(MessageRejected) as at:
        message.parse(at_limit)
    with pytest.raises(MessageRejected) as above:
        message.parse(at_limit + b"\0")
    assert (at.value.code, above.value.code) == ("trailing-bytes", "size")
