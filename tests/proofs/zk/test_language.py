"""The language's promises cannot be made by hand, and misuse says what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from opendepin.core.journey import Reading
from opendepin.core.layout import Layout
from opendepin.core.statement import evaluation
from opendepin.proofs.errors import ReadingsRejected, RuleBroken
from opendepin.proofs.zk import language as zk
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.constraints import ConstraintMachine, traced
from opendepin.proofs.zk.integers import IntegerMachine, outputs
from opendepin.proofs.zk.machine import Machine
from opendepin.proofs.zk.rule import MAX_CAPACITY, Rule
from opendepin.proofs.zk.solver import solve, violation
from opendepin.proofs.zk.trace import Trace
from opendepin.proofs.zk.values import wrapped
from tests.proofs.zk.rules import SCHEMA

MACHINES: dict[str, Callable[[], Machine]] = {
    "integers": IntegerMachine,
    "constraints": lambda: ConstraintMachine(Trace("test")),
}


@pytest.fixture(params=MACHINES)
def reading(request: pytest.FixtureRequest) -> zk.Reading:
    return wrapped(MACHINES[request.param](), 1, Layout.of(SCHEMA), (3, 5, 4, 6))


@pytest.mark.parametrize("promise", [zk.Bit, zk.Present])
def test_bits_are_made_by_checks_only(reading: zk.Reading, promise: type[zk.Bit]) -> None:
    assert isinstance(reading["value"] == 6, zk.Bit)
    with pytest.raises(RuleBroken, match="made only by"):
        promise(reading["value"].machine, reading["value"].handle)
    with pytest.raises(RuleBroken, match="made only by"):
        promise(reading["value"].machine, reading["value"].handle, True)


def test_ranges_and_places_are_made_by_checks_only(reading: zk.Reading) -> None:
    assert zk.ranged(reading["value"], 8).maximum == 255
    with pytest.raises(RuleBroken, match="made only by"):
        zk.Ranged(reading["value"].machine, reading["value"].handle, 8)
    with pytest.raises(RuleBroken, match="made only by"):
        zk.OneHot(reading["value"].machine, [1, 1])


def test_arithmetic_forgets_promises(reading: zk.Reading) -> None:
    ranged = zk.ranged(reading["value"], 8)
    for made in (ranged + ranged, ranged - 1, ranged * 2, ranged * ranged, reading.present + 1):
        assert type(made) is zk.Field


def test_what_is_not_present_is_not_counted(reading: zk.Reading) -> None:
    value = zk.ranged(reading["value"], 8)
    bit = value < 7
    assert type(bit) is zk.Bit
    assert type(reading.present & bit) is zk.Present
    assert type(bit & reading.present) is zk.Present
    assert type(~reading.present) is zk.Bit
    assert type(reading.present | bit) is zk.Bit


def test_a_rule_cannot_branch(reading: zk.Reading) -> None:
    with pytest.raises(RuleBroken, match="select"):
        bool(reading["value"] == 6)
    with pytest.raises(RuleBroken, match="branch"):
        bool(zk.ranged(reading["value"], 8) < 3)


def test_field_elements_have_no_order(reading: zk.Reading) -> None:
    with pytest.raises(TypeError):
        bool(reading["value"] + 1 < 5)
    with pytest.raises(TypeError):
        hash(reading["value"])
    with pytest.raises(RuleBroken):
        bool(reading["value"] == "6")


@pytest.mark.parametrize("constant", [-1, 256])
def test_a_constant_must_fit_the_range(reading: zk.Reading, constant: int) -> None:
    with pytest.raises(RuleBroken, match="compared"):
        bool(zk.ranged(reading["value"], 8) < constant)


def test_groups_must_cover_every_place(reading: zk.Reading) -> None:
    place = zk.one_hot(zk.ranged(reading["value"], 8), 4, gate=reading.present)
    assert len(place.merged((0, 0, 1, 1), 2)) == 2
    for wrong in ((0, 0, 1), (0, 0, 1, 2), (0, 0, 1, -1)):
        with pytest.raises(RuleBroken, match="group"):
            place.merged(wrong, 2)


@pytest.mark.parametrize("size", [0, 1, 257])
def test_a_one_hot_has_a_sane_size(reading: zk.Reading, size: int) -> None:
    with pytest.raises(RuleBroken, match="places"):
        zk.one_hot(zk.ranged(reading["value"], 8), size, gate=reading.present)


def test_poseidon_takes_two_or_four(reading: zk.Reading) -> None:
    assert isinstance(zk.poseidon(reading["value"], reading.seq), zk.Field)
    with pytest.raises(RuleBroken):
        zk.poseidon(reading["value"])


@pytest.mark.parametrize("capacity", [-1, 0, 1, MAX_CAPACITY + 1])
def test_a_capacity_is_within_bounds(capacity: int) -> None:
    with pytest.raises(RuleBroken, match="capacity"):
        Rule("r", SCHEMA, capacity, lambda reading: [zk.count(reading.present)])


@pytest.mark.parametrize("count", [0, 257])
def test_a_rule_has_1_to_256_outputs(count: int) -> None:
    def compute(reading: zk.Reading) -> Sequence[zk.Output]:
        return [zk.count(reading.present)] * count

    with pytest.raises(RuleBroken, match="outputs"):
        traced(Rule("r", SCHEMA, 2, compute))


def test_a_value_of_another_machine_is_refused() -> None:
    foreign = ConstraintMachine(Trace("test")).trace.input()

    def compute(reading: zk.Reading) -> Sequence[zk.Output]:
        kept = zk.Field(reading["value"].machine, foreign)
        return [zk.count(reading.present & (kept == 0))]

    with pytest.raises(RuleBroken, match="another machine"):
        outputs(Rule("r", SCHEMA, 2, compute), [Reading(0, 0, 0, (0,))])


def test_a_place_needs_the_range_it_was_given() -> None:
    """Ranged twice, to few bits and to many: each range keeps bits of its own."""

    def compute(reading: zk.Reading) -> Sequence[zk.Output]:
        many = zk.ranged(reading["value"], 20)
        zk.ranged(reading["value"], 3)
        return zk.counts(zk.one_hot(many, 100, gate=reading.present))

    rule = Rule("r", SCHEMA, 2, compute)
    assembled = assemble(rule)
    readings = [Reading(0, 0, 0, (7,)), Reading(0, 0, 0, (6,))]
    wires = solve(assembled.circuit, assembled.given(readings), {"statement": 3})
    assert violation(assembled.circuit, wires) is None
    assert wires[2] == evaluation(outputs(rule, readings), 3)
    beyond = [Reading(0, 0, 0, (8,))]
    with pytest.raises(ReadingsRejected):
        outputs(rule, beyond)
    wires = solve(assembled.circuit, assembled.given(beyond), {"statement": 3})
    assert violation(assembled.circuit, wires) is not None


def test_the_same_rule_is_the_same_circuit() -> None:
    def compute(reading: zk.Reading) -> Sequence[zk.Output]:
        return [zk.count(reading.present & (zk.ranged(reading["value"], 20) > 5))]

    def other(reading: zk.Reading) -> Sequence[zk.Output]:
        return [zk.count(reading.present & (zk.ranged(reading["value"], 20) > 6))]

    first, again = (
        assemble(Rule("r", SCHEMA, 2, rule)).program for rule in (compute, lambda r: [*compute(r)])
    )
    assert first.text == again.text
    assert assemble(Rule("r", SCHEMA, 2, other)).program.hash != first.hash
    assert assemble(Rule("r", SCHEMA, 4, compute)).program.hash != first.hash
