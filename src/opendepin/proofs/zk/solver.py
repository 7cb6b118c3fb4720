"""Solve and check a circuit in plain Python: what the engine's answers are compared with.

`solve` runs the tapes; `violation` looks at the constraints alone and knows nothing of how wires
were computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from opendepin.core.journey import Reading
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk.circuit import Block, Circuit
from opendepin.proofs.zk.program import Program
from opendepin.proofs.zk.trace import Op, Step, value_of


class Violation(NamedTuple):
    """The first constraint that does not hold."""

    template: str
    instance: int
    row: int


def solve(circuit: Circuit, given: Sequence[int], public: Mapping[str, int]) -> list[int]:
    """Return every wire's value; the constraints may still be broken if the inputs are outside
    their ranges.
    """
    if len(given) != len(circuit.given):
        raise RuleBroken(f"{len(given)} inputs given where {len(circuit.given)} are due")
    wires = [0] * circuit.wires
    wires[0] = 1
    for name, value in public.items():
        wires[circuit.public_wire(name)] = value % FIELD_MODULUS
    wires[circuit.given.start : circuit.given.stop] = [value % FIELD_MODULUS for value in given]
    _run_all(circuit.blocks, wires)
    for target, source in circuit.copies:
        wires[target] = wires[source]
    return wires


def follow(circuit: Circuit, wires: list[int], template: str) -> None:
    """Compute the blocks of one template anew from changed wires, and the public inputs that are
    tied to them.
    """
    for block in circuit.blocks:
        if block.template.name == template:
            for instance in range(len(block.inputs)):
                _run(block, instance, wires)
    for target, source in circuit.copies:
        wires[target] = wires[source]


def outputs_of(program: Program, readings: Sequence[Reading]) -> tuple[int, ...]:
    """Return a program's outputs over readings: only the blocks that outputs hang on are run.

    Raises:
        ReadingsRejected: the program does not take them.
    """
    circuit = program.circuit
    wires = [0] * circuit.wires
    wires[0] = 1
    wires[circuit.given.start : circuit.given.stop] = program.given_of(readings)
    _run_all(_needed(circuit, program.outputs), wires)
    return tuple(wires[wire] for wire in program.outputs)


def _needed(circuit: Circuit, wires: Sequence[int]) -> list[Block]:
    """Return the blocks that these wires hang on, in order."""
    wanted, found = set(wires), list[Block]()
    for block in reversed(circuit.blocks):
        made = range(block.base, block.base + len(block.inputs) * block.template.wires)
        if any(wire in made for wire in wanted):
            found.append(block)
            wanted.update(wire for inputs in block.inputs for wire in inputs)
    return found[::-1]


def violation(circuit: Circuit, wires: Sequence[int]) -> Violation | None:
    """Return the first broken constraint, or None when the wires satisfy the circuit."""
    for block in circuit.blocks:
        for instance in range(len(block.inputs)):
            local = [wires[wire] for wire in block.wires(instance)]
            for number, (left, right, result) in enumerate(block.template.rows):
                if value_of(left, local) * value_of(right, local) % FIELD_MODULUS != value_of(
                    result, local
                ):
                    return Violation(block.template.name, instance, number)
    return None


def _run_all(blocks: Sequence[Block], wires: list[int]) -> None:
    for block in blocks:
        for instance in range(len(block.inputs)):
            _run(block, instance, wires)


def _run(block: Block, instance: int, wires: list[int]) -> None:
    component = block.template
    registers = [0] * component.registers
    registers[0] = 1
    registers[1 : 1 + component.inputs] = [wires[wire] for wire in block.inputs[instance]]
    for step in component.tape:
        _step(step, registers)
    first = block.base + instance * component.wires
    own = 1 + component.inputs
    wires[first : first + component.wires] = registers[own : own + component.wires]


def _step(step: Step, registers: list[int]) -> None:
    left = value_of(step.left, registers)
    if step.op is Op.PRODUCT:
        registers[step.target] = left * value_of(step.right, registers) % FIELD_MODULUS
    elif step.op is Op.VALUE:
        registers[step.target] = left
    elif step.op is Op.INVERSE:
        registers[step.target] = pow(left, FIELD_MODULUS - 2, FIELD_MODULUS)
    else:
        for place in range(step.width):
            registers[step.target + place] = left >> place & 1
