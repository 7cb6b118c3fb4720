"""Try to cheat a project's circuit: outputs and readings that are not the true ones.

In: a small circuit of the rule, the outputs' names, honest readings. Out: for each attempt whether
the constraints refuse it. What a cheat may choose is every wire; here it keeps all of them true but
the one it lies about, and what follows from that one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from opendepin.core.journey import Reading
from opendepin.proofs.zk import integers
from opendepin.proofs.zk.assembly import Assembled
from opendepin.proofs.zk.solver import follow, solve, violation

STATEMENT = 0x6F70656E646570696E
"""Any statement; the attempts are the same for each."""
PUBLIC = "statement"


class Forged(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt and what became of it."""

    attempt: str
    refused: bool
    by: str = ""
    """The template whose row refused it, or why the attempt counts as failed."""


def forge(assembled: Assembled, names: Sequence[str], readings: Sequence[Reading]) -> list[Forged]:
    """Try every forgery on a circuit; an honest witness must satisfy it."""
    given = assembled.given(readings)
    wires = solve(assembled.circuit, given, {PUBLIC: STATEMENT})
    broken = violation(assembled.circuit, wires)
    told = tuple(wires[wire] for wire in assembled.program.outputs)
    honest = broken is None and told == integers.outputs(assembled.rule, readings)
    found = [
        Forged(attempt="the honest witness is taken", refused=honest, by="" if honest else "none")
    ]
    found += [
        _lie(assembled, f"{name} {change:+}", wires, wire, change)
        for name, wire in zip(names, assembled.program.outputs, strict=True)
        for change in (1, -1)
    ]
    places = len(given) // assembled.rule.capacity
    last = (len(readings) - 1) * places
    without = [*given[:last], *[0] * places, *given[last + places :]]
    found.append(_other(assembled, "a reading left out", wires, without))
    twice = [*given[: last + places], *given[last : last + places], *given[last + 2 * places :]]
    found.append(_other(assembled, "a reading counted twice", wires, twice))
    for word in range(1, places):
        changed = [*given]
        changed[last + word] += 1
        found.append(_other(assembled, f"word {word} of a reading changed", wires, changed))
    return found


def _lie(assembled: Assembled, attempt: str, wires: list[int], wire: int, change: int) -> Forged:
    """Change one output and everything that is computed from it afterwards."""
    forged = [*wires]
    forged[wire] += change
    follow(assembled.circuit, forged, "evaluation")
    return _judged(assembled, attempt, forged)


def _other(assembled: Assembled, attempt: str, wires: list[int], given: list[int]) -> Forged:
    """Compute over other readings, and claim that they are the ones under the field root."""
    forged = solve(assembled.circuit, given, {PUBLIC: STATEMENT})
    public = assembled.circuit.public_wire("field_root")
    forged[public] = wires[public]
    return _judged(assembled, attempt, forged)


def _judged(assembled: Assembled, attempt: str, wires: list[int]) -> Forged:
    broken = violation(assembled.circuit, wires)
    return Forged(attempt=attempt, refused=broken is not None, by=broken.template if broken else "")
