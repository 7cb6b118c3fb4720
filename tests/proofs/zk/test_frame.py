"""An opened circuit is the standard one around its rule, or it is refused."""

from __future__ import annotations

import json

import pytest

from opendepin.core.journey import Reading
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.errors import FrameRejected, ProgramRejected
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.opening import open_program
from opendepin.proofs.zk.program import spelled
from opendepin.proofs.zk.rule import Rule
from opendepin.proofs.zk.solver import solve, violation
from tests.proofs.zk import frames
from tests.proofs.zk.rules import EVERYTHING, PACKED, TOTALS

RULES = {rule.name: rule for rule in (EVERYTHING, PACKED, TOTALS)}
ODD = {f"{n} places": EVERYTHING.resized(n) for n in (2, 3, 5, 16, 17)}
HONEST = RULES | ODD | {"demo": CLEAN_AIR.resized(64)}

NAMED = {
    "the first place may be empty": "row 0 of block 0",
    "presence may rise again": "row 0 of block 1",
    "presence may be no bit": "row 0 of rule template",
    "words of an empty place are free": "rule template 'rule everything' differs",
    "a bit of a word is not checked": "rule template 'rule everything' differs",
    "a word need not be its bits": "rule template 'rule everything' differs",
    "two leaves swapped": "instance 0 of block 2",
    "a leaf left out": "instance 0 of block 2",
    "a place that is not committed to": "block 1",
    "a tree of another capacity": "block 3",
    "another hash": "block 2",
    "the root of another wire": "instance 0 of block",
    "the root tied by no row": "row 0 of block 5 ('same')",
    "the evaluation tied by no row": "the outputs are made more than once",
    "public inputs permuted": "instance 0 of block",
    "outputs that are not evaluated": "row 0 of block",
    "outputs in another order": "instance 0 of block",
    "the statement as an output": "an output is made elsewhere",
    "a block more": "no rule over 4 places",
    "a place computed twice": "rule",
    "a place not computed": "no rule over 4 places",
    "a total without the last place": "('total') takes other wires",
    "a constant taken for zero": "('zero') differs",
    "the state after the first place": "takes other wires",
}
"""What the refusal says."""


@pytest.mark.parametrize("rule", HONEST.values(), ids=HONEST.keys())
def test_what_assembly_writes_has_the_frame(rule: Rule) -> None:
    written = assemble(rule).program
    assert open_program(written.text).hash == written.hash


@pytest.mark.parametrize("name", frames.FORGERIES)
def test_another_frame_is_refused(name: str) -> None:
    for rule in (EVERYTHING, PACKED):
        text = frames.forged(name, rule)
        assert text != assemble(rule).program.text
        with pytest.raises(FrameRejected) as refused:
            open_program(text)
        if rule is EVERYTHING:
            assert NAMED[name] in str(refused.value)
        assert refused.value.code == "program-frame"


def test_forging_is_what_makes_the_difference() -> None:
    assert frames.written(EVERYTHING) == assemble(EVERYTHING).program.text


def test_another_schema_under_the_same_words_is_refused() -> None:
    with pytest.raises(FrameRejected, match="of rule template"):
        open_program(frames.of_another_schema(TOTALS))


@pytest.mark.parametrize("rule", [EVERYTHING, TOTALS], ids=lambda rule: rule.name)
def test_another_capacity_is_refused(rule: Rule) -> None:
    with pytest.raises(ProgramRejected, match="inputs"):
        open_program(frames.of_another_capacity(rule))


def test_a_copy_to_another_wire_is_refused() -> None:
    document = json.loads(assemble(TOTALS).program.text)
    document["copies"][0][1] += 1
    with pytest.raises(FrameRejected, match="public input"):
        open_program(spelled(document))


@pytest.mark.parametrize("at", range(2))
def test_a_public_input_that_nothing_ties_is_refused(at: int) -> None:
    document = json.loads(assemble(TOTALS).program.text)
    del document["copies"][at]
    with pytest.raises(FrameRejected, match="public input"):
        open_program(spelled(document))


def test_a_rule_may_say_more_of_the_frames_wires_which_only_forbids_readings() -> None:
    narrow = open_program(frames.narrowed(TOTALS))
    taken, refused = [Reading(0, 1, 5, (7,))], [Reading(1, 1, 5, (7,))]
    for program, forbidden in (
        (narrow, True),
        (open_program(assemble(TOTALS).program.text), False),
    ):
        for readings, broken in ((taken, False), (refused, forbidden)):
            wires = solve(program.circuit, program.given_of(readings), {"statement": 3})
            assert (violation(program.circuit, wires) is not None) is broken
