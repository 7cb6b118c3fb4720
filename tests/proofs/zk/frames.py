"""Circuits whose frame is not the standard one, each written by code that leaves out or turns one
thing: what whoever registers a program could put under its hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from opendepin.core.schema import Schema
from opendepin.proofs.zk import assembly, constraints, gadgets
from opendepin.proofs.zk.circuit import Block, Circuit
from opendepin.proofs.zk.linear import Linear
from opendepin.proofs.zk.program import Program, program, spelled
from opendepin.proofs.zk.rule import Rule
from opendepin.proofs.zk.trace import Template, Trace, template

Patch = AbstractContextManager[Any]


def written(rule: Rule, *patches: Patch) -> bytes:
    """Write a rule's circuit by code that was tampered with."""
    with ExitStack() as stack:
        for each in patches:
            stack.enter_context(each)
        return assembly.assemble.__wrapped__(rule).program.text


def _nothing(_trace: Trace, *_wires: Linear) -> None:
    """Constrain nothing."""


def _loose_words(trace: Trace, word: Linear, _present: Linear, width: int) -> list[Linear]:
    return gadgets.bits(trace, word, width)


def _one_bit_unchecked(trace: Trace, word: Linear, present: Linear, width: int) -> list[Linear]:
    made = trace.advise_bits(word, width)
    for bit in made[:-1]:
        gadgets.boolean(trace, bit)
    trace.equal(gadgets.weighted(made), word)
    trace.require(word, 1 - present, 0)
    return made


def _sum_unchecked(trace: Trace, word: Linear, present: Linear, width: int) -> list[Linear]:
    made = [gadgets.boolean(trace, bit) for bit in trace.advise_bits(word, width)]
    trace.require(word, 1 - present, 0)
    return made


def _unchecked_present(machine: Any, layout: Any) -> Any:
    present = machine.trace.input()
    return present, constraints._lanes(machine, layout, present)


_COMMIT, _PARENTS, _PUBLISH = assembly._commit, assembly._parents, Circuit.publish
_CHAIN, _FOLDED, _LAY_OUT = Circuit.chain, assembly._folded, assembly.lay_out


def _leaves(change: Callable[[list[int]], list[int]]) -> Patch:
    def parents(circuit: Circuit, level: list[int], height: int) -> list[int]:
        return _PARENTS(circuit, level if height else change(level), height)

    return patch.object(assembly, "_parents", parents)


def _committed(change: Callable[[Sequence[Any], int], tuple[Sequence[Any], int]]) -> Patch:
    def commit(circuit: Circuit, places: Sequence[Any], depth: int) -> None:
        _COMMIT(circuit, *change(places, depth))

    return patch.object(assembly, "_commit", commit)


def _published(change: Callable[[Circuit, str, int], tuple[str, int] | None]) -> Patch:
    def publish(circuit: Circuit, name: str, wire: int) -> None:
        changed = change(circuit, name, wire)
        if changed is None:
            circuit.copies.append((circuit.public_wire(name), wire))
        else:
            _PUBLISH(circuit, *changed)

    return patch.object(Circuit, "publish", publish)


def _swapped_names(_circuit: Circuit, name: str, wire: int) -> tuple[str, int]:
    return ("evaluation" if name == "field_root" else "field_root"), wire


def _root_of_a_word(circuit: Circuit, name: str, wire: int) -> tuple[str, int]:
    return name, circuit.given[1] if name == "field_root" else wire


def _root_untied(_circuit: Circuit, name: str, wire: int) -> tuple[str, int] | None:
    return None if name == "field_root" else (name, wire)


def _evaluation_untied(_circuit: Circuit, name: str, wire: int) -> tuple[str, int] | None:
    return None if name == "evaluation" else (name, wire)


def _chained(change: Callable[[Sequence[Any]], Sequence[Any]]) -> Patch:
    def chain(circuit: Circuit, component: Template, own: Any, start: Any) -> Block:
        return _CHAIN(circuit, component, change(own), start)

    return patch.object(Circuit, "chain", chain)


def _total_of_all_but_the_last(circuit: Circuit, block: Block, states: int) -> list[int]:
    summed = range(states, len(block.template.outputs))
    columns = [[*block.output(each)[:-1], block.output(each)[0]] for each in summed]
    add_up = template("total", len(block.inputs), assembly._sum)
    final = [block.output(number)[-1] for number in range(states)]
    return final + circuit.add(add_up, columns).output(0)


def _states_of_the_first(circuit: Circuit, block: Block, states: int) -> list[int]:
    found = _FOLDED(circuit, block, states)
    return [block.output(number)[0] for number in range(states)] + found[states:]


def _constant_hash(trace: Trace, *children: Linear) -> list[Linear]:
    return [trace.wire(sum(children, Linear({})))]


def _weak_hasher(name: str, size: int) -> Template:
    return template(name, size, _constant_hash)


def _unevaluated(trace: Trace, statement: Linear, *outputs: Linear) -> list[Linear]:
    return [trace.product(outputs[0], statement)]


def _laid_out(change: Callable[[Circuit, list[int]], list[int]]) -> Patch:
    def lay_out(*arguments: Any) -> tuple[Circuit, list[int]]:
        circuit, outputs = _LAY_OUT(*arguments)
        return circuit, change(circuit, outputs)

    return patch.object(assembly, "lay_out", lay_out)


def _one_block_more(circuit: Circuit, outputs: list[int]) -> list[int]:
    circuit.add(template("more", 1, lambda trace, wire: trace.equal(wire, 1)), [(outputs[0],)])
    return outputs


def _statement_as_output(circuit: Circuit, outputs: list[int]) -> list[int]:
    return [circuit.public_wire("statement"), *outputs[1:]]


FORGERIES: dict[str, Callable[[], tuple[Patch, ...]]] = {
    "the first place may be empty": lambda: (patch.object(assembly, "_first", _nothing),),
    "presence may rise again": lambda: (patch.object(assembly, "_falling", _nothing),),
    "presence may be no bit": lambda: (patch.object(constraints, "_given", _unchecked_present),),
    "words of an empty place are free": lambda: (patch.object(gadgets, "unpacked", _loose_words),),
    "a bit of a word is not checked": lambda: (
        patch.object(gadgets, "unpacked", _one_bit_unchecked),
    ),
    "a word need not be its bits": lambda: (patch.object(gadgets, "unpacked", _sum_unchecked),),
    "two leaves swapped": lambda: (_leaves(lambda w: [w[1], w[0], *w[2:]]),),
    "a leaf left out": lambda: (_leaves(lambda w: [w[0], w[0], *w[2:]]),),
    "a place that is not committed to": lambda: (_committed(lambda p, d: (p[:-1], d)),),
    "a tree of another capacity": lambda: (_committed(lambda p, d: (p, d + 1)),),
    "another hash": lambda: (patch.object(assembly, "_hasher", _weak_hasher),),
    "the root of another wire": lambda: (_published(_root_of_a_word),),
    "the root tied by no row": lambda: (_published(_root_untied),),
    "the evaluation tied by no row": lambda: (_published(_evaluation_untied),),
    "public inputs permuted": lambda: (_published(_swapped_names),),
    "outputs that are not evaluated": lambda: (
        patch.object(assembly, "_evaluation", _unevaluated),
    ),
    "outputs in another order": lambda: (_laid_out(lambda _, outputs: outputs[::-1]),),
    "the statement as an output": lambda: (_laid_out(_statement_as_output),),
    "a block more": lambda: (_laid_out(_one_block_more),),
    "a place computed twice": lambda: (_chained(lambda own: [own[0], *own[:-1]]),),
    "a place not computed": lambda: (_chained(lambda own: own[:-1]),),
    "a total without the last place": lambda: (
        patch.object(assembly, "_folded", _total_of_all_but_the_last),
    ),
    "a constant taken for zero": lambda: (
        patch.object(assembly, "_zero", lambda trace: [trace.wire(Linear.of(1))]),
    ),
    "the state after the first place": lambda: (
        patch.object(assembly, "_folded", _states_of_the_first),
    ),
}
"""What is done to the code that writes the circuit, for a rule with totals and states."""


def forged(name: str, rule: Rule) -> bytes:
    """Return the text of a rule's circuit with one thing of its frame changed."""
    return written(rule, *FORGERIES[name]())


def of_another_schema(rule: Rule) -> bytes:
    """Return a circuit for wider values than its text says that it takes."""
    *others, last = rule.schema.fields
    wider = Schema((*others, replace(last, maximum=2 * last.maximum + 1)))

    def claimed(circuit: Circuit, _tree: Any, *rest: Any) -> Program:
        return program(circuit, rule.tree, *rest)

    return written(replace(rule, schema=wider), patch.object(assembly, "program", claimed))


def of_another_capacity(rule: Rule) -> bytes:
    """Return a text that says half the readings that its circuit is made for."""
    document = json.loads(written(rule))
    document["capacity"] //= 2
    return spelled(document)


def narrowed(rule: Rule) -> bytes:
    """Return a circuit with a row more on wires of the frame: index or number must be 0."""

    def compute(reading: Any) -> Any:
        trace: Trace = reading.present.machine.trace
        trace.require(reading.device_index.handle, reading.seq.handle, 0)
        return rule.compute(reading)

    return written(replace(rule, compute=compute))
