"""Token buckets: never more than burst and rate allow, and the time to wait is true."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.dims.gateway import quota
from opendepin.dims.gateway.quota import Quota
from opendepin.runtime.clock import ManualClock

STEPS = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), max_size=60)


@given(STEPS, st.floats(0.5, 20), st.integers(1, 12))
def test_never_gives_more_than_burst_and_rate(
    steps: list[tuple[float, int]], rate: float, burst: int
) -> None:
    clock, bucket, given_ = ManualClock(), Quota[bytes](rate, burst), list[tuple[float, int]]()
    for pause, count in steps:
        clock.advance(pause)
        now = clock.monotonic()
        wait = bucket.take(b"a", now, count)
        if wait == 0:
            given_.append((now, count))
        elif count <= burst:
            assert bucket.take(b"a", now + wait * 0.98 - 1e-6, count) > 0
            assert bucket.take(b"a", now + wait + 1e-6, count) == 0
            given_.append((now + wait, count))
            clock.advance(wait + 1e-6)
    for i, (begun, _) in enumerate(given_):
        for ended, _ in given_[i:]:
            taken = sum(count for at, count in given_[i:] if at <= ended)
            assert taken <= burst + rate * (ended - begun) + 1e-3


def test_a_pause_fills_the_bucket_and_no_more() -> None:
    bucket = Quota[int](2.0, 3)
    assert [bucket.take(1, 0.0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(1, 0.0) == pytest.approx(0.5)
    assert bucket.take(1, 0.5) == 0
    assert [bucket.take(1, 100.0) > 0 for _ in range(4)] == [False, False, False, True]
    assert bucket.take(2, 100.0) == 0


def test_a_take_given_back_can_be_taken_again() -> None:
    bucket = Quota[int](1.0, 1)
    assert bucket.take(1, 0.0) == 0
    bucket.give_back(1)
    assert bucket.take(1, 0.0) == 0
    assert bucket.take(1, 0.0) > 0


def test_full_buckets_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "SWEEP_KEYS", 100)
    bucket = Quota[int](10.0, 5)
    for key in range(1_000):
        bucket.take(key, key * 1.0)
    assert len(bucket) <= 101
