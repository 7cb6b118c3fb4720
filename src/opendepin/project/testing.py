"""What a project's own tests use: the rule's outputs over a few readings, by name.

Both evaluators are asked, integers and constraints, and must agree.
"""

from __future__ import annotations

from pathlib import Path

from opendepin.core.journey import Reading
from opendepin.project.config import load
from opendepin.project.errors import SampleRejected
from opendepin.project.sample import values_of
from opendepin.project.tracing import FORGING_CAPACITY, Asked, TracedProject
from opendepin.proofs.errors import RuleBroken
from opendepin.proofs.zk import integers
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.solver import solve, violation

OBSERVED_S = 1_700_000_000
"""When a reading was observed that does not say."""


def outputs(*readings: dict[str, object]) -> dict[str, int | list[int]]:
    """Return what the rule gives: an integer per name, or a list where there are several.

    A reading names `device` (its index), perhaps `observed`, and each field as sample data does.

    Raises:
        SampleRejected: a reading does not fit the schema.
        RuleBroken: integers and constraints disagree.
    """
    config = load(Path.cwd())
    capacity = FORGING_CAPACITY
    while capacity < len(readings):
        capacity *= 2
    asked = Asked(
        name=config.project.name,
        entry=config.program.rule,
        schema=config.schema,
        capacity=capacity,
        readings=[],
    )
    project = TracedProject(asked)
    seen = [_reading(number, each) for number, each in enumerate(readings)]
    found = integers.outputs(project.rule, seen)
    assembled = assemble(project.rule)
    wires = solve(assembled.circuit, assembled.given(seen), {"statement": 1})
    proven = tuple(wires[wire] for wire in assembled.program.outputs)
    if proven != found or violation(assembled.circuit, wires) is not None:
        raise RuleBroken(f"integers and constraints disagree: {found} and {proven}")
    return _by_name(project.names, found)


def _reading(number: int, given: dict[str, object]) -> Reading:
    config = load(Path.cwd())
    known = {"device", "observed"} | {field.name for field in config.schema}
    if set(given) - known:
        unknown = ", ".join(sorted(set(given) - known))
        raise SampleRejected(f"a reading has no {unknown}; it has {', '.join(sorted(known))}")
    device, observed = given.get("device", 0), given.get("observed", OBSERVED_S)
    if not isinstance(device, int) or not isinstance(observed, int):
        raise SampleRejected("device and observed are integers")
    return Reading(device, number, observed, values_of(given, config))


def _by_name(names: list[str], values: tuple[int, ...]) -> dict[str, int | list[int]]:
    found: dict[str, int | list[int]] = {}
    for name, value in zip(names, values, strict=True):
        base, several, _ = name.partition("[")
        held = found.setdefault(base, [] if several else value)
        if isinstance(held, list):
            held.append(value)
    return found
