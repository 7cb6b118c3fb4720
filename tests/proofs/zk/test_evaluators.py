"""One rule, two evaluators: integers and constraints always give the same outputs.

And every segment that the schema lets through has a satisfying witness: else a signed odd reading
would make honest operators fail.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from opendepin.core.journey import Reading
from opendepin.core.limits import MAX_DEVICES_PER_PROJECT, MAX_OBSERVED_S, MAX_SEQ
from opendepin.core.statement import evaluation
from opendepin.demo.clean_air import CLEAN_AIR, MAX_VALUE
from opendepin.proofs.errors import ReadingsRejected
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.integers import outputs
from opendepin.proofs.zk.rule import Rule
from opendepin.proofs.zk.solver import solve, violation
from tests.proofs.zk.rules import EVERYTHING, PACKED, TOTALS, packs, readings

STATEMENT = st.integers(0, (1 << 248) - 1)
LARGEST = Reading(MAX_DEVICES_PER_PROJECT - 1, MAX_SEQ, MAX_OBSERVED_S, (MAX_VALUE,))


def agree(rule: Rule, given_readings: list[Reading], statement: int) -> None:
    """Demand a satisfied circuit whose three public inputs are those of the integers."""
    assembled = assemble(rule)
    wires = solve(assembled.circuit, assembled.given(given_readings), {"statement": statement})
    assert violation(assembled.circuit, wires) is None
    expected = outputs(rule, given_readings)
    assert all(0 <= out <= top for out, top in zip(expected, assembled.maxima, strict=True))
    root = rule.tree.root(given_readings)
    assert wires[1:4] == [statement, evaluation(expected, statement), root]


@settings(max_examples=40)
@given(readings(4), STATEMENT)
@example([Reading(0, 0, 0, (0,))], 0)
@example([LARGEST] * 4, (1 << 248) - 1)
def test_everything_agrees(given_readings: list[Reading], statement: int) -> None:
    agree(EVERYTHING, given_readings, statement)


@settings(max_examples=30)
@given(readings(8, stations=80), STATEMENT)
@example([LARGEST] * 8, 1)
def test_clean_air_agrees(given_readings: list[Reading], statement: int) -> None:
    agree(CLEAN_AIR.resized(8), given_readings, statement)


@settings(max_examples=20)
@given(readings(4), STATEMENT)
def test_a_rule_without_states_agrees(given_readings: list[Reading], statement: int) -> None:
    agree(TOTALS, given_readings, statement)


@settings(max_examples=40)
@given(packs(4), STATEMENT)
def test_packs_agree(given_readings: list[Reading], statement: int) -> None:
    agree(PACKED, given_readings, statement)


@pytest.mark.parametrize("lane", ["device_index", "seq", "observed_s", "value"])
def test_a_lane_beyond_its_bound_is_refused(lane: str) -> None:
    rule = EVERYTHING
    assert outputs(rule, [LARGEST])
    for wrong in (vars(LARGEST).get(lane, MAX_VALUE) + 1, -1):
        beyond = [replace(LARGEST, **({"values": (wrong,)} if lane == "value" else {lane: wrong}))]
        with pytest.raises(ReadingsRejected, match=lane):
            outputs(rule, beyond)
        with pytest.raises(ReadingsRejected, match=lane):
            assemble(rule).given(beyond)


@settings(max_examples=6)
@given(packs(7), st.integers(2, 7), STATEMENT)
def test_any_capacity_agrees(given_readings: list[Reading], capacity: int, statement: int) -> None:
    """Trees whose last nodes are partly, or wholly, of what is empty for ever."""
    agree(PACKED.resized(capacity), given_readings[:capacity], statement)


def test_one_to_capacity_readings_are_taken() -> None:
    reading = Reading(1, 2, 3, (4,))
    for count in (1, 4):
        agree(TOTALS, [reading] * count, 9)
    for count in (0, 5):
        with pytest.raises(ReadingsRejected):
            outputs(TOTALS, [reading] * count)
        with pytest.raises(ReadingsRejected):
            assemble(TOTALS).given([reading] * count)
