"""Rules that together use every word of the language, and readings for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from hypothesis import strategies as st

from opendepin.core.journey import Reading
from opendepin.core.limits import MAX_DEVICES_PER_PROJECT, MAX_OBSERVED_S, MAX_SEQ
from opendepin.core.schema import Field, Schema
from opendepin.demo.clean_air import MAX_VALUE
from opendepin.proofs.zk import language as zk
from opendepin.proofs.zk.rule import Rule


def everything(reading: zk.Reading) -> Sequence[zk.Output]:
    """Use each word once at least."""
    value = reading["value"]
    seq = zk.ranged(reading.seq, 54)
    index = reading.device_index
    early = (seq < 100) | (reading.observed_s == 7)
    odd = reading.present & ~(value == 3) & early
    place = zk.one_hot(index, 5, gate=reading.present)
    wide = place.merged((0, 0, 1, 1, 1), 2)
    hashed = zk.poseidon(reading.seq, value)
    same = hashed == zk.select(early, zk.poseidon(seq, reading["value"]), zk.poseidon(*[seq] * 4))
    smaller = cast(zk.Ranged, zk.select(value <= index, value, index))
    complement = zk.ranged((1 << 20) - 1 - smaller, 20)
    square = zk.ranged(value * value + 1, 41)
    return [
        *zk.counts(place),
        zk.count(odd),
        zk.count(reading.present & (value != 0)),
        zk.count(reading.present & same),
        zk.total(odd, square),
        zk.total(reading.present, complement),
        *zk.totals(wide, value),
        *zk.largest(wide & (value <= 900_000), value),
        *zk.smallest(wide, smaller),
        *zk.largest(place, square),
    ]


def totals_only(reading: zk.Reading) -> Sequence[zk.Output]:
    """No chained state at all."""
    return [zk.count(reading.present), zk.total(reading.present, reading["value"])]


def packed(reading: zk.Reading) -> Sequence[zk.Output]:
    """Arrays, a field below zero, and more words than one."""
    values, cold = reading["pm"], reading["cold"]
    present = reading.present
    good = [(value <= 900) & ~(value == 7) for value in values]
    low, high = zk.extremes_where(good, values)
    valid = zk.count_where(good)
    kind = zk.one_hot(reading["kind"], 3, gate=present & ~(valid == 0))
    warm, (first, second, third) = cold >= 0, reading["wide"]
    return [
        *zk.totals(kind, valid),
        *zk.totals(kind, zk.total_where(good, values)),
        *zk.smallest(kind, low),
        *zk.largest(kind, high),
        zk.count(present & warm),
        zk.count(present & (cold < -250)),
        zk.count(present & (cold == -5)),
        zk.count(present & (cold > 5_000)),
        zk.total(present, cold.stored),
        zk.count(present & (first < second)),
        zk.count(present & (third <= (1 << 59) + 12_345)),
        zk.count(present & (reading.seq >= 100)),
        zk.count(present & (reading.observed_s.below(1 << 40))),
    ]


SCHEMA = Schema(
    (Field(1, "observed_s", 0, MAX_OBSERVED_S), Field(2, "value", 0, MAX_VALUE)),
)
PACK = Schema(
    (
        Field(1, "observed_s", 0, MAX_OBSERVED_S),
        Field(2, "cold", -300, 700),
        Field(3, "pm", 0, 1_023, length=5),
        Field(5, "kind", 0, 2, kind="enum"),
        Field(9, "wide", 1 << 40, (1 << 60) + (1 << 40), length=3),
    )
)
EVERYTHING = Rule("everything", SCHEMA, 4, everything)
TOTALS = Rule("totals", SCHEMA, 4, totals_only)
PACKED = Rule("packed", PACK, 4, packed)


def readings(most: int, stations: int = 8) -> st.SearchStrategy[list[Reading]]:
    """Any readings that a message schema can let through, often of few devices and small values."""
    index = st.one_of(st.integers(0, stations), st.integers(0, MAX_DEVICES_PER_PROJECT - 1))
    seq = st.one_of(st.integers(0, 200), st.integers(0, MAX_SEQ))
    observed = st.one_of(st.just(7), st.integers(0, MAX_OBSERVED_S))
    value = st.one_of(
        st.integers(0, 5),
        st.integers(49_990, 50_010),
        st.integers(999_990, 1_000_010),
        st.integers(0, MAX_VALUE),
    )
    one = st.builds(Reading, index, seq, observed, st.tuples(value))
    return st.lists(one, min_size=1, max_size=most)


def packs(most: int) -> st.SearchStrategy[list[Reading]]:
    """Any readings of `PACK`."""
    values: list[st.SearchStrategy[int]] = []
    for field in PACK.fields[1:]:
        edges = st.sampled_from([field.minimum, field.maximum])
        near = st.integers(field.minimum, min(field.maximum, field.minimum + 10))
        anything = st.integers(field.minimum, field.maximum)
        values += [st.one_of(edges, near, anything)] * field.length
    index, seq = st.integers(0, MAX_DEVICES_PER_PROJECT - 1), st.integers(0, MAX_SEQ)
    one = st.builds(Reading, index, seq, st.integers(0, MAX_OBSERVED_S), st.tuples(*values))
    return st.lists(one, min_size=1, max_size=most)
