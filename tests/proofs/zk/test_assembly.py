"""The circuit around a rule: exactly `count` leaves, nothing of the padding, nothing left open."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS, evaluation
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.zk.assembly import GIVEN_PER_PLACE, PUBLIC, assemble
from opendepin.proofs.zk.integers import outputs
from opendepin.proofs.zk.rule import Rule, lanes
from opendepin.proofs.zk.solver import solve, violation
from tests.proofs.zk.circuits import free, root_of
from tests.proofs.zk.rules import EVERYTHING

RULE = CLEAN_AIR.resized(4)
ASSEMBLED = assemble(RULE)
READINGS = [
    Reading(0, 1, 1_038_700_800, 61_125),
    Reading(69, 9, 1_038_787_200, 4_000),
    Reading(33, 2, 1_038_787_200, 50_000),
]
STATEMENT = (1 << 247) + 99


def wires_of(given_values: list[int]) -> list[int]:
    return solve(ASSEMBLED.circuit, given_values, {"statement": STATEMENT})


def given_with(*changes: tuple[int, int, int]) -> list[int]:
    """The honest inputs with (place, lane, value) changed; lane 0 is the present bit."""
    values = ASSEMBLED.given(READINGS)
    for place, lane, value in changes:
        values[place * GIVEN_PER_PLACE + lane] = value
    return values


def test_the_public_inputs_are_statement_evaluation_field_root() -> None:
    assert PUBLIC == ("statement", "evaluation", "field_root")
    wires = wires_of(given_with())
    assert violation(ASSEMBLED.circuit, wires) is None
    expected = evaluation(outputs(RULE, READINGS), STATEMENT)
    assert wires[1:4] == [STATEMENT, expected, root_of(READINGS, RULE.depth)]


@pytest.mark.parametrize("public", [1, 2, 3])
def test_each_public_input_is_bound(public: int) -> None:
    wires = wires_of(given_with())
    wires[public] = (wires[public] + 1) % FIELD_MODULUS
    assert violation(ASSEMBLED.circuit, wires) is not None


@pytest.mark.parametrize(
    "changes",
    [
        ((1, 0, 0),),  # a reading left out in the middle
        ((0, 0, 0), (1, 0, 0), (2, 0, 0)),  # none at all
        ((1, 0, 2),),
        ((1, 0, FIELD_MODULUS - 1), (3, 0, 2)),
        ((0, 0, 0), (3, 0, 1)),
    ],
    ids=["gap", "none", "two", "minus one", "shifted"],
)
def test_present_bits_are_bits_that_only_fall(changes: tuple[tuple[int, int, int], ...]) -> None:
    assert violation(ASSEMBLED.circuit, wires_of(given_with())) is None
    assert violation(ASSEMBLED.circuit, wires_of(given_with(*changes))) is not None


def test_leaving_the_last_reading_out_is_another_field_root() -> None:
    wires = wires_of(given_with((2, 0, 0)))
    assert violation(ASSEMBLED.circuit, wires) is None
    assert wires[3] == root_of(READINGS[:-1], RULE.depth) != root_of(READINGS, RULE.depth)


@settings(max_examples=25)
@given(st.tuples(*(st.integers(0, (1 << 20) - 1) for _ in range(4))))
def test_what_stands_in_the_padding_changes_nothing(padding: tuple[int, ...]) -> None:
    changed = wires_of(given_with(*((3, 1 + at, value) for at, value in enumerate(padding))))
    assert violation(ASSEMBLED.circuit, changed) is None
    assert changed[1:4] == wires_of(given_with())[1:4]


@settings(max_examples=25)
@given(st.integers(0, 2), st.integers(0, 3), st.integers(1, 50))
def test_every_lane_is_under_the_field_root(place: int, lane: int, more: int) -> None:
    value = lanes(READINGS[place])[lane] + more
    assert wires_of(given_with((place, 1 + lane, value)))[3] != wires_of(given_with())[3]


@pytest.mark.parametrize("rule", [RULE, EVERYTHING], ids=["clean-air", "everything"])
def test_no_wire_is_free_once_readings_and_statement_are_fixed(rule: Rule) -> None:
    assembled = assemble(rule)
    wires = solve(assembled.circuit, assembled.given(READINGS), {"statement": STATEMENT})
    assert violation(assembled.circuit, wires) is None
    assert not free(assembled.circuit, wires, [*assembled.circuit.given, 1])


def test_the_full_circuit_stays_within_2_to_the_18() -> None:
    assembled = assemble(CLEAN_AIR)
    assert assembled.rule.capacity == 256
    assert assembled.program.constraints == 216_403
    assert assembled.program.constraints / 256 < 1_023
    assert len(assembled.maxima) == 135


def test_the_full_circuits_hash_is_pinned() -> None:
    """A change here changes every key: it must be meant."""
    digest = assemble(CLEAN_AIR).program.hash.hex()
    assert digest == "e7191086cd421188a040990a0beadd1cf27c20994f800d34ef046e2ccf6c0b0a"
