"""Forged witnesses: a sound circuit refuses all of them, one with a row less takes one."""

from __future__ import annotations

import dataclasses

from opendepin.core.journey import Reading
from opendepin.core.limits import MAX_OBSERVED_S
from opendepin.core.schema import OBSERVED, Field, Schema
from opendepin.project.forging import forge
from opendepin.proofs.zk import language
from opendepin.proofs.zk.assembly import Assembled, assemble
from opendepin.proofs.zk.rule import Rule

SCHEMA = Schema((Field(OBSERVED, "observed_s", 0, MAX_OBSERVED_S), Field(2, "value", 0, 255)))
READINGS = [Reading(n, 0, 100 + n, (10 * n + 7,)) for n in range(3)]
NAMES = ["count", "total"]


def compute(reading: language.Reading) -> list[language.Output]:
    over = reading.present & (reading["value"] > 8)
    return [language.count(over), language.total(over, reading["value"])]


def assembled() -> Assembled:
    return assemble(Rule("small", SCHEMA, 4, compute))


def test_a_sound_circuit_refuses_every_forgery() -> None:
    found = forge(assembled(), NAMES, READINGS)
    assert all(each.refused for each in found)
    attempts = {each.attempt for each in found}
    assert {"count +1", "count -1", "total +1", "a reading left out"} <= attempts
    assert {"a reading counted twice", "word 1 of a reading changed"} <= attempts
    assert {each.by for each in found if each.attempt.startswith("total")} <= {"outputs", "total"}


def test_a_circuit_whose_outputs_hang_in_the_air_is_found_out() -> None:
    sound = assembled()
    blocks = sound.circuit.blocks
    kept = [dataclasses.replace(b, template=_without_rows(b.template)) for b in blocks]
    sound.circuit.blocks[:] = kept
    try:
        found = forge(sound, NAMES, READINGS)
    finally:
        sound.circuit.blocks[:] = blocks
        assemble.cache_clear()
    assert any(not each.refused for each in found[1:])


def _without_rows(template: object) -> object:
    loose = template.name in {"outputs", "total"}  # type: ignore[attr-defined]
    return dataclasses.replace(template, rows=()) if loose else template  # type: ignore[type-var]
