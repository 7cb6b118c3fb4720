"""The circuit around a rule: exactly `count` leaves, nothing of the padding, nothing left open."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS, evaluation
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.zk.assembly import PUBLIC, assemble
from opendepin.proofs.zk.integers import outputs
from opendepin.proofs.zk.rule import Rule
from opendepin.proofs.zk.solver import solve, violation
from tests.proofs.zk.circuits import free
from tests.proofs.zk.rules import EVERYTHING, PACKED

RULE = CLEAN_AIR.resized(4)
ASSEMBLED = assemble(RULE)
READINGS = [
    Reading(0, 1, 1_038_700_800, (61_125,)),
    Reading(69, 9, 1_038_787_200, (4_000,)),
    Reading(33, 2, 1_038_787_200, (50_000,)),
]
STATEMENT = (1 << 247) + 99
GIVEN_PER_PLACE = 1 + RULE.layout.words
PACKS = [
    Reading(5, 100, 7, (-300, 900, 7, 901, 0, 3, 2, 1 << 40, 1 << 59, 1 << 60)),
    Reading(0, 1, 8, (-5, 7, 7, 7, 7, 7, 0, (1 << 60) + (1 << 40), 1 << 59, 1 << 41)),
]


def wires_of(given_values: list[int]) -> list[int]:
    return solve(ASSEMBLED.circuit, given_values, {"statement": STATEMENT})


def given_with(*changes: tuple[int, int, int]) -> list[int]:
    """The honest inputs with (place, which, value) changed; 0 is the present bit, 1 the word."""
    values = ASSEMBLED.given(READINGS)
    for place, which, value in changes:
        values[place * GIVEN_PER_PLACE + which] = value
    return values


def left_out(place: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    return (place, 0, 0), (place, 1, 0)


def test_the_public_inputs_are_statement_evaluation_field_root() -> None:
    assert PUBLIC == ("statement", "evaluation", "field_root")
    wires = wires_of(given_with())
    assert violation(ASSEMBLED.circuit, wires) is None
    expected = evaluation(outputs(RULE, READINGS), STATEMENT)
    assert wires[1:4] == [STATEMENT, expected, RULE.tree.root(READINGS)]


@pytest.mark.parametrize("public", [1, 2, 3])
def test_each_public_input_is_bound(public: int) -> None:
    wires = wires_of(given_with())
    wires[public] = (wires[public] + 1) % FIELD_MODULUS
    assert violation(ASSEMBLED.circuit, wires) is not None


@pytest.mark.parametrize(
    "changes",
    [
        left_out(1),  # in the middle
        (*left_out(0), *left_out(1), *left_out(2)),  # none at all
        ((1, 0, 2),),
        ((1, 0, FIELD_MODULUS - 1), (3, 0, 2)),
        (*left_out(0), (3, 0, 1)),
    ],
    ids=["gap", "none", "two", "minus one", "shifted"],
)
def test_present_bits_are_bits_that_only_fall(changes: tuple[tuple[int, int, int], ...]) -> None:
    assert violation(ASSEMBLED.circuit, wires_of(given_with())) is None
    assert violation(ASSEMBLED.circuit, wires_of(given_with(*changes))) is not None


def test_leaving_the_last_reading_out_is_another_field_root() -> None:
    wires = wires_of(given_with(*left_out(2)))
    assert violation(ASSEMBLED.circuit, wires) is None
    assert wires[3] == RULE.tree.root(READINGS[:-1]) != RULE.tree.root(READINGS)


@settings(max_examples=25)
@given(st.integers(1, (1 << 248) - 1))
def test_a_word_where_no_reading_is_has_no_proof(word: int) -> None:
    assert violation(ASSEMBLED.circuit, wires_of(given_with((3, 1, 0)))) is None
    assert violation(ASSEMBLED.circuit, wires_of(given_with((3, 1, word)))) is not None
    dropped = violation(ASSEMBLED.circuit, wires_of(given_with((2, 0, 0))))
    assert dropped is not None
    assert dropped.template == "rule clean-air"


@settings(max_examples=25)
@given(st.integers(0, 2), st.integers(0, 132))
def test_every_bit_of_a_word_is_under_the_field_root(place: int, bit: int) -> None:
    word = RULE.layout.pack(READINGS[place])[0] ^ 1 << bit
    wires = wires_of(given_with((place, 1, word)))
    assert violation(ASSEMBLED.circuit, wires) is None
    assert wires[3] != wires_of(given_with())[3]


@pytest.mark.parametrize("bit", [133, 200, 247, 248, 253])
def test_a_word_with_bits_above_its_last_lane_has_no_proof(bit: int) -> None:
    """Else one number would stand for two readings, or a value for one beyond its lane."""
    word = RULE.layout.pack(READINGS[1])[0] + (1 << bit)
    assert violation(ASSEMBLED.circuit, wires_of(given_with((1, 1, word)))) is not None


def bit_wires(instance: int) -> range:
    """The wires of a reading's bits: the first that the rule's template makes."""
    block = next(b for b in ASSEMBLED.circuit.blocks if b.template.name == "rule clean-air")
    first = block.base + instance * block.template.wires
    return range(first, first + RULE.layout.bits_of(0))


@pytest.mark.parametrize(
    ("at", "more", "less"),
    [(20, 1, -(1 << 20)), (20, 1, 0), (112, -1, 2), (113, 1, -2)],
    ids=["a lane into the one below", "a value more", "two for one", "across lanes"],
)
def test_a_forged_split_of_a_word_is_refused(at: int, more: int, less: int) -> None:
    """The same word taken apart otherwise: what one bit has more, others have less."""
    honest = wires_of(given_with())
    assert [honest[w] for w in bit_wires(1)] == [
        RULE.layout.pack(READINGS[1])[0] >> place & 1 for place in range(133)
    ]
    lie, bits = list(honest), bit_wires(1)
    lie[bits[at]] = (lie[bits[at]] + more) % FIELD_MODULUS
    below = 0 if at == 20 else at - 1
    lie[bits[below]] = (lie[bits[below]] + less) % FIELD_MODULUS
    assert violation(ASSEMBLED.circuit, lie) is not None


@pytest.mark.parametrize(
    "rule", [RULE, EVERYTHING, PACKED], ids=["clean-air", "everything", "packed"]
)
def test_no_wire_is_free_once_readings_and_statement_are_fixed(rule: Rule) -> None:
    assembled = assemble(rule)
    some = READINGS if rule is not PACKED else PACKS
    wires = solve(assembled.circuit, assembled.given(some), {"statement": STATEMENT})
    assert violation(assembled.circuit, wires) is None
    assert not free(assembled.circuit, wires, [*assembled.circuit.given, 1])


def test_the_full_circuit_stays_within_2_to_the_17() -> None:
    assembled = assemble(CLEAN_AIR)
    assert assembled.rule.capacity == 256
    assert assembled.program.constraints == 120_288
    assert assembled.program.constraints / 256 < 511
    assert len(assembled.maxima) == 135


def test_the_full_circuits_hash_is_pinned() -> None:
    """A change here changes every key: it must be meant."""
    digest = assemble(CLEAN_AIR).program.hash.hex()
    assert digest == "01a4d0d8085e725b0ed5d9ea7fd0ee15c05a991a8be7a557e0461d0f8423f581"
