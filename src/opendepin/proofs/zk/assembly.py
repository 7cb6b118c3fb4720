"""Build a rule's whole circuit around its trace: leaves, tree, count, outputs, public inputs.

    given       present and four lanes of every place
    leaves      present is a bit, the bits only fall (11100), the first is 1;
                leaf = present · Poseidon4(lanes)
    tree        node = Poseidon2; field root = Poseidon2(tree root, number present)  → public
    rule        one instance per place, states chained; totals over all places; outputs
    evaluation  Σ out_i · statement^(i+1)                                            → public

So exactly `count` leaves are consumed, padding is zero leaves, and every output is a function of
the leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from opendepin.core.journey import Reading
from opendepin.proofs.zk import gadgets
from opendepin.proofs.zk.circuit import Block, Circuit
from opendepin.proofs.zk.constraints import Column, TracedRule, traced
from opendepin.proofs.zk.language import Fold
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.program import Program, program
from opendepin.proofs.zk.rule import LANE_MAXIMA, Rule, lanes
from opendepin.proofs.zk.trace import Trace, template

PUBLIC = ("statement", "evaluation", "field_root")
GIVEN_PER_PLACE = 1 + len(LANE_MAXIMA)


@dataclass(frozen=True)
class Assembled:
    """A rule's circuit and what its outputs may be."""

    rule: Rule
    circuit: Circuit
    program: Program
    maxima: tuple[int, ...]
    """Largest value of each output, in order; the verifier contract holds every output to it."""

    def given(self, readings: Sequence[Reading]) -> list[int]:
        """Return the private inputs for these readings, padding included.

        Raises:
            ReadingsRejected: the circuit does not take them.
        """
        self.rule.check(readings)
        padding = [0] * GIVEN_PER_PLACE * (self.rule.capacity - len(readings))
        return [value for reading in readings for value in (1, *lanes(reading))] + padding


@cache
def assemble(rule: Rule) -> Assembled:
    """Build a rule's circuit; the same rule always gives the same circuit, and so the same hash."""
    traced_rule = traced(rule)
    circuit = Circuit(PUBLIC, GIVEN_PER_PLACE * rule.capacity)
    wires = [*circuit.given]
    places = [
        tuple(wires[at : at + GIVEN_PER_PLACE]) for at in range(0, len(wires), GIVEN_PER_PLACE)
    ]
    _commit(circuit, places)
    block = _replicate(circuit, traced_rule, places)
    outputs = _outputs(circuit, traced_rule, block)
    evaluate = template("evaluation", 1 + len(outputs), _evaluation)
    (evaluation,) = circuit.add_one(evaluate, circuit.public_wire("statement"), *outputs)
    circuit.publish("evaluation", evaluation)
    maxima = tuple(_maximum(column, rule.capacity) for column in traced_rule.columns)
    return Assembled(rule, circuit, program(circuit), maxima)


def _commit(circuit: Circuit, places: Sequence[tuple[int, ...]]) -> None:
    """Tie all places to the public field root."""
    present = [place[0] for place in places]
    level = circuit.add(template("leaf", GIVEN_PER_PLACE, _leaf), places).output(0)
    circuit.add(template("first", 1, _first), [present[:1]])
    circuit.add(template("falling", 2, _falling), pairwise(present))
    node = template("node", 2, _node)
    while len(level) > 1:
        level = circuit.add(node, zip(level[::2], level[1::2], strict=True)).output(0)
    (count,) = circuit.add_one(template("count", len(present), _sum), *present)
    (root,) = circuit.add_one(node, level[0], count)
    circuit.publish("field_root", root)


def _replicate(circuit: Circuit, rule: TracedRule, places: Sequence[tuple[int, ...]]) -> Block:
    start: list[int] = []
    if rule.states:
        start = circuit.add_one(template("zero", 0, _zero)) * rule.states
    return circuit.chain(rule.template, places, start)


def _zero(trace: Trace) -> list[Linear]:
    return [trace.wire(Linear({}))]


def _outputs(circuit: Circuit, rule: TracedRule, block: Block) -> list[int]:
    """Add up over all places, and make each output from totals and final states."""
    instances = len(block.inputs)
    summed = range(rule.states, len(rule.template.outputs))
    final = [block.output(number)[-1] for number in range(rule.states)]
    add_up = template("total", instances, _sum)
    totals = (
        circuit.add(add_up, (block.output(number) for number in summed)).output(0) if summed else []
    )

    def finish(trace: Trace, *offered: Linear) -> list[Linear]:
        return [_finished(trace, column, offered, instances) for column in rule.columns]

    return circuit.add_one(template("outputs", len(rule.template.outputs), finish), *final, *totals)


def _finished(trace: Trace, column: Column, offered: Sequence[Linear], instances: int) -> Linear:
    value = _of(column.contribution, offered) + column.constant * instances
    if column.fold is Fold.SMALLEST:
        empty = gadgets.is_zero(trace, _of(column.present, offered))
        return (1 - empty) * column.maximum - value
    return value


def _of(terms: Sequence[tuple[int, int]], offered: Sequence[Linear]) -> Linear:
    return sum((offered[number] * factor for number, factor in terms), Linear({}))


def _maximum(column: Column, capacity: int) -> int:
    return column.maximum * capacity if column.fold is Fold.SUM else column.maximum


def _leaf(trace: Trace, present: Linear, *wires: Linear) -> list[Linear]:
    gadgets.boolean(trace, present)
    return [trace.product(present, gadgets.poseidon(trace, *wires))]


def _first(trace: Trace, present: Linear) -> None:
    trace.equal(present, 1)


def _falling(trace: Trace, present: Linear, after: Linear) -> None:
    trace.require(after, 1 - present, 0)


def _node(trace: Trace, left: Linear, right: Linear) -> list[Linear]:
    return [gadgets.poseidon(trace, left, right)]


def _sum(trace: Trace, *values: Linear) -> list[Linear]:
    return [
        trace.wire(
            Linear({wire: factor for value in values for wire, factor in value.terms.items()})
        )
    ]


def _evaluation(trace: Trace, statement: Linear, *outputs: Linear) -> list[Linear]:
    value = Linear({})
    for output in reversed(outputs):
        value = trace.product(value + output, statement)
    return [value]
