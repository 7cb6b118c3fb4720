"""Write a circuit down in the one canonical form, whose hash is the circuit's name.

In: a `Circuit`. Out: a `Program`, ASCII JSON without spaces and with sorted keys; templates hold
each component once, with its rows and its tape, blocks say how they are laid out. `circuit_hash =
SHA-256(text)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from opendepin.core.encodings import sha256
from opendepin.core.field_tree import FieldTree
from opendepin.core.journey import Reading
from opendepin.proofs.zk.circuit import Circuit
from opendepin.proofs.zk.rule import check_readings
from opendepin.proofs.zk.trace import Combination, Template

FORMAT = "opendepin/circuit/2"

PUBLIC = ("statement", "evaluation", "field_root")
"""The public inputs of every program, in order."""

Flatten = Callable[[Combination], list[int]]
"""Writes a combination as its length, then (coefficient number, wire) pairs."""


@dataclass(frozen=True)
class Program:
    """A circuit as everybody takes it who proves, verifies or computes."""

    text: bytes
    circuit: Circuit
    tree: FieldTree
    """What it takes: how a reading becomes words, and how many readings there may be."""
    outputs: tuple[int, ...]
    """The wire of each output, in order."""
    maxima: tuple[int, ...]
    """Largest value of each output; the verifier contract holds every output to it."""

    @cached_property
    def hash(self) -> bytes:
        """The circuit hash, 32 bytes."""
        return sha256(self.text)

    @property
    def public(self) -> tuple[str, ...]:
        """Names of the public inputs."""
        return self.circuit.public

    @property
    def given(self) -> int:
        """How many private inputs whoever proves supplies."""
        return len(self.circuit.given)

    @cached_property
    def constraints(self) -> int:
        """Rows of the circuit."""
        return self.circuit.constraints

    def given_of(self, readings: Sequence[Reading]) -> list[int]:
        """Return the private inputs for these readings, padding included.

        Raises:
            ReadingsRejected: the circuit does not take them.
        """
        check_readings("the program", self.tree, readings)
        layout, found = self.tree.layout, list[int]()
        for reading in readings:
            found += (1, *layout.pack(reading))
        return found + [0] * (self.given - len(found))


def program(
    circuit: Circuit, tree: FieldTree, outputs: tuple[int, ...], maxima: tuple[int, ...]
) -> Program:
    """Serialise a circuit canonically, with what it takes and where its outputs stand."""
    coefficients: dict[int, int] = {}

    def flat(terms: Combination) -> list[int]:
        numbers = [len(terms)]
        for wire, factor in terms:
            numbers += coefficients.setdefault(factor, len(coefficients)), wire
        return numbers

    numbered: dict[Template, int] = {}
    for block in circuit.blocks:
        numbered.setdefault(block.template, len(numbered))
    templates = [_template(component, flat) for component in numbered]
    blocks = [
        {
            "base": block.base,
            "chained": block.chained,
            "inputs": [wire for wires in block.inputs for wire in wires],
            "instances": len(block.inputs),
            "template": numbered[block.template],
        }
        for block in circuit.blocks
    ]
    document = {
        "blocks": blocks,
        "capacity": tree.capacity,
        "coefficients": [format(factor, "x") for factor in coefficients],
        "constraints": circuit.constraints,
        "copies": circuit.copies,
        "format": FORMAT,
        "given": len(circuit.given),
        "lanes": [[name, str(low), str(high)] for name, low, high in tree.layout.bounds],
        "maxima": [str(maximum) for maximum in maxima],
        "outputs": outputs,
        "public": circuit.public,
        "templates": templates,
        "wires": circuit.wires,
    }
    return Program(spelled(document), circuit, tree, outputs, maxima)


def spelled(document: object) -> bytes:
    """Write a program's document in its one spelling."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _template(component: Template, flat: Flatten) -> dict[str, object]:
    rows = [number for row in component.rows for terms in row for number in flat(terms)]
    tape: list[int] = []
    for step in component.tape:
        tape += [int(step.op), step.target, step.width, *flat(step.left), *flat(step.right)]
    return {
        "inputs": component.inputs,
        "name": component.name,
        "registers": component.registers,
        "row_count": len(component.rows),
        "rows": rows,
        "tape": tape,
        "wires": component.wires,
    }
