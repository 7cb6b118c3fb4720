"""Schema bounds, units of money, and keys: at the limit accepted, beyond it refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core import keys, manifest, units
from opendepin.core.errors import SchemaRejected, SignatureRejected
from opendepin.core.schema import Field, Schema

OBSERVED = Field(1, "observed_s", 0, 100)
SCHEMA = Schema((OBSERVED, Field(2, "pm10", -5, 5, "µg/m³", 3)))


@pytest.mark.parametrize("data", [{1: 0, 2: -5}, {1: 100, 2: 5}])
def test_data_at_the_bounds_fits(data: dict[int, int]) -> None:
    assert SCHEMA.check(data) == data


@pytest.mark.parametrize(
    "data",
    [{1: 0}, {2: 0}, {1: 0, 2: -6}, {1: 0, 2: 6}, {1: 101, 2: 0}, {1: 0, 2: 0, 3: 0},
     {1: 0, 2: True}, {1: 0, 2: 0.0}, {1: 0, 2: "0"}, {1: 0, "2": 0}, [], None, 5],
)  # fmt: skip
def test_other_data_is_refused(data: object) -> None:
    with pytest.raises(SchemaRejected):
        SCHEMA.check(data)


@pytest.mark.parametrize(
    "fields",
    [(), (Field(2, "x", 0, 1),), (OBSERVED, OBSERVED),
     (OBSERVED, Field(3, "a", 0, 1), Field(2, "b", 0, 1)), (OBSERVED, Field(2, "x", 1, 0)),
     (Field(1, "observed_s", -1, 1),), (Field(1, "observed_s", 0, 1 << 40),),
     (Field(1, "observed_s", 0, 1, length=2),), (OBSERVED, Field(2, "x", 0, 1, length=0)),
     (OBSERVED, Field(2, "x", 0, 1), Field(3, "x", 0, 1)),
     (OBSERVED, Field(2, "x", 0, 1, kind="float")), (OBSERVED, Field(2, "x", 0, 1, length=254))],
)  # fmt: skip
def test_other_schemas_are_refused(fields: tuple[Field, ...]) -> None:
    with pytest.raises(SchemaRejected):
        Schema(fields)


ARRAY = Schema((OBSERVED, Field(2, "x", -1, 5, length=3)))


@pytest.mark.parametrize(
    "value",
    [1, [], [1, 2], [1, 2, 3, 4], [1, 2, 6], [1, -2, 3], [1, True, 3], [1, "2", 3], [[1], 2, 3],
     {0: 1, 1: 2, 2: 3}, None, b"123"],
)  # fmt: skip
def test_an_array_has_exactly_its_length_of_values_within_bounds(value: object) -> None:
    good = {1: 5, 2: [-1, 5, 0]}
    assert ARRAY.check(good) == good
    assert ARRAY.values(ARRAY.check(good)) == (-1, 5, 0)
    with pytest.raises(SchemaRejected):
        ARRAY.check({1: 5, 2: value})


def test_a_plain_field_takes_no_array() -> None:
    with pytest.raises(SchemaRejected):
        SCHEMA.check({1: 5, 2: [1]})


def test_schema_hash_binds_length_and_kind() -> None:
    field = Field(2, "x", -1, 5, "m", 1, 2, "int")
    others = [
        field,
        Field(2, "x", -1, 5, "m", 1, 3, "int"),
        Field(2, "x", -1, 5, "m", 1, 2, "enum"),
    ]
    assert len({Schema((OBSERVED, each)).hash() for each in others}) == 3


def test_manifest_hash_binds_each_field() -> None:
    base = ("air", "1", SCHEMA, "module:rule", 256, 65, 70)
    changed = [
        ("air2", *base[1:]),
        ("air", "2", *base[2:]),
        ("air", "1", Schema((OBSERVED,)), *base[3:]),
    ]
    changed += [(*base[:3], "module:other", *base[4:]), (*base[:4], 128, *base[5:])]
    changed += [(*base[:5], 66, base[6]), (*base[:6], 71)]
    assert len({manifest.Manifest(*row).hash() for row in [base, *changed]}) == 8


@given(st.integers(0, 10**30))
def test_tokens_and_wei_are_inverse(amount: int) -> None:
    assert units.wei(units.tokens(amount)) == amount


@pytest.mark.parametrize("text", ["-1", "0.0000000000000000001", "x", "NaN", "Infinity", ""])
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount of tokens"):
        units.wei(text)


@given(st.binary(min_size=1, max_size=20), st.binary(min_size=32, max_size=32))
def test_signatures_hold_for_their_key_and_digest_only(seed: bytes, digest: bytes) -> None:
    key, other = keys.Key.from_seed(seed), keys.Key.from_seed(seed + b"!")
    keys.check(key.public, digest, key.sign(digest))
    assert keys.recover(digest, key.sign_recoverable(digest)) == key.address
    for public, value in [(other.public, digest), (key.public, bytes(b ^ 1 for b in digest))]:
        with pytest.raises(SignatureRejected):
            keys.check(public, value, key.sign(digest))


def test_contract_signatures_of_other_forms_are_refused() -> None:
    key, digest = keys.Key.from_seed(b"k"), bytes(32)
    good = key.sign_recoverable(digest)
    high = (keys.N - int.from_bytes(good[32:64], "big")).to_bytes(32, "big")
    for bad in [
        good[:64],
        good + b"\0",
        good[:64] + b"\0",
        good[:32] + high + good[64:],
        bytes(64) + b"\x1b",
    ]:
        with pytest.raises(SignatureRejected):
            keys.recover(digest, bad)


def test_a_key_that_is_no_point_is_refused() -> None:
    with pytest.raises(SignatureRejected) as caught:
        keys.check(b"\1" * 64, bytes(32), keys.Key.from_seed(b"k").sign(bytes(32)))
    assert caught.value.code == "key"
