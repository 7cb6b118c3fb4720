"""The forms of a sealed batch: what is written is read back, every other form is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core import batch_form
from opendepin.core.batch import BatchHeader, Range, Segment
from opendepin.core.encodings import cbor_decode, cbor_encode
from opendepin.core.errors import EncodingRejected
from opendepin.core.journey import Batched
from opendepin.core.statement import FIELD_MODULUS

NETWORK = bytes(range(32))
u64 = st.integers(0, 2**53 - 1)
hashes = st.binary(min_size=32, max_size=32)
ranges = st.builds(Range, st.binary(min_size=20, max_size=20), u64, u64, u64, u64)
segments = st.builds(
    Segment,
    u64,
    hashes,
    st.integers(0, FIELD_MODULUS - 1),
    st.integers(0, 2**32 - 1),
    st.lists(ranges, min_size=1, max_size=8).map(tuple),
)
headers = st.builds(BatchHeader, st.just(NETWORK), u64, hashes, hashes, hashes, u64, u64)
batches = st.builds(
    Batched,
    headers,
    st.binary(min_size=65, max_size=65),
    st.lists(segments, min_size=1, max_size=16).map(tuple),
    st.binary(max_size=50),
)
FEW = settings(max_examples=40, deadline=None)


@FEW
@given(batches)
def test_a_batch_survives_both_forms(batch: Batched) -> None:
    assert batch_form.decode_batched(batch_form.encode_batched(batch), NETWORK) == batch
    text = json.loads(json.dumps(batch_form.header_to_json(batch.header)))
    assert batch_form.header_of_json(text) == batch.header
    for segment in batch.segments:
        row = json.loads(json.dumps(batch_form.segment_to_json(segment)))
        assert batch_form.segment_of_json(row) == segment


SEGMENT = Segment(1, bytes(32), 5, 2, (Range(bytes(20), 1, 2, 3, 4),))
HEADER = BatchHeader(NETWORK, 1, NETWORK, bytes(32), bytes(32), 3, 9)
GOOD = Batched(HEADER, bytes(65), (SEGMENT,), b"abc")


def changed(path: tuple[int, ...], value: object) -> bytes:
    tree: Any = cbor_decode(batch_form.encode_batched(GOOD), 5)
    at = tree
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return cbor_encode(tree)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((0,), []),
        ((0, 0), -1),
        ((0, 0), True),
        ((0, 1), bytes(31)),
        ((0, 2), 5),
        ((0, 4), "3"),
        ((0, 5), 2**64 - 1 << 1),
        ((1,), bytes(64)),
        ((2,), []),
        ((2,), [5]),
        ((2, 0, 1), bytes(33)),
        ((2, 0, 2), FIELD_MODULUS.to_bytes(32, "big")),
        ((2, 0, 3), 2**32),
        ((2, 0, 4), []),
        ((2, 0, 4), [[bytes(20), 1, 2, 3, 4]] * 9),
        ((2, 0, 4, 0), [bytes(19), 1, 2, 3, 4]),
        ((2, 0, 4, 0), [bytes(20), 1, 2, 3]),
        ((3,), "abc"),
    ],
)
def test_another_form_is_refused(path: tuple[int, ...], value: object) -> None:
    with pytest.raises(EncodingRejected):
        batch_form.decode_batched(changed(path, value), NETWORK)


def test_bytes_after_the_batch_or_missing_are_refused() -> None:
    data = batch_form.encode_batched(GOOD)
    for wrong in (data + b"\x00", data[:-1], b""):
        with pytest.raises(EncodingRejected):
            batch_form.decode_batched(wrong, NETWORK)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("field_root", 5),
        ("field_root", "05"),
        ("field_root", "-5"),
        ("field_root", str(FIELD_MODULUS)),
        ("field_root", "9" * 100),
        ("field_root", "9" * 5000),
        ("root", "0xAB"),
        ("count", "2"),
        ("ranges", []),
        ("ranges", 5),
        ("project", None),
    ],
)
def test_another_json_form_of_a_segment_is_refused(key: str, value: object) -> None:
    with pytest.raises(EncodingRejected):
        batch_form.segment_of_json({**batch_form.segment_to_json(SEGMENT), key: value})


@pytest.mark.parametrize(
    ("key", "value"), [("number", "1"), ("parent", "0x00"), ("time", 1.5), ("data_root", 4)]
)
def test_another_json_form_of_a_header_is_refused(key: str, value: object) -> None:
    with pytest.raises(EncodingRejected):
        batch_form.header_of_json({**batch_form.header_to_json(HEADER), key: value})
