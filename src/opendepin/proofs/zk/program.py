"""Write a circuit down in the one canonical form, whose hash is the circuit's name.

In: a `Circuit`. Out: a `Program`, ASCII JSON without spaces and with sorted keys; templates hold
each component once, with its rows and its tape, blocks say how they are laid out. `circuit_hash =
SHA-256(text)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from opendepin.core.encodings import sha256
from opendepin.proofs.zk.circuit import Circuit
from opendepin.proofs.zk.trace import Combination, Template

FORMAT = "opendepin/circuit/1"

Flatten = Callable[[Combination], list[int]]
"""Writes a combination as its length, then (coefficient number, wire) pairs."""


@dataclass(frozen=True)
class Program:
    """A circuit as the engine takes it."""

    text: bytes
    public: tuple[str, ...]
    given: int
    """How many private inputs whoever proves supplies."""
    constraints: int

    @cached_property
    def hash(self) -> bytes:
        """The circuit hash, 32 bytes."""
        return sha256(self.text)


def program(circuit: Circuit) -> Program:
    """Serialise a circuit canonically."""
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
        "coefficients": [format(factor, "x") for factor in coefficients],
        "constraints": circuit.constraints,
        "copies": circuit.copies,
        "format": FORMAT,
        "given": len(circuit.given),
        "public": circuit.public,
        "templates": templates,
        "wires": circuit.wires,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    return Program(text, circuit.public, len(circuit.given), circuit.constraints)


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
