"""The look before keys are made finds what is open, and nothing where nothing is."""

from __future__ import annotations

from typing import Any

import pytest

from opendepin.core.limits import MAX_OBSERVED_S
from opendepin.core.schema import Field, Schema
from opendepin.proofs.zk import gadgets
from opendepin.proofs.zk.circuit import Circuit
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.solver import solve
from opendepin.proofs.zk.trace import Trace, template
from opendepin.rules import Number, count, largest, total
from opendepin.rules.building import build
from opendepin.rules.checking import Rows, check, edge_readings, forgeries
from opendepin.rules.errors import NotProven

SCHEMA = Schema((Field(1, "observed_s", 0, MAX_OBSERVED_S), Field(2, "value", -50, 1_000)))


def sound(reading: Any) -> Any:
    value = reading["value"]
    return {"n": count(where=value > 3), "sum": total(value // 7), "most": largest(value)}


def advised(make: Any) -> Any:
    """A rule that adds up a wire that `make` makes on the trace without the language."""

    def compute(reading: Any) -> Any:
        value = reading["value"]
        machine, handle = value.session.machine, value.handle
        if isinstance(handle, Linear):
            handle = make(machine.trace, handle)
        return {"sum": total(Number(value.session, handle, value.low, value.high))}

    return compute


def test_a_sound_rule_passes() -> None:
    check(build("sound", SCHEMA, 4, sound))


def test_a_wire_that_no_row_pins_down_is_found() -> None:
    def unconstrained(trace: Trace, value: Linear) -> Linear:
        return trace.advise_value(value)

    with pytest.raises(NotProven, match="no function of the readings"):
        check(build("open", SCHEMA, 4, advised(unconstrained)))


def test_a_wire_with_two_values_to_choose_from_is_found_where_a_row_holds_both() -> None:
    def either(trace: Trace, value: Linear) -> Linear:
        wire = trace.advise_value(value)
        trace.require(wire - value, Linear({}), 0)
        return wire

    with pytest.raises(NotProven, match="no function of the readings"):
        check(build("either", SCHEMA, 4, advised(either)))


def test_a_wire_in_no_row_is_found() -> None:
    def idle(trace: Trace, value: Linear) -> Linear:
        trace.advise_value(value * 3)
        return value

    with pytest.raises(NotProven, match="stand in no row"):
        check(build("idle", SCHEMA, 4, advised(idle)))


def test_an_honest_witness_that_breaks_a_row_is_found() -> None:
    def narrow(trace: Trace, value: Linear) -> Linear:
        gadgets.bits(trace, value, 9)
        return value

    with pytest.raises(NotProven, match="have no proof"):
        check(build("narrow", SCHEMA, 4, advised(narrow)))


def test_every_output_is_changed_in_several_ways() -> None:
    built = build("sound", SCHEMA, 4, sound)
    tried = forgeries(built, edge_readings(SCHEMA, 3))
    assert {each.output for each in tried} == {info.name for info in built.description.outputs}
    assert all(each.refused_by and each.honest != each.forged for each in tried)
    assert not any(str(each.refused_by).startswith("evaluation") for each in tried)


def test_a_wire_that_only_its_product_holds_moves() -> None:
    def loose(trace: Trace, value: Linear) -> list[Linear]:
        other = trace.advise_value(value * 3)
        return [trace.product(other, value)]

    circuit = Circuit(["out"], 1)
    (wire,) = circuit.add_one(template("loose", 1, loose), *circuit.given)
    circuit.publish("out", wire)
    wires = solve(circuit, [5], {})
    assert len(Rows(circuit).moving(wires, circuit.given)) >= 2


def test_edge_readings_fit_the_schema_and_reach_its_edges() -> None:
    found = edge_readings(SCHEMA, 9)
    assert found == edge_readings(SCHEMA, 9)
    assert found != edge_readings(SCHEMA, 9, seed=1)
    values = [reading.values[0] for reading in found]
    assert min(values) == -50
    assert max(values) == 1_000
    assert all(-50 <= value <= 1_000 for value in values)
