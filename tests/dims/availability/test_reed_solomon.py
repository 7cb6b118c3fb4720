"""Reed–Solomon chunks in four store processes keep the contract of the port."""

from __future__ import annotations

import pytest

from tests.dims.availability.contract import AvailabilityContract
from tests.dims.availability.world import CODE


class TestReedSolomon(AvailabilityContract):
    """The default code."""


def test_the_sampling_error_is_the_worst_case() -> None:
    """With 15 of 32 chunks served nothing restores; eight samples all hit those with 15/32 · 14/31
    · …
    """
    expected = 1.0
    for i in range(8):
        expected *= (15 - i) / (32 - i)
    assert CODE.error(8) == pytest.approx(expected)
    assert CODE.error(15) > 0
    assert CODE.error(16) == 0
