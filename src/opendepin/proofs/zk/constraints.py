"""Run a rule on constraints: trace it once, and say how outputs come from all readings.

In: a rule. Out: a `TracedRule`, a template whose instances form a chain (each takes the states of
the one before it) plus, per output, the wires that are to be added up or the state that is to be
read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opendepin.core.layout import Layout
from opendepin.core.limits import MAX_OUTPUTS
from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk import division, gadgets
from opendepin.proofs.zk.language import Fold, Output
from opendepin.proofs.zk.linear import ONE, Linear
from opendepin.proofs.zk.machine import Handle
from opendepin.proofs.zk.rule import Rule
from opendepin.proofs.zk.trace import Template, Trace
from opendepin.proofs.zk.values import wrapped

Key = tuple[tuple[int, int], ...]
"""An expression's terms, in order."""


class ConstraintMachine:
    """`Machine` over one trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._bits: dict[tuple[int, Key], list[Linear]] = {}
        """Checked bits by width and expression, so that nothing is taken apart twice."""
        self._products: dict[tuple[Key, Key], Linear] = {}
        self.states: list[Linear] = []
        """What each chained state is before this reading."""
        self.after: list[Linear] = []
        """What it is after."""

    def product(self, left: Handle, right: Handle) -> Handle:
        """Return left · right; 1 row unless one is constant or the product was made before."""
        first, second = Linear.of(left), Linear.of(right)
        ends = _key(first), _key(second)
        found = self._products.get(ends)
        if found is None:
            found = self._products[ends] = self.trace.product(first, second)
        return found

    def lane(self, places: Sequence[Linear]) -> Linear:
        """Return the number whose checked bits are `places`."""
        value = self.trace.once(gadgets.weighted(places))
        self._bits[len(places), _key(value)] = [*places]
        return value

    def ranged(self, value: Handle, bits: int) -> Handle:
        """Return the value, constrained to 0..2**bits-1."""
        if not 0 < bits <= gadgets.MAX_RANGE_BITS:
            raise RuleBroken(f"a range has 1..{gadgets.MAX_RANGE_BITS} bits, not {bits}")
        expression = Linear.of(value)
        self._bits[bits, _key(expression)] = gadgets.bits(self.trace, expression, bits)
        return value

    def less_than(self, left: Handle, right: Handle, bits: int) -> Handle:
        """Return 1 if left < right else 0."""
        return gadgets.less_than(self.trace, Linear.of(left), Linear.of(right), bits)

    def below(self, value: Handle, bound: int, bits: int) -> Handle:
        """Return 1 if value < bound else 0."""
        expression = Linear.of(value)
        places = self._bits.get((bits, _key(expression)))
        if places is None:
            return gadgets.less_than(self.trace, expression, Linear.of(bound), bits)

        def both(at: int) -> Linear:
            return Linear.of(self.product(places[at], places[at + 1]))

        return gadgets.below(self.trace, places, bound, both)

    def divided(self, value: Handle, most: int, divisor: int) -> tuple[Handle, Handle]:
        """Return quotient, rounded down, and remainder; free if only bits need regrouping."""
        expression = Linear.of(value)
        places = self._bits.get((most.bit_length(), _key(expression)))
        cut = divisor.bit_length() - 1
        if places is not None and divisor == 1 << cut:
            return self.lane(places[cut:]), self.lane(places[:cut])
        quotient, remainder = division.divided(self.trace, expression, most, divisor)
        return self.lane(quotient), self.lane(remainder)

    def is_zero(self, value: Handle) -> Handle:
        """Return 1 if value is 0 else 0."""
        return gadgets.is_zero(self.trace, Linear.of(value))

    def one_hot(self, index: Handle, bits: int, size: int, gate: Handle) -> list[Handle]:
        """Return `size` bits, number index holding the gate."""
        expression = Linear.of(index)
        places = self._bits.get((bits, _key(expression)))
        if places is None:
            places = gadgets.bits(self.trace, expression, bits)
        return [*gadgets.one_hot(self.trace, places, size, Linear.of(gate))]

    def poseidon(self, *inputs: Handle) -> Handle:
        """Return the Poseidon hash of two or four values."""
        return gadgets.poseidon(self.trace, *map(Linear.of, inputs))

    def largest(self, groups: Sequence[Handle], value: Handle, bits: int) -> list[Handle]:
        """Return each group's running largest value, carried from reading to reading."""
        before = [self.trace.input() for _ in groups]
        after = gadgets.raise_largest(
            self.trace, [*map(Linear.of, groups)], before, Linear.of(value), bits
        )
        self.states += before
        self.after += after
        return [*after]

    def smallest(self, groups: Sequence[Handle], value: Handle, bits: int) -> list[Handle]:
        """Return each group's running largest complement: the smallest value is what it leaves of
        the maximum.
        """
        return self.largest(groups, (1 << bits) - 1 - value, bits)

    def extremes(
        self, gates: Sequence[Handle], values: Sequence[Handle], bits: int
    ) -> tuple[Handle, Handle]:
        """Return the smallest and the largest value whose gate is 1."""
        pairs = zip(gates, values, strict=True)
        gated = [Linear.of(self.product(gate, value)) for gate, value in pairs]
        return gadgets.extremes(self.trace, [*map(Linear.of, gates)], gated, bits)


@dataclass(frozen=True)
class Column:
    """Where an output comes from: the template's outputs with their coefficients, a constant."""

    fold: Fold
    contribution: tuple[tuple[int, int], ...]
    present: tuple[tuple[int, int], ...]
    constant: int
    """Added once per instance."""
    maximum: int
    """Largest contribution of one reading."""


@dataclass(frozen=True)
class TracedRule:
    """A rule as constraints on one reading."""

    template: Template
    """Inputs: present, the reading's words, the states. Outputs: the states after, then wires to
    add up over all readings.
    """
    states: int
    columns: tuple[Column, ...]


def traced(rule: Rule, trace: Trace | None = None) -> TracedRule:
    """Trace a rule for one reading, on a trace of the caller's if it wants to look on.

    Raises:
        RuleBroken: no output, or more than `MAX_OUTPUTS`.
    """
    trace = Trace(f"rule {rule.name}") if trace is None else trace
    machine = ConstraintMachine(trace)
    present, lanes = _given(machine, rule.layout)
    outputs = rule.compute(wrapped(machine, present, rule.layout, lanes))
    if not 1 <= len(outputs) <= MAX_OUTPUTS:
        raise RuleBroken(f"a rule has 1..{MAX_OUTPUTS} outputs, not {len(outputs)}")
    offered: dict[int, int] = {}
    for state in machine.after:
        _offer(trace, offered, Linear.of(state))
    columns = tuple(_column(trace, offered, output) for output in outputs)
    return TracedRule(trace.seal(), len(machine.states), columns)


def head(layout: Layout, states: int) -> Template:
    """Return what every rule's template over such readings begins with, whatever it computes: the
    present bit, and each word taken apart into bits, which range-checks every lane.
    """
    trace = Trace("head")
    _given(ConstraintMachine(trace), layout)
    for _ in range(states):
        trace.input()
    return trace.seal()


def _given(machine: ConstraintMachine, layout: Layout) -> tuple[Linear, list[Linear]]:
    present = gadgets.boolean(machine.trace, machine.trace.input())
    return present, _lanes(machine, layout, present)


def _lanes(machine: ConstraintMachine, layout: Layout, present: Linear) -> list[Linear]:
    """Take the reading's words apart, which range-checks every lane once."""
    trace = machine.trace
    words = [trace.input() for _ in range(layout.words)]
    places = [
        gadgets.unpacked(trace, word, present, layout.bits_of(number))
        for number, word in enumerate(words)
    ]
    return [
        machine.lane(places[lane.word][lane.shift : lane.shift + lane.bits])
        for lane in layout.lanes
    ]


def _column(trace: Trace, offered: dict[int, int], output: Output) -> Column:
    contribution, present = Linear.of(output.contribution), Linear.of(output.present)
    return Column(
        fold=output.fold,
        contribution=_offer(trace, offered, contribution),
        present=_offer(trace, offered, present),
        constant=contribution.terms.get(ONE, 0),
        maximum=output.maximum,
    )


def _offer(
    trace: Trace, offered: dict[int, int], expression: Linear
) -> tuple[tuple[int, int], ...]:
    """Make every wire of an expression an output of the template, once."""
    terms: list[tuple[int, int]] = []
    for wire, factor in expression.terms.items():
        if wire == ONE:
            continue
        if wire not in offered:
            offered[wire] = trace.output(Linear({wire: 1}))
        terms.append((offered[wire], factor))
    return tuple(terms)


def _key(expression: Linear) -> Key:
    return tuple(sorted(expression.terms.items()))
