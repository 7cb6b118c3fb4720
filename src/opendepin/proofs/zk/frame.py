"""Hold an opened circuit against the standard one around its rule's two components.

In: what a text says. Out: nothing, or a `FrameRejected` that names the first place that differs.
All of a circuit but two components is fixed by what it takes: the field tree over all words and its
public root, the present bits, the unpacking of every word, one instance of the rule per place,
chained, the sums over all places, the evaluation of the outputs and its public wire. It is laid out
anew by the code that writes circuits (`assembly.lay_out`) and compared wire by wire, row by row.

Free are the rows of the rule after its head, and those that make outputs of states and totals. They
reach the wires of their own component alone, so whatever they say of a reading's wires can only
forbid readings, never let others pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest

from opendepin.core.field_tree import FieldTree
from opendepin.core.layout import Layout
from opendepin.proofs.errors import FrameRejected
from opendepin.proofs.zk.assembly import lay_out
from opendepin.proofs.zk.circuit import Block, Circuit
from opendepin.proofs.zk.constraints import head
from opendepin.proofs.zk.trace import Row, Template

AFTER_FINISH = 2
"""Blocks after the one that makes the outputs: their evaluation, and its public wire."""


@dataclass(frozen=True)
class _Parts:
    """The blocks that hold what a project chose."""

    rule: Block
    finish: Block
    total: Block | None


def require_frame(circuit: Circuit, tree: FieldTree, outputs: Sequence[int]) -> None:
    """Demand that a circuit is the standard one around some rule.

    Args:
        circuit: the whole circuit, its bounds checked.
        tree: what it says that it takes; callers compare that with a manifest.
        outputs: the wires that it says are its outputs.

    Raises:
        FrameRejected: it is not; the text names the first block, and row, that differs.
    """
    parts = _parts(circuit, tree)
    states = parts.rule.template.inputs - 1 - tree.layout.words
    rule = replace(parts.rule.template, outputs=_offered(parts, 1 + tree.layout.words))
    fits = parts.finish.template.inputs == len(rule.outputs)
    _demand(fits, "the outputs are not made of the last states and the totals")
    places = _numbers(parts.finish.wires(0), outputs, "an output is made elsewhere than the others")
    finish = replace(parts.finish.template, outputs=places)
    _require_head(rule, _head(tree.layout, states))
    due, _ = lay_out(tree, rule, finish)
    for number, (block, wanted) in enumerate(zip_longest(circuit.blocks, due.blocks)):
        _compare(number, block, wanted)
    _demand(circuit.copies == due.copies, "a public input is tied to another wire")


@lru_cache(maxsize=16)
def _head(layout: Layout, states: int) -> Template:
    return head(layout, states)


def _parts(circuit: Circuit, tree: FieldTree) -> _Parts:
    """Find the rule, the outputs and the totals; that all else is right is seen afterwards."""
    per_place = 1 + tree.layout.words
    first = (*circuit.given[:per_place],)
    found = (
        at
        for at, block in enumerate(circuit.blocks)
        if len(block.inputs) == tree.capacity and block.inputs[0][:per_place] == first
    )
    at, last = next(found, None), len(circuit.blocks) - 1 - AFTER_FINISH
    if at is None or not at < last <= at + 2:
        raise FrameRejected(
            f"the circuit has no rule over {tree.capacity} places of {per_place} wires each, "
            "followed by totals, outputs and their evaluation"
        )
    finish = circuit.blocks[last]
    _demand(len(finish.inputs) == 1, "the outputs are made more than once")
    return _Parts(circuit.blocks[at], finish, circuit.blocks[at + 1] if last == at + 2 else None)


def _offered(parts: _Parts, per_place: int) -> tuple[int, ...]:
    """Return which wires of a rule's instance are its next states, and which are added up, as the
    second instance shows them: its own wires are nobody else's.
    """
    rule, why = parts.rule, "the rule's instances are not chained one after the other"
    states = _numbers(rule.wires(0), rule.inputs[1][per_place:], why)
    _demand(all(local > rule.template.inputs for local in states), why)
    if parts.total is None:
        return states
    why = "a total is not over the rule's instances"
    _demand(parts.total.template.inputs == len(rule.inputs), why)
    return states + _numbers(rule.wires(1), [each[1] for each in parts.total.inputs], why)


def _numbers(wires: Sequence[int], wanted: Sequence[int], why: str) -> tuple[int, ...]:
    """Return the local number of each wire of an instance; the constant is none."""
    local = {wire: number for number, wire in reversed([*enumerate(wires)][1:])}
    _demand(all(wire in local for wire in wanted), why)
    return tuple(local[wire] for wire in wanted)


def _require_head(rule: Template, due: Template) -> None:
    """Demand that the rule's first rows are those that unpack its words, over the same wires."""
    _demand(rule.wires >= due.wires, "the rule takes no word apart: it has too few wires")
    _compare_rows(f"rule template {rule.name[:40]!r}", rule.rows[: len(due.rows)], due.rows)


def _compare(number: int, block: Block | None, due: Block | None) -> None:
    if block is None or due is None:
        what = "is missing" if block is None else "is one too many"
        raise FrameRejected(f"not the standard frame: block {number} {what}")
    found, wanted = block.template, due.template
    name = f"block {number} ({wanted.name[:40]!r})"
    _compare_rows(name, found.rows, wanted.rows)
    shape = (found.name, found.inputs, found.wires, found.registers)
    if shape != (wanted.name, wanted.inputs, wanted.wires, wanted.registers):
        raise FrameRejected(f"not the standard frame: {name} is another component")
    _demand(found.tape == wanted.tape, f"{name} is computed otherwise")
    same = (block.base, block.chained) == (due.base, due.chained)
    _demand(same, f"{name} stands on other wires")
    for instance, (takes, wanted_wires) in enumerate(zip_longest(block.inputs, due.inputs)):
        _demand(takes == wanted_wires, f"instance {instance} of {name} takes other wires")


def _compare_rows(name: str, found: Sequence[Row], due: Sequence[Row]) -> None:
    if found is due or found == due:
        return
    pairs = enumerate(zip_longest(found, due))
    at = next(at for at, (row, wanted) in pairs if row != wanted)
    raise FrameRejected(f"not the standard frame: row {at} of {name} differs")


def _demand(holds: bool, why: str) -> None:
    if not holds:
        raise FrameRejected(f"not the standard frame: {why}")
