"""What a network can do without."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.network.rooms import can_do_without
from opendepin.runtime.settings import NetworkSettings


def sized(stores: int, threshold: int, operators: int) -> NetworkSettings:
    usual = NetworkSettings()
    availability = msgspec.structs.replace(usual.availability, stores=stores, threshold=threshold)
    compute = msgspec.structs.replace(usual.compute, operators=operators)
    return msgspec.structs.replace(usual, availability=availability, compute=compute)


@given(st.integers(1, 16), st.integers(1, 16), st.integers(0, 16), st.integers(1, 8), st.data())
def test_stores_down_to_the_threshold_and_all_operators_but_one(
    stores: int, threshold: int, gone: int, operators: int, data: st.DataObject
) -> None:
    gone, threshold = min(gone, stores), min(threshold, stores)
    idle = data.draw(st.integers(0, operators))
    missing = [f"store-{i}" for i in range(gone)] + [f"operator-{i}" for i in range(idle)]
    found = can_do_without(sized(stores, threshold, operators), missing)
    assert found == (stores - gone >= threshold and idle < operators)


@pytest.mark.parametrize("name", ["gateway", "sequencer", "explorer", "l1"])
def test_nothing_else(name: str) -> None:
    assert not can_do_without(sized(4, 3, 2), [name])
    assert not can_do_without(sized(4, 3, 2), ["store-0", name])
