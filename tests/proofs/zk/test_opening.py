"""A program is data: its text alone proves and computes, and a text that is none is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from opendepin.core.journey import Reading
from opendepin.proofs.errors import EngineFault, ProgramRejected, ReadingsRejected
from opendepin.proofs.zk import integers
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.engine import Engine
from opendepin.proofs.zk.opening import open_program
from opendepin.proofs.zk.program import spelled
from opendepin.proofs.zk.prover import Prover
from opendepin.proofs.zk.rule import Rule
from opendepin.proofs.zk.solver import outputs_of, solve, violation
from tests.proofs.zk.rules import EVERYTHING, PACKED, TOTALS, packs, readings

RULES = {rule.name: rule for rule in (EVERYTHING, TOTALS, PACKED)}
OPENED = {name: open_program(assemble(rule).program.text) for name, rule in RULES.items()}
TEXT = assemble(TOTALS).program.text


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_what_is_opened_is_what_was_written(rule: Rule) -> None:
    written, opened = assemble(rule).program, OPENED[rule.name]
    assert opened.hash == written.hash
    assert (opened.tree, opened.outputs, opened.maxima) == (
        written.tree,
        written.outputs,
        written.maxima,
    )
    assert (opened.public, opened.given, opened.constraints) == (
        written.public,
        written.given,
        written.constraints,
    )
    for ours, theirs in zip(opened.circuit.blocks, written.circuit.blocks, strict=True):
        assert (ours.base, ours.inputs, ours.chained) == (
            theirs.base,
            theirs.inputs,
            theirs.chained,
        )
        assert ours.template.rows == theirs.template.rows
        assert ours.template.tape == theirs.template.tape


@settings(max_examples=25)
@given(readings(4))
def test_outputs_of_the_text_are_those_of_the_rule(some: list[Reading]) -> None:
    for rule in (EVERYTHING, TOTALS):
        assert outputs_of(OPENED[rule.name], some) == integers.outputs(rule, some)


@settings(max_examples=25)
@given(packs(4))
def test_outputs_of_packs_are_those_of_the_rule(some: list[Reading]) -> None:
    assert outputs_of(OPENED["packed"], some) == integers.outputs(PACKED, some)


def test_an_opened_program_can_be_solved_and_checked() -> None:
    program, some = OPENED["everything"], [Reading(1, 2, 3, (4,)), Reading(2, 3, 4, (5,))]
    wires = solve(program.circuit, program.given_of(some), {"statement": 7})
    assert violation(program.circuit, wires) is None
    assert wires == solve(assemble(EVERYTHING).circuit, program.given_of(some), {"statement": 7})


@pytest.mark.parametrize("count", [0, 5])
def test_an_opened_program_takes_one_to_capacity_readings(count: int) -> None:
    with pytest.raises(ReadingsRejected):
        outputs_of(OPENED["totals"], [Reading(1, 2, 3, (4,))] * count)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_engine_gives_the_same_outputs(prover: Prover) -> None:
    some = [
        Reading(
            i,
            100 - i,
            7 + i,
            (-300 + 200 * i, 5, 900, 7, i, 1_023, i % 3, 1 << 41, 1 << 59, 1 << 60),
        )
        for i in range(4)
    ]
    for count in range(1, 5):
        expected = integers.outputs(PACKED, some[:count])
        assert await prover.outputs(OPENED["packed"], some[:count]) == expected
    with pytest.raises(ReadingsRejected):
        await prover.outputs(OPENED["packed"], some * 2)


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Change what stands at a path to the last of the arguments."""
    *way, last, value = path

    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in way:
            place = place[step]
        place[last] = value(place[last]) if callable(value) else value

    return change


HOSTILE = {
    "another form": _set("format", "opendepin/circuit/1"),
    "an unknown member": lambda document: document.update(code="import os"),
    "a negative number": _set("wires", -1),
    "a wire too many": _set("wires", lambda n: n + 1),
    "a row too many": _set("constraints", lambda n: n + 1),
    "huge": _set("wires", (1 << 32) - 1),
    "no capacity": _set("capacity", 0),
    "another capacity": _set("capacity", lambda n: 2 * n),
    "other public inputs": _set("public", ["statement", "evaluation", "root"]),
    "no outputs": _set("outputs", []),
    "an output beyond the wires": _set("outputs", 0, 1 << 30),
    "a maximum too few": _set("maxima", lambda m: m[:-1]),
    "a maximum below zero": _set("maxima", 0, "-1"),
    "a coefficient of r": _set("coefficients", 0, "f" * 64),
    "a coefficient that is no number": _set("coefficients", 0, "0x1"),
    "no lane of the number": _set("lanes", lambda lanes: lanes[:2]),
    "lanes of two words": _set("lanes", lambda lanes: lanes + [["wide", "0", str(1 << 62)]] * 2),
    "another first lane": _set("lanes", 0, ["device", "0", "5"]),
    "a lane too wide": _set("lanes", 3, ["value", "0", str(1 << 70)]),
    "a block elsewhere": _set("blocks", 1, "base", lambda n: n + 1),
    "a block of no template": _set("blocks", 0, "template", 99),
    "a block with an input too few": _set("blocks", 0, "inputs", lambda i: i[:-1]),
    "a block that takes what comes later": _set("blocks", 0, "inputs", 0, 1 << 20),
    "a copy to a private wire": _set("copies", 0, [40, 5]),
    "a copy of no wire": _set("copies", 0, [1, 1 << 30]),
    "rows that end early": _set("templates", 0, "rows", lambda r: r[:-1]),
    "rows that go on": _set("templates", 0, "rows", lambda r: [*r, 0]),
    "a term beyond the wires": _set("templates", 0, "rows", lambda r: [r[0], r[1], 9_999, *r[3:]]),
    "a step that is none": _set("templates", -1, "tape", lambda t: [7, *t[1:]]),
    "a step into an input": _set("templates", -1, "registers", 1),
}


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_text_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(TEXT)
    assert open_program(spelled(document))
    change(document)
    with pytest.raises(ProgramRejected):
        open_program(spelled(document))


OTHER_SPELLINGS = {
    "spaces": json.dumps(json.loads(TEXT)).encode(),
    "a line's end": TEXT + b"\n",
    "a member twice": TEXT.replace(b'{"blocks":', b'{"blocks":[],"blocks":', 1),
    "another order": json.dumps(
        dict(reversed(json.loads(TEXT).items())), separators=(",", ":")
    ).encode(),
    "an escape": TEXT.replace(b'"format"', b'"\\u0066ormat"', 1),
}


@pytest.mark.parametrize("text", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS.keys())
def test_a_text_has_one_spelling(text: bytes) -> None:
    assert text != TEXT
    with pytest.raises(ProgramRejected, match="spelled"):
        open_program(text)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_engine_refuses_an_output_beyond_the_wires(engine: Engine) -> None:
    document = json.loads(TEXT)
    document["outputs"][0] = document["wires"]
    with pytest.raises(EngineFault, match="output"):
        await engine.call("load", json.dumps(document).encode())


@pytest.mark.parametrize("text", [b"", b"null", b"{}", b"[1]", b"\xff", b"[" * 100_000, TEXT[:-1]])
def test_what_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(ProgramRejected):
        open_program(text)
