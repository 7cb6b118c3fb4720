"""Random rules over random readings: plain Python, integers, constraints and gnark say the same.

And no output of any of them can be changed: the constraints refuse it.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, example, given, settings

from opendepin.core.journey import Reading
from opendepin.core.statement import evaluation
from opendepin.proofs.zk.engine import Engine
from opendepin.proofs.zk.field import pack
from opendepin.proofs.zk.solver import solve, violation
from opendepin.rules.building import Built, build
from opendepin.rules.checking import check, edge_readings, forgeries
from opendepin.rules.errors import RuleRejected
from tests.rules.recipes import LABELS, RULES, SCHEMA, Recipe, compute_of, expected, readings

CAPACITY, STATEMENT = 4, (1 << 247) + 99
WIDE: list[Recipe] = [
    ("variance", ("mul", ("field", "temp"), ("pm", 2)), ("lt2", ("pm", 0), ("pm", 1)), "region"),
    ("smallest", ("pack",), ("pack<",), "state.region"),
    ("largest", ("div", ("sub", ("field", "temp"), ("field", "wet")), 7), None, "hour"),
    ("mean", ("coarse", ("field", "temp")), ("not", ("is", "ok")), "bin"),
]


def built_of(rule: list[Recipe]) -> Built:
    """The rule; what is too wide is refused, and no example."""
    try:
        return build("random", SCHEMA, CAPACITY, compute_of(rule), LABELS)
    except RuleRejected as error:
        assume("wider than" not in error.reason and "decimals" not in error.reason)
        assume("outputs" not in error.reason)
        raise


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(RULES, readings())
@example(WIDE, edge_readings(SCHEMA, 4))
def test_integers_say_what_plain_python_says(rule: list[Recipe], some: list[Reading]) -> None:
    built = built_of(rule)
    found = {(answer.figure, answer.group): answer.value for answer in built.answers(some)}
    wanted = {
        (f"f{number}", group): value
        for number, each in enumerate(rule)
        for group, value in expected(each, some).items()
    }
    assert found == wanted


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(RULES, readings())
@example(WIDE, edge_readings(SCHEMA, 4))
def test_constraints_say_what_integers_say(rule: list[Recipe], some: list[Reading]) -> None:
    built = built_of(rule)
    assembled = built.assembled()
    wires = solve(assembled.circuit, assembled.given(some), {"statement": STATEMENT})
    assert violation(assembled.circuit, wires) is None
    out = built.outputs(some)
    assert wires[2] == evaluation(out, STATEMENT)
    assert tuple(wires[wire] for wire in assembled.program.outputs) == out
    maxima = [info.maximum for info in built.description.outputs]
    assert maxima == list(assembled.maxima)
    assert all(0 <= value <= maximum for value, maximum in zip(out, maxima, strict=True))


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(RULES, readings())
def test_every_forged_output_is_refused(rule: list[Recipe], some: list[Reading]) -> None:
    built = built_of(rule)
    tried = forgeries(built, some)
    assert {each.output for each in tried} == {info.name for info in built.description.outputs}
    assert all(each.refused_by for each in tried)
    check(built, some)


@pytest.mark.asyncio(loop_scope="session")
async def test_gnark_takes_the_honest_and_refuses_the_forged(engine: Engine) -> None:
    built = build("random", SCHEMA, CAPACITY, compute_of(WIDE), LABELS)
    assembled, some = built.assembled(), edge_readings(SCHEMA, 4)
    program = assembled.program
    await engine.call("load", program.text)
    wires = solve(assembled.circuit, assembled.given(some), {"statement": STATEMENT})
    name = program.hash.hex()
    answer = await engine.call("check", pack(wires), circuit=name)
    assert answer.header["ok"] is True
    for wire in program.outputs[::7]:
        forged = [*wires]
        forged[wire] += 1
        answer = await engine.call("check", pack(forged), circuit=name)
        assert answer.header["ok"] is False
