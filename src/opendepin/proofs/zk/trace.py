"""Record one component: its constraints, and the flat tape that computes its wires.

In: gadget calls on a `Trace`. Out: a sealed `Template` that `circuit.py` replicates. Every wire is
made by a tape step. `product` and `wire` constrain what they make; the `advise_*` steps do not, and
only gadgets may use them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.zk.linear import Linear, Terms

_INPUT, _WIRE, _TEMPORARY = 1, 1 << 24, 1 << 48
"""Where each kind of register is numbered from while a trace is open; sealing renumbers them
densely.
"""


class Op(IntEnum):
    """What a tape step does with its operands."""

    PRODUCT = 0
    """left · right"""
    VALUE = 1
    """left"""
    BITS = 2
    """the lowest `width` bits of left, low first, into `width` registers"""
    INVERSE = 3
    """1 / left, and 0 for 0"""


Term = tuple[int, int]
"""(local wire or register, coefficient)"""
Combination = tuple[Term, ...]
Row = tuple[Combination, Combination, Combination]
"""left · right = result"""


@dataclass(frozen=True)
class Step:
    """One instruction of the tape."""

    op: Op
    target: int
    left: Combination
    right: Combination = ()
    width: int = 1


@dataclass(frozen=True)
class Template:
    """A sealed component. Local numbering: 0 = one, inputs from 1, then own wires, then
    temporaries.
    """

    name: str
    inputs: int
    wires: int
    registers: int
    rows: tuple[Row, ...]
    tape: tuple[Step, ...]
    outputs: tuple[int, ...]
    """Local wires that other components may take."""


@dataclass
class _OpenStep:
    op: Op
    target: int
    left: Terms
    right: Terms
    width: int


class Trace:
    """One component while it is being recorded."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inputs = self._wires = self._temporaries = 0
        self._rows: list[tuple[Terms, Terms, Terms]] = []
        self._tape: list[_OpenStep] = []
        self._outputs: list[int] = []

    @property
    def row_count(self) -> int:
        """Rows so far."""
        return len(self._rows)

    def input(self) -> Linear:
        """Take one more input; it holds whatever wire the circuit connects."""
        self._inputs += 1
        return Linear({_INPUT + self._inputs - 1: 1})

    def require(self, left: Linear | int, right: Linear | int, result: Linear | int) -> None:
        """Constrain left · right = result."""
        self._rows.append((Linear.of(left).terms, Linear.of(right).terms, Linear.of(result).terms))

    def equal(self, left: Linear | int, right: Linear | int) -> None:
        """Constrain left = right."""
        self.require(Linear.of(left) - right, 1, 0)

    def product(self, left: Linear, right: Linear) -> Linear:
        """Return left · right: free when one is constant, else one wire and one constraint."""
        for constant, other in ((left.constant, right), (right.constant, left)):
            if constant is not None:
                return other * constant
        wire = self._wire()
        self._step(Op.PRODUCT, wire, left.recipe, right.recipe)
        self.require(left, right, Linear({wire: 1}))
        return Linear({wire: 1})

    def wire(self, value: Linear) -> Linear:
        """Give an expression a wire of its own, for one constraint: later rows get shorter."""
        return Linear({self._wire_of(value): 1})

    def once(self, value: Linear) -> Linear:
        """Return the same expression, but computed once: later steps read a temporary register."""
        return Linear(value.terms, {self._temporary(Op.VALUE, value.recipe, {}): 1})

    def advise_value(self, value: Linear) -> Linear:
        """Make a wire with this value and NO constraint: the gadget must constrain it."""
        wire = self._wire()
        self._step(Op.VALUE, wire, value.recipe)
        return Linear({wire: 1})

    def advise_product_sum(self, left: Linear, right: Linear, factor: int, rest: Linear) -> Linear:
        """Make a wire with left · right · factor + rest and NO constraint: the gadget must
        constrain it.
        """
        product = Linear({}, {self._temporary(Op.PRODUCT, left.recipe, right.recipe): 1})
        return self.advise_value(product * factor + rest)

    def advise_bits(self, value: Linear, width: int) -> list[Linear]:
        """Make `width` wires with the lowest bits and NO constraint: the gadget must constrain
        them.
        """
        wires = [self._wire() for _ in range(width)]
        self._step(Op.BITS, wires[0], value.recipe, width=width)
        return [Linear({wire: 1}) for wire in wires]

    def temporary_bits(self, value: Linear, width: int) -> list[Linear]:
        """Compute the lowest bits on the tape alone, for advice to be made of: no wire, no
        constraint; not to be used in a constraint.
        """
        first = self._temporaries
        self._temporaries += width
        self._step(Op.BITS, _TEMPORARY + first, value.recipe, width=width)
        return [Linear({}, {_TEMPORARY + first + at: 1}) for at in range(width)]

    def advise_inverse(self, value: Linear) -> Linear:
        """Make a wire with 1/value (0 for 0) and NO constraint: the gadget must constrain it."""
        wire = self._wire()
        self._step(Op.INVERSE, wire, value.recipe)
        return Linear({wire: 1})

    def output(self, value: Linear) -> int:
        """Offer a value to other components, on a wire of its own if it has none; returns the
        output's number.
        """
        self._outputs.append(self._wire_of(value))
        return len(self._outputs) - 1

    def seal(self) -> Template:
        """Close the trace: number everything densely, put combinations in canonical order."""
        wires_from, temporaries_from = 1 + self._inputs, 1 + self._inputs + self._wires

        def local(register: int) -> int:
            if register >= _TEMPORARY:
                return temporaries_from + register - _TEMPORARY
            return wires_from + register - _WIRE if register >= _WIRE else register

        def ordered(terms: Terms) -> Combination:
            return tuple(sorted((local(register), factor) for register, factor in terms.items()))

        return Template(
            name=self._name,
            inputs=self._inputs,
            wires=self._wires,
            registers=temporaries_from + self._temporaries,
            rows=tuple((ordered(a), ordered(b), ordered(c)) for a, b, c in self._rows),
            tape=tuple(
                Step(s.op, local(s.target), ordered(s.left), ordered(s.right), s.width)
                for s in self._tape
            ),
            outputs=tuple(local(wire) for wire in self._outputs),
        )

    def _wire(self) -> int:
        self._wires += 1
        return _WIRE + self._wires - 1

    def _wire_of(self, value: Linear) -> int:
        wire = value.wire
        if wire is None:
            wire = self._wire()
            self._step(Op.VALUE, wire, value.recipe)
            self.equal(value, Linear({wire: 1}))
        return wire

    def _temporary(self, op: Op, left: Terms, right: Terms) -> int:
        self._temporaries += 1
        register = _TEMPORARY + self._temporaries - 1
        self._step(op, register, left, right)
        return register

    def _step(
        self, op: Op, target: int, left: Terms, right: Terms | None = None, width: int = 1
    ) -> None:
        self._tape.append(_OpenStep(op, target, left, right or {}, width))


def template(name: str, inputs: int, body: Callable[..., Iterable[Linear] | None]) -> Template:
    """Record `body(trace, *inputs)`; what it returns becomes the outputs, in order."""
    trace = Trace(name)
    for value in body(trace, *(trace.input() for _ in range(inputs))) or ():
        trace.output(value)
    return trace.seal()


def value_of(terms: Combination, registers: list[int]) -> int:
    """Evaluate a combination over register values."""
    return sum(factor * registers[register] for register, factor in terms) % FIELD_MODULUS
