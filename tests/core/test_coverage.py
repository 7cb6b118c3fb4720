"""Coverage: what follows is taken, a gap, an older identity block or a message seen before is not;
state survives its form.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.coverage import (
    Coverage,
    CoverageRejected,
    Covered,
    Runs,
    Step,
    decode_snapshot,
    encode_snapshot,
)
from opendepin.core.encodings import cbor_encode
from opendepin.core.errors import Broken
from opendepin.core.group import GroupHeader

GATEWAY, OTHER, DEVICE = bytes(20), b"\x01" * 20, b"\x02" * 20


def header(
    first: int, count: int = 1, block: int = 10, gateway: bytes = GATEWAY, project: int = 1
) -> GroupHeader:
    return GroupHeader(bytes(32), project, gateway, first, count, block, block + 9, bytes(32))


@settings(max_examples=200)
@given(st.lists(st.integers(1, 40)))
def test_runs_are_the_set_of_what_was_added(values: list[int]) -> None:
    runs, plain = Runs(), set[int]()
    for value in values:
        assert (value in runs) == (value in plain)
        runs.add(value)
        plain.add(value)
    assert [value for value in range(42) if value in runs] == sorted(plain)
    found = runs.runs()
    assert all(first <= last for first, last in found)
    assert all(found[i][1] + 1 < found[i + 1][0] for i in range(len(found) - 1))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([GATEWAY, OTHER]),
            st.integers(1, 2),
            st.integers(1, 3),
            st.integers(0, 2),
        ),
        max_size=12,
    )
)
def test_dense_groups_follow_and_a_gap_does_not(groups: list[tuple[bytes, int, int, int]]) -> None:
    state, seq, block = Coverage(), 0, 10
    for gateway, project, count, later in groups:
        block += later
        at = state.lane(gateway, project).position + 1
        step = Step(state)
        for wrong in (at - 1, at + 1):
            if wrong > 0:
                with pytest.raises(CoverageRejected) as caught:
                    step.take(header(wrong, count, block, gateway, project), [])
                assert caught.value.code == "range"
        step.take(
            header(at, count, block, gateway, project),
            [(DEVICE, seq + i + 1) for i in range(count)],
        )
        seq += count
        copy = Coverage.decode(state.encode())
        copy.apply(Step.decode(step.encode(), copy))
        state.apply(step)
        assert copy.encode() == state.encode()
        assert state.lane(gateway, project) == Covered(at + count - 1, block)
    assert all(state.holds(DEVICE, i) for i in range(1, seq + 1))
    assert not state.holds(DEVICE, seq + 1)


def test_a_lane_never_goes_back_to_an_older_identity_block() -> None:
    state = Coverage()
    step = Step(state)
    step.take(header(1, block=10), [])
    with pytest.raises(CoverageRejected) as caught:
        step.take(header(2, block=9), [])
    assert caught.value.code == "identity-order"
    step.take(header(2, block=10), [])
    step.take(header(1, block=3, gateway=OTHER), [])


@pytest.mark.parametrize("gateway", [GATEWAY, OTHER])
@pytest.mark.parametrize("applied", [True, False])
def test_a_sequence_number_enters_once_whatever_gateway_took_it(
    gateway: bytes, applied: bool
) -> None:
    state = Coverage()
    step = Step(state)
    step.take(header(1, 2), [(DEVICE, 7), (DEVICE, 9)])
    if applied:
        state.apply(step)
        step = Step(state)
    at = step.covered(gateway, 1).position + 1
    with pytest.raises(CoverageRejected) as caught:
        step.take(header(at, 2, gateway=gateway), [(DEVICE, 8), (DEVICE, 9)])
    assert caught.value.code == "replayed"
    step.take(header(at, 2, gateway=gateway), [(DEVICE, 8), (OTHER, 9)])


def test_a_group_that_repeats_itself_is_refused_and_leaves_nothing() -> None:
    state = Coverage()
    step = Step(state)
    with pytest.raises(CoverageRejected):
        step.take(header(1, 2), [(DEVICE, 1), (DEVICE, 1)])
    assert step.encode() == Step(state).encode()
    step.take(header(1, 1), [(DEVICE, 1)])


@pytest.mark.parametrize(
    "data", [b"", b"\x00", cbor_encode([[[1]], []]), cbor_encode([[], [[b"d", 3]]])]
)
def test_a_broken_snapshot_is_said(data: bytes) -> None:
    with pytest.raises(Broken):
        Coverage.decode(data)


def test_a_snapshot_is_read_back_and_a_changed_one_is_not() -> None:
    state = Coverage()
    step = Step(state)
    step.take(header(1, 2), [(DEVICE, 1), (DEVICE, 5)])
    state.apply(step)
    data = encode_snapshot(7, state)
    number, found = decode_snapshot(data)
    assert (number, found.encode()) == (7, state.encode())
    for at in range(len(data)):
        with pytest.raises(Broken):
            decode_snapshot(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(Broken):
            decode_snapshot(data[:at])
