"""A frame is cut at its messages' ends, or refused whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core.encodings import cbor_encode
from opendepin.core.limits import MAX_GROUP_MESSAGES
from opendepin.core.wire import Scanner
from opendepin.dims.gateway.errors import FrameRejected
from opendepin.dims.gateway.frames import cut, item_end
from tests.dims.gateway.world import DEVICES, NETWORK, PROJECT, SCHEMA

SCANNER = Scanner(SCHEMA, NETWORK, PROJECT)
GOOD = [DEVICES[i % 3].sign(i + 1, value=10**i % 2_000_000) for i in range(5)]
ODD = [cbor_encode(v) for v in (0, "text", [1, 2, 3], {1: [b"x" * 30]})] + [
    GOOD[0].replace(b"\xa0", b"\xa1\x01\x02", 1)
]

VALUES = st.recursive(
    st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 9), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(st.lists(st.sampled_from([*GOOD, *ODD]), min_size=1, max_size=12))
def test_messages_good_and_odd_are_cut_where_they_end(parts: list[bytes]) -> None:
    found = cut(b"".join(parts), SCANNER)
    assert [row if isinstance(row, bytes) else row.raw for row in found] == parts
    assert [isinstance(row, bytes) for row in found] == [part not in GOOD for part in parts]


@given(VALUES, st.binary(max_size=9))
def test_an_item_s_end_is_where_its_encoding_ends(value: object, after: bytes) -> None:
    item = cbor_encode(value)
    try:
        assert item_end(item + after, 0) == len(item)
    except FrameRejected:
        assert depth(value) > 5


def depth(value: object) -> int:
    if isinstance(value, list):
        return 1 + max((depth(v) for v in value), default=0)
    if isinstance(value, dict):
        return 1 + max((depth(v) for v in value.values()), default=0)
    return 0


@given(st.binary(min_size=1, max_size=200))
def test_noise_is_cut_whole_or_refused(noise: bytes) -> None:
    try:
        found = cut(noise, SCANNER)
    except FrameRejected:
        return
    assert b"".join(row if isinstance(row, bytes) else row.raw for row in found) == noise


@pytest.mark.parametrize("left", [1, 50, len(GOOD[1]) - 1])
def test_a_frame_cut_short_is_refused_whole(left: int) -> None:
    with pytest.raises(FrameRejected, match="nothing of the frame"):
        cut(GOOD[0] + GOOD[1][:left], SCANNER)


def test_a_frame_has_one_to_its_most_messages() -> None:
    assert len(cut(GOOD[0] * MAX_GROUP_MESSAGES, SCANNER)) == MAX_GROUP_MESSAGES
    for body in (b"", GOOD[0] * (MAX_GROUP_MESSAGES + 1)):
        with pytest.raises(FrameRejected):
            cut(body, SCANNER)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x81" * 100_000,
        b"\xd2" * 100_000,
        b"\xa1\x01" * 50_000,
        b"\x9b" + b"\xff" * 8,
        b"\x5b" + b"\xff" * 8,
        b"\x9f\xff",
    ],
)
def test_bombs_of_depth_and_length_are_refused_at_once(bomb: bytes) -> None:
    with pytest.raises(FrameRejected):
        cut(bomb, SCANNER)
