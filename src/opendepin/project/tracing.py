"""Trace a project's rule; runs inside the sandbox, beside the project's own code.

In: schema, name, entry and capacity, readings. Out: JSON with the circuit text, the outputs' names
and values, and rows by source line. This is the only place where the number language is met:
whoever changes the language changes `_rule`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec

from opendepin.core.journey import Reading
from opendepin.project.config import FieldTable, schema_of
from opendepin.project.cost import LineCost
from opendepin.project.forging import Forged, forge
from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk import integers
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.constraints import ConstraintMachine
from opendepin.proofs.zk.language import Output
from opendepin.proofs.zk.language import Reading as Seen
from opendepin.proofs.zk.rule import Rule
from opendepin.runtime.sandbox.loading import named

FORGING_CAPACITY = 4
"""Readings of the circuit that forged witnesses are tried on."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be traced."""

    name: str
    entry: str
    schema: list[FieldTable]
    capacity: int
    readings: list[tuple[int, int, int, list[int]]]
    """Device index, number, observed, values: at most `capacity` are computed at once."""
    segments: bool = True
    """Compute over all readings, `capacity` at a time; False: none."""
    cost: bool = False
    forge: bool = False


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """What a trace gives."""

    circuit: str
    """Canonical circuit text."""
    names: list[str]
    """Name of each output, `name[index]` where the rule gave several under one name."""
    maxima: list[str]
    folds: list[str]
    """`sum`, `largest` or `smallest`: how an output of two segments comes from one of each."""
    constraints: int
    results: list[list[str]]
    """Outputs of each segment of the sample."""
    cost: list[tuple[str, int, int]] = []
    """File, line, rows per reading; most rows first."""
    shared: int = 0
    """Rows per reading that stand before the rule's first line."""
    forged: list[Forged] = []


def trace(argument: object) -> object:
    """Trace the rule (called inside the sandbox)."""
    asked = msgspec.convert(argument, Asked)
    rule = TracedProject(asked)
    found = assemble(rule.rule)
    readings = [Reading(d, n, t, tuple(values)) for d, n, t, values in asked.readings]
    segments = [
        readings[at : at + asked.capacity] for at in range(0, len(readings), asked.capacity)
    ]
    results = [integers.outputs(rule.rule, each) for each in segments] if asked.segments else []
    forged: list[Forged] = []
    if asked.forge:
        small = assemble(rule.rule.resized(FORGING_CAPACITY))
        forged = forge(small, rule.names, readings[: FORGING_CAPACITY - 1])
    return msgspec.to_builtins(
        Traced(
            circuit=found.program.text.decode(),
            names=rule.names,
            maxima=[str(each) for each in found.maxima],
            folds=rule.folds,
            constraints=found.circuit.constraints,
            results=[[str(value) for value in each] for each in results],
            cost=rule.cost.lines() if rule.cost else [],
            shared=rule.shared,
            forged=forged,
        )
    )


class TracedProject:
    """The project's function as a rule, with what is seen while it runs."""

    def __init__(self, asked: Asked) -> None:
        compute = named(asked.entry)
        if not callable(compute):
            raise RuleBroken(f"{asked.entry} is no function")
        self._entry, self._compute = asked.entry, compute
        self._counting = asked.cost
        self.names: list[str] = []
        """Name of each output."""
        self.folds: list[str] = []
        self.cost: LineCost | None = None
        self.shared = 0
        self.rule = Rule(asked.name, schema_of(asked.schema), asked.capacity, self._flat)

    def _flat(self, reading: Seen) -> Sequence[Output]:
        found = list(_outputs(self._call(reading), self._entry))
        self.names = [name for name, _ in found]
        self.folds = [output.fold.value for _, output in found]
        return [output for _, output in found]

    def _call(self, reading: Seen) -> object:
        machine = reading.present.machine
        if not self._counting or not isinstance(machine, ConstraintMachine):
            return self._compute(reading)
        self.shared = machine.trace.row_count
        self.cost = LineCost(Path.cwd(), lambda: machine.trace.row_count)
        return self.cost.run(lambda: self._compute(reading))


def _outputs(found: object, entry: str) -> Iterable[tuple[str, Output]]:
    if not isinstance(found, Mapping):
        raise RuleBroken(
            f"{entry} returns a {type(found).__name__}, not a dict: name each output, as in "
            'return {"readings": count(reading.present)}'
        )
    for name, value in cast("Mapping[object, object]", found).items():
        if not isinstance(name, str) or not name.isidentifier():
            raise RuleBroken(f"{name!r} is no name of an output: letters, digits and _")
        if isinstance(value, Output):
            yield name, value
            continue
        iterable = cast("Iterable[object]", value) if isinstance(value, Iterable) else ()
        several = list(iterable)
        for index, each in enumerate(several):
            if not isinstance(each, Output):
                raise RuleBroken(_no_output(f"{name}[{index}]", each))
            yield f"{name}[{index}]", each
        if not several:
            raise RuleBroken(_no_output(name, cast("object", value)))


def _no_output(name: str, value: object) -> str:
    return (
        f"output {name!r} is a {type(value).__name__}: only count(), total(), largest() and their "
        "like over groups make outputs"
    )
