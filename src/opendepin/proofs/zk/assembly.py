"""Build a rule's whole circuit around its trace: words, tree, count, outputs, public inputs.

    given       present and the words of every place
    present     a bit each, the bits only fall (11100), the first is 1
    tree        node = Poseidon4 over all words, then zeros;
                field root = Poseidon2(tree root, number present)                    → public
    rule        one instance per place: words are 0 where nothing is present, and are taken apart
                into lanes; states chained; totals over all places; outputs
    evaluation  Σ out_i · statement^(i+1)                                            → public

So exactly `count` readings are consumed, padding is zero words, and every output is a function of
the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from opendepin.core.field_tree import FieldTree
from opendepin.core.journey import Reading
from opendepin.core.poseidon import ARITY, empty_root
from opendepin.proofs.zk import gadgets
from opendepin.proofs.zk.circuit import Block, Circuit
from opendepin.proofs.zk.constraints import Column, traced
from opendepin.proofs.zk.language import Fold
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.program import PUBLIC, Program, program
from opendepin.proofs.zk.rule import Rule
from opendepin.proofs.zk.trace import Template, Trace, template


@dataclass(frozen=True)
class Assembled:
    """A rule's circuit and what its outputs may be."""

    rule: Rule
    program: Program

    @property
    def circuit(self) -> Circuit:
        """The constraints."""
        return self.program.circuit

    @property
    def maxima(self) -> tuple[int, ...]:
        """Largest value of each output, in order."""
        return self.program.maxima

    def given(self, readings: Sequence[Reading]) -> list[int]:
        """Return the private inputs for these readings (`Program.given_of`)."""
        return self.program.given_of(readings)


@cache
def assemble(rule: Rule) -> Assembled:
    """Build a rule's circuit; the same rule always gives the same circuit, and so the same hash."""
    traced_rule = traced(rule)
    component = traced_rule.template

    def finish(trace: Trace, *offered: Linear) -> list[Linear]:
        return [_finished(trace, each, offered, rule.capacity) for each in traced_rule.columns]

    finished = template("outputs", len(component.outputs), finish)
    circuit, outputs = lay_out(rule.tree, component, finished)
    maxima = tuple(_maximum(column, rule.capacity) for column in traced_rule.columns)
    return Assembled(rule, program(circuit, rule.tree, tuple(outputs), maxima))


def lay_out(tree: FieldTree, rule: Template, finish: Template) -> tuple[Circuit, list[int]]:
    """Lay a rule's two components out in the one circuit that there is for them.

    Args:
        tree: what the circuit takes.
        rule: one instance per place. Inputs: present, the reading's words, the states. Outputs: the
            states after, then what is added up over all places.
        finish: makes the outputs, from the last states and the totals.

    Returns:
        The circuit, and the wire of each output.
    """
    per_place = 1 + tree.layout.words
    circuit = Circuit(PUBLIC, per_place * tree.capacity)
    wires = [*circuit.given]
    places = [tuple(wires[at : at + per_place]) for at in range(0, len(wires), per_place)]
    _commit(circuit, places, tree.depth)
    states = rule.inputs - per_place
    start = circuit.add_one(template("zero", 0, _zero)) * states if states else []
    block = circuit.chain(rule, places, start)
    outputs = circuit.add_one(finish, *_folded(circuit, block, states))
    evaluate = template("evaluation", 1 + len(outputs), _evaluation)
    (evaluation,) = circuit.add_one(evaluate, circuit.public_wire("statement"), *outputs)
    circuit.publish("evaluation", evaluation)
    return circuit, outputs


def _commit(circuit: Circuit, places: Sequence[tuple[int, ...]], depth: int) -> None:
    """Tie all places to the public field root."""
    present = [place[0] for place in places]
    circuit.add(template("first", 1, _first), [present[:1]])
    circuit.add(template("falling", 2, _falling), pairwise(present))
    level = [word for place in places for word in place[1:]]
    for height in range(depth):
        level = _parents(circuit, level, height)
    (count,) = circuit.add_one(template("count", len(present), _sum), *present)
    (root,) = circuit.add_one(_hasher("root", 2), level[0], count)
    circuit.publish("field_root", root)


def _parents(circuit: Circuit, level: Sequence[int], height: int) -> list[int]:
    """Hash four nodes each; what is empty for ever, beyond the last place, is a constant."""
    whole = len(level) // ARITY * ARITY
    children = [level[at : at + ARITY] for at in range(0, whole, ARITY)]
    found = circuit.add(_hasher("node", ARITY), children).output(0) if children else []
    if whole < len(level):
        rest = level[whole:]
        found += circuit.add_one(_last_hasher(height, len(rest)), *rest)
    return found


@cache
def _hasher(name: str, size: int) -> Template:
    return template(name, size, _hash)


@cache
def _last_hasher(height: int, size: int) -> Template:
    empty = [Linear.of(empty_root(height))] * (ARITY - size)

    def partly(trace: Trace, *given: Linear) -> list[Linear]:
        return [gadgets.poseidon(trace, *given, *empty)]

    return template(f"last node {height}", size, partly)


def _zero(trace: Trace) -> list[Linear]:
    return [trace.wire(Linear({}))]


def _folded(circuit: Circuit, block: Block, states: int) -> list[int]:
    """Return the wires of the last states, and of what is added up over all places."""
    instances = len(block.inputs)
    final = [block.output(number)[-1] for number in range(states)]
    summed = range(states, len(block.template.outputs))
    if not summed:
        return final
    add_up = template("total", instances, _sum)
    return final + circuit.add(add_up, map(block.output, summed)).output(0)


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


def _first(trace: Trace, present: Linear) -> None:
    trace.equal(present, 1)


def _falling(trace: Trace, present: Linear, after: Linear) -> None:
    trace.require(after, 1 - present, 0)


def _hash(trace: Trace, *children: Linear) -> list[Linear]:
    return [gadgets.poseidon(trace, *children)]


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
