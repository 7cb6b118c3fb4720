"""The compiled reader accepts exactly what `message.parse` and `Schema.check` accept, and reads the
same from it.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opendepin.core import message
from opendepin.core.encodings import cbor_encode
from opendepin.core.errors import Rejected
from opendepin.core.keys import Key
from opendepin.core.limits import MAX_OBSERVED_S, MAX_SEQ, MAX_TIME_MS
from opendepin.core.schema import Data, Field, Schema, Value
from opendepin.core.wire import Scanner, int_pattern, uint_pattern

NETWORK = bytes(range(32))
PROJECT = 7
AAD = message.external_aad(NETWORK, PROJECT)
KEY = Key.from_seed(b"wire")

EDGES = [0, 1, 22, 23, 24, 25, 255, 256, 257, 65535, 65536, 2**32 - 1, 2**32, 2**63, 2**64 - 1]
NUMBERS = st.one_of(
    st.sampled_from([*EDGES, *(-1 - e for e in EDGES)]),
    st.integers(-(2**64), 2**64 - 1),
    st.integers(-300, 300),
)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    keys = sorted(draw(st.sets(st.integers(2, 300), max_size=6)))
    fields = [Field(1, "observed_s", 0, MAX_OBSERVED_S)]
    for key in keys:
        low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
        length = draw(st.sampled_from([1, 1, 2, 3, 23, 24, 30]))
        fields.append(Field(key, f"f{key}", low, high, length=length))
    return Schema(tuple(fields))


@st.composite
def readings(draw: st.DrawFn, schema: Schema) -> Data:
    data: Data = {}
    for f in schema.fields:
        each = st.integers(f.minimum, f.maximum)
        many = st.lists(each, min_size=f.length, max_size=f.length)
        data[f.key] = draw(each if f.length == 1 else many)
    if draw(st.integers(0, 4)) == 0:  # one field out of bounds, missing or too many
        key = draw(st.sampled_from([*data, 999]))
        if draw(st.booleans()):
            data[key] = draw(st.one_of(NUMBERS, st.lists(NUMBERS, max_size=31)))
        else:
            data.pop(key, None)
    return data


def build(seq: int, time_ms: int, data: Data) -> bytes:
    return message.build(KEY, KEY.address, seq, time_ms, data, AAD)


def judge(schema: Schema, raw: bytes) -> message.Signed | None:
    try:
        signed = message.parse(raw)
        schema.check(signed.data)
    except Rejected:
        return None
    return signed


def check_same(schema: Schema, raw: bytes) -> bool:
    """Compare both readers on one message; return whether it is accepted."""
    signed = judge(schema, raw)
    scanned = Scanner(schema, NETWORK, PROJECT).scan(raw)
    if scanned is not None and len(scanned.raw) != len(raw):
        scanned = None  # a message and something after it
    assert (scanned is None) == (signed is None), raw.hex()
    if signed is not None and scanned is not None:
        assert scanned == (
            signed.device,
            signed.seq,
            signed.time_ms,
            message.message_id(signed, AAD),
            signed.signature,
            raw,
        )
    return signed is not None


def fit(field: Field, value: Value | None) -> bool:
    items = value if isinstance(value, list) else [value]
    shaped = isinstance(value, list) == (field.length > 1) and len(items) == field.length
    return shaped and all(
        item is not None and field.minimum <= item <= field.maximum for item in items
    )


@given(st.data())
def test_reads_what_the_plain_reader_reads(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    seq = data.draw(st.one_of(st.sampled_from([0, 1, 23, 24, MAX_SEQ]), st.integers(0, 2**60)))
    time_ms = data.draw(st.sampled_from([0, 23, 24, 255, 256, 65536, MAX_TIME_MS, MAX_TIME_MS + 1]))
    reading = data.draw(readings(schema))
    raw = build(seq, time_ms, reading)
    fits = all(fit(f, reading.get(f.key)) for f in schema.fields)
    items = [v for each in reading.values() for v in (each if isinstance(each, list) else [each])]
    good = fits and len(reading) == len(schema.fields) and all(v >= -(2**64) for v in items)
    assert check_same(schema, raw) == (good and 1 <= seq <= MAX_SEQ and time_ms <= MAX_TIME_MS)


SMALL = Schema((Field(1, "observed_s", 0, MAX_OBSERVED_S), Field(2, "value", -5, 70_000)))
GOOD = build(300, 1_700_000_000_000, {1: 1_700_000_000, 2: 40_000})


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_every_flipped_bit_is_judged_the_same(at: int, bit: int) -> None:
    raw = bytearray(GOOD)
    raw[at] ^= 1 << bit
    check_same(SMALL, bytes(raw))


@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.binary(max_size=12))
@example(at=len(GOOD), drop=0, put=b"\x00")
@example(at=0, drop=1, put=b"")
def test_every_splice_is_judged_the_same(at: int, drop: int, put: bytes) -> None:
    check_same(SMALL, GOOD[:at] + put + GOOD[at + drop :])


@given(st.binary(max_size=300))
def test_noise_is_judged_the_same(raw: bytes) -> None:
    check_same(SMALL, raw)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (1, MAX_SEQ), (24, 255), (200, 70_000), (2**40, 2**63)]
)
def test_patterns_hold_their_bounds_and_no_other_number(low: int, high: int) -> None:
    scanner = Scanner(Schema((Field(1, "o", 0, 10), Field(2, "v", low, high))), NETWORK, PROJECT)
    for value in {low, high, (low + high) // 2}:
        assert scanner.scan(build(1, 1, {1: 1, 2: value})) is not None
    for value in (low - 1, high + 1):
        assert scanner.scan(build(1, 1, {1: 1, 2: value})) is None


def test_a_number_in_a_longer_head_is_refused() -> None:
    payload = cbor_encode({1: 1, 2: 1, 3: {1: 5, 2: 5}})
    longer = payload.replace(b"\xa2\x01\x05\x02\x05", b"\xa2\x01\x05\x02\x18\x05")
    assert longer != payload
    protected = cbor_encode({1: -47, 4: KEY.address})
    raw = b"\xd2" + cbor_encode([protected, {}, longer, bytes(64)])
    assert Scanner(SMALL, NETWORK, PROJECT).scan(raw) is None
    assert not check_same(SMALL, raw)


def test_bounds_beyond_what_cbor_holds_match_nothing() -> None:
    assert uint_pattern(2**64, 2**65) == b"(?!)"
    assert int_pattern(-(2**66), -(2**65)) == b"(?!)"


def test_reads_one_of_many_at_an_offset() -> None:
    second = build(301, 1_700_000_000_001, {1: 1, 2: -5})
    scanner = Scanner(SMALL, NETWORK, PROJECT)
    first = scanner.scan(GOOD + second)
    assert first is not None
    assert first.raw == GOOD
    after = scanner.scan(GOOD + second, len(GOOD))
    assert after is not None
    assert (after.raw, after.seq) == (second, 301)
    assert scanner.scan(GOOD + second, len(GOOD) - 1) is None


@pytest.mark.parametrize(("network", "project"), [(bytes(32), PROJECT), (NETWORK, PROJECT + 1)])
def test_the_id_binds_network_and_project(network: bytes, project: int) -> None:
    here = Scanner(SMALL, NETWORK, PROJECT).scan(GOOD)
    there = Scanner(SMALL, network, project).scan(GOOD)
    assert here is not None
    assert there is not None
    assert here.message_id != there.message_id
