"""Small circuits for the tests, and two independent looks at what constraints leave open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from opendepin.core.field_tree import FieldTree
from opendepin.core.layout import Layout
from opendepin.core.schema import Field, Schema
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.zk.circuit import Circuit
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.program import Program, program
from opendepin.proofs.zk.trace import template

TREE = FieldTree(Layout.of(Schema((Field(1, "observed_s", 0, 9),))), 2)
"""Stands in where a circuit is of no rule."""


def solo(inputs: int, body: Callable[..., Iterable[Linear]]) -> Circuit:
    """A circuit of one instance of one template; each of its outputs is public: out0, out1, ..."""
    component = template("solo", inputs, body)
    circuit = Circuit([f"out{i}" for i in range(len(component.outputs))], inputs)
    for number, wire in enumerate(circuit.add_one(component, *circuit.given)):
        circuit.publish(f"out{number}", wire)
    return circuit


def own(circuit: Circuit, number: int) -> int:
    """The circuit's wire of the first block's own wire `number`."""
    return circuit.blocks[0].base + number


def forged(circuit: Circuit, wires: Sequence[int], changes: dict[int, int]) -> list[int]:
    """Change wires, and let the public copies follow what they copy."""
    changed = list(wires)
    for wire, value in changes.items():
        changed[wire] = value % FIELD_MODULUS
    for target, source in circuit.copies:
        changed[target] = changed[source]
    return changed


def free(circuit: Circuit, wires: Sequence[int], known: Iterable[int]) -> set[int]:
    """Wires that may move while the known ones stand still, to first order at this witness.

    Each row a·b = c says b·da + a·db = dc. A wire stands still once a row leaves nothing else to
    move; what never comes to stand is free. A wire that is used but under-determined shows here,
    also where a change of it alone would break a row.
    """
    still = {0, *known}
    rows = []
    for block in circuit.blocks:
        for instance in range(len(block.inputs)):
            ids = block.wires(instance)
            for left, right, result in block.template.rows:
                a = sum(factor * wires[ids[wire]] for wire, factor in left)
                b = sum(factor * wires[ids[wire]] for wire, factor in right)
                slope: dict[int, int] = {}
                for terms, by in ((left, b), (right, a), (result, -1)):
                    for wire, factor in terms:
                        slope[ids[wire]] = (slope.get(ids[wire], 0) + factor * by) % FIELD_MODULUS
                rows.append({wire for wire, factor in slope.items() if factor})
    while True:
        found = {wire for row in rows if len(moving := row - still) == 1 for wire in moving}
        if not found:
            return set(range(circuit.wires)) - still
        still |= found
        rows = [row for row in rows if not row <= still]


def written(circuit: Circuit) -> Program:
    """A circuit of no rule as the engine takes it."""
    return program(circuit, TREE, (), ())
