"""Rules that together use every word of the language, and readings for them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from opendepin.core.journey import Reading
from opendepin.core.limits import MAX_DEVICES_PER_PROJECT, MAX_OBSERVED_S, MAX_SEQ
from opendepin.proofs.zk import language as zk
from opendepin.proofs.zk.rule import MAX_VALUE, Rule


def everything(reading: zk.Reading) -> Sequence[zk.Output]:
    """Use each word once at least."""
    value = zk.ranged(reading.value, 20)
    seq = zk.ranged(reading.seq, 53)
    index = zk.ranged(reading.device_index, 20)
    early = (seq < 100) | (reading.observed_s == 7)
    odd = reading.present & ~(value == 3) & early
    place = zk.one_hot(index, 5, gate=reading.present)
    wide = place.merged((0, 0, 1, 1, 1), 2)
    hashed = zk.poseidon(reading.seq, value)
    same = hashed == zk.select(early, zk.poseidon(seq, reading.value), zk.poseidon(*[seq] * 4))
    smaller = zk.select(value <= index, value, index)
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
    return [zk.count(reading.present), zk.total(reading.present, zk.ranged(reading.value, 20))]


EVERYTHING = Rule("everything", 4, everything)
TOTALS = Rule("totals", 4, totals_only)


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
    return st.lists(st.builds(Reading, index, seq, observed, value), min_size=1, max_size=most)
