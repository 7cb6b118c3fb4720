"""Lay templates out into one circuit: which wire is which, and what the circuit shows in public.

Wires: 0 = one, then the public inputs, then the given (private) inputs, then the blocks' own wires
in the order the blocks are added. Everything is a function of the calls, so the same rule always
gives the same circuit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.trace import Template, Trace, template


def _same(trace: Trace, left: Linear, right: Linear) -> None:
    trace.equal(left, right)


_SAME = template("same", 2, _same)


@dataclass(frozen=True)
class Block:
    """Some instances of one template."""

    template: Template
    base: int
    """First own wire of the first instance."""
    inputs: tuple[tuple[int, ...], ...]
    """The wires that each instance takes, one tuple per instance."""
    chained: bool
    """Whether instances take wires of the instance before them (they must then be computed in
    order).
    """

    def wires(self, instance: int) -> list[int]:
        """Return the circuit's wire behind each local wire of an instance."""
        first = self.base + instance * self.template.wires
        return [0, *self.inputs[instance], *range(first, first + self.template.wires)]

    def output(self, number: int) -> list[int]:
        """Return one output's wire in every instance."""
        local = self.template.outputs[number]
        if 0 < local <= self.template.inputs:
            return [wires[local - 1] for wires in self.inputs]
        first = self.base + local - 1 - self.template.inputs
        return [first + at * self.template.wires for at in range(len(self.inputs))]


class Circuit:
    """Blocks, the inputs they take, and the public inputs they are tied to."""

    def __init__(self, public: Sequence[str], given: int) -> None:
        self.public = tuple(public)
        self.given = range(1 + len(public), 1 + len(public) + given)
        """Wires that whoever proves supplies, in order."""
        self.wires = self.given.stop
        self.blocks: list[Block] = []
        self.copies: list[tuple[int, int]] = []
        """(public wire, computed wire it must equal)"""

    @property
    def constraints(self) -> int:
        """How many rows there are, without the guard rows that the engine adds for the public
        inputs.
        """
        return sum(len(block.inputs) * len(block.template.rows) for block in self.blocks)

    def public_wire(self, name: str) -> int:
        """Return the wire of a public input."""
        return 1 + self.public.index(name)

    def add(self, component: Template, inputs: Iterable[Sequence[int]]) -> Block:
        """Add one instance of a template per entry of `inputs`."""
        return self.place(component, [tuple(wires) for wires in inputs], chained=False)

    def add_one(self, component: Template, *inputs: int) -> list[int]:
        """Add one instance; returns its outputs' wires."""
        block = self.add(component, [inputs])
        return [block.output(number)[0] for number in range(len(component.outputs))]

    def chain(
        self, component: Template, own: Sequence[Sequence[int]], start: Sequence[int]
    ) -> Block:
        """Add instances that each take their own wires, then the first outputs of the instance
        before them.

        The first instance takes `start` instead; as many outputs are passed on as `start` has
        wires.
        """
        base, states = self.wires, len(start)
        inputs: list[tuple[int, ...]] = []
        before = tuple(start)
        for instance, wires in enumerate(own):
            inputs.append((*wires, *before))
            offset = base + instance * component.wires - 1 - component.inputs
            before = tuple(offset + local for local in component.outputs[:states])
        if any(local <= component.inputs for local in component.outputs[:states]):
            raise RuleBroken(f"{component.name}: a chained output must have a wire of its own")
        return self.place(component, inputs, chained=states > 0)

    def publish(self, name: str, wire: int) -> None:
        """Tie a computed wire to a public input, with one row."""
        self.copies.append((self.public_wire(name), wire))
        self.add(_SAME, [(self.public_wire(name), wire)])

    def place(
        self, component: Template, inputs: Sequence[tuple[int, ...]], *, chained: bool
    ) -> Block:
        """Add instances that take these wires; chained, one may take wires of those before it."""
        if any(len(wires) != component.inputs for wires in inputs):
            raise RuleBroken(f"{component.name} takes {component.inputs} inputs")
        block = Block(component, self.wires, tuple(inputs), chained)
        self.wires += len(inputs) * component.wires
        self.blocks.append(block)
        return block
