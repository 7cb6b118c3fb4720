"""Open a program's canonical text: everything that proving and computing need, and no code.

In: bytes from anywhere; whoever cares that they are a certain program compares the hash. Out: a
`Program`, or a `ProgramRejected`. Every number is bounded here, once, as in
`engines/groth16/program.go`; after that nothing that stands in the text can make a solver read or
write out of place. A text has one spelling, so that two readers of it cannot see two circuits, and
its circuit is the standard one around some rule (`frame.py`): nobody has to look again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Annotated

import msgspec

from opendepin.core.errors import SchemaRejected
from opendepin.core.field_tree import FieldTree
from opendepin.core.layout import Layout
from opendepin.core.limits import MAX_OUTPUTS
from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.errors import ProgramRejected
from opendepin.proofs.zk.circuit import Circuit
from opendepin.proofs.zk.frame import require_frame
from opendepin.proofs.zk.program import FORMAT, PUBLIC, Program, spelled
from opendepin.proofs.zk.rule import MAX_CAPACITY
from opendepin.proofs.zk.trace import Combination, Op, Row, Step, Template

MAX_TEXT_BYTES = 64 << 20
"""Largest text; the demo's has half a megabyte."""

MAX_WIRES, MAX_ROWS, MAX_REGISTERS = 1 << 23, 1 << 22, 1 << 20
FIELD_BITS = 254

Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
Decimal = Annotated[str, msgspec.Meta(pattern=r"^(0|-?[1-9][0-9]*)$", max_length=80)]
Coefficient = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]+$", max_length=64)]


class _TemplateForm(msgspec.Struct, forbid_unknown_fields=True):
    inputs: Number
    name: str
    registers: Number
    row_count: Number
    rows: list[Number]
    tape: list[Number]
    wires: Number


class _BlockForm(msgspec.Struct, forbid_unknown_fields=True):
    base: Number
    chained: bool
    inputs: list[Number]
    instances: Number
    template: Number


class _ProgramForm(msgspec.Struct, forbid_unknown_fields=True):
    blocks: list[_BlockForm]
    capacity: Number
    coefficients: list[Coefficient]
    constraints: Number
    copies: list[tuple[Number, Number]]
    format: str
    given: Number
    lanes: list[tuple[str, Decimal, Decimal]]
    maxima: list[Decimal]
    outputs: list[Number]
    public: list[str]
    templates: list[_TemplateForm]
    wires: Number


@lru_cache(maxsize=4)
def open_program(text: bytes) -> Program:
    """Open a program's text; the last few are remembered.

    Raises:
        ProgramRejected: it is none.
        FrameRejected: its circuit is not bound to its readings and outputs as every program's is.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise ProgramRejected(f"a program has at most {MAX_TEXT_BYTES} bytes, not {len(text)}")
    try:
        form = msgspec.json.decode(text, type=_ProgramForm)
        layout = Layout.of_bounds([(name, int(low), int(high)) for name, low, high in form.lanes])
    except (msgspec.MsgspecError, SchemaRejected) as error:
        raise ProgramRejected(f"this is no program: {error}") from error
    _demand(spelled(json.loads(text)) == text, "it is not spelled in the canonical form")
    tree = FieldTree(layout, form.capacity)
    _check_head(form, tree)
    circuit = Circuit(form.public, form.given)
    factors = [int(factor, 16) for factor in form.coefficients]
    _demand(all(factor < FIELD_MODULUS for factor in factors), "a coefficient is not below r")
    templates = [_template(each, factors) for each in form.templates]
    for block in form.blocks:
        _add(circuit, block, templates)
    _demand(
        (circuit.wires, circuit.constraints) == (form.wires, form.constraints),
        "it says another number of wires or rows than it has",
    )
    for target, source in form.copies:
        _demand(0 < target <= len(form.public) and source < form.wires, "a copy is out of bounds")
        circuit.copies.append((target, source))
    _demand(all(wire < form.wires for wire in form.outputs), "an output is out of bounds")
    require_frame(circuit, tree, form.outputs)
    maxima = tuple(map(int, form.maxima))
    _demand(all(0 <= each < FIELD_MODULUS for each in maxima), "a maximum is not in 0..r-1")
    return Program(text, circuit, tree, tuple(form.outputs), maxima)


def _demand(holds: bool, why: str) -> None:
    if not holds:
        raise ProgramRejected(f"this is no program: {why}")


def _check_head(form: _ProgramForm, tree: FieldTree) -> None:
    _demand(form.format == FORMAT, f"it is of form {form.format[:40]!r}, not {FORMAT!r}")
    _demand(tuple(form.public) == PUBLIC, "it has other public inputs")
    _demand(2 <= tree.capacity <= MAX_CAPACITY, f"it takes {tree.capacity} readings")
    due = tree.capacity * (1 + tree.layout.words)
    _demand(form.given == due, "its inputs are not present and words of every place")
    _demand(form.wires <= MAX_WIRES and form.constraints <= MAX_ROWS, "it is too large")
    outputs = len(form.outputs)
    _demand(1 <= outputs <= MAX_OUTPUTS and outputs == len(form.maxima), "its outputs are wrong")


def _template(form: _TemplateForm, factors: Sequence[int]) -> Template:
    own = 1 + form.inputs + form.wires
    sized = own <= form.registers <= MAX_REGISTERS and form.row_count <= len(form.rows)
    _demand(sized, "a template's sizes are out of bounds")
    rows, tape = iter(form.rows), iter(form.tape)
    found = tuple(_row(rows, own, factors) for _ in range(form.row_count))
    _demand(next(rows, None) is None, "rows go on after the last")
    steps = tuple(_steps(tape, form, factors))
    return Template(form.name, form.inputs, form.wires, form.registers, found, steps, ())


def _row(numbers: Iterator[int], limit: int, factors: Sequence[int]) -> Row:
    left, right, result = (_terms(numbers, limit, factors) for _ in range(3))
    return left, right, result


def _terms(numbers: Iterator[int], limit: int, factors: Sequence[int]) -> Combination:
    size = next(numbers, None)
    _demand(size is not None and size <= limit, "a list ends early")
    flat = list(islice(numbers, 2 * (size or 0)))
    _demand(len(flat) == 2 * (size or 0), "a combination is longer than its list")
    for factor, register in zip(flat[::2], flat[1::2], strict=True):
        _demand(factor < len(factors) and register < limit, "a term is out of bounds")
    return tuple((r, factors[f]) for f, r in zip(flat[::2], flat[1::2], strict=True))


def _steps(numbers: Iterator[int], form: _TemplateForm, factors: Sequence[int]) -> Iterator[Step]:
    while (op := next(numbers, None)) is not None:
        head = list(islice(numbers, 2))
        _demand(len(head) == 2 and op <= max(Op), "a step is none")
        target, width = head
        fits = form.inputs < target and target + width <= form.registers
        _demand(fits and 1 <= width <= FIELD_BITS, "a step is out of bounds")
        left = _terms(numbers, form.registers, factors)
        yield Step(Op(op), target, left, _terms(numbers, form.registers, factors), width)


def _add(circuit: Circuit, form: _BlockForm, templates: Sequence[Template]) -> None:
    _demand(form.template < len(templates) and form.base == circuit.wires, "a block is misplaced")
    component = templates[form.template]
    size, wires = component.inputs, form.instances * component.wires
    _demand(len(form.inputs) == form.instances * size, "a block has a wrong number of inputs")
    _demand(max(form.instances, circuit.wires + wires) <= MAX_WIRES, "it is too large")
    inputs: list[tuple[int, ...]] = []
    for instance in range(form.instances):
        limit = form.base + (instance * component.wires if form.chained else 0)
        taken = tuple(form.inputs[instance * size : (instance + 1) * size])
        _demand(all(wire < limit for wire in taken), "a block takes a wire made after it")
        inputs.append(taken)
    circuit.place(component, inputs, chained=form.chained)
