"""What no proof can have is refused at the project's own line, with the nearest form that is.

Each refused line stands beside what its sentence names instead, and that is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opendepin.proofs.errors import ReadingsRejected
from opendepin.rules.building import Built, build
from opendepin.rules.errors import RuleRejected
from tests.rules.recipes import LABELS, SCHEMA

HEAD = """from opendepin.rules import *
kept = []


def compute(reading):
    temp, wet, pm, state = (reading[name] for name in ("temp", "wet", "pm", "state"))
"""
LINE = HEAD.count("\n") + 1


def built(folder: Path, line: str) -> Built:
    """A project of one line and a return."""
    file = folder / "project.py"
    file.write_text(f'{HEAD}    {line}\n    return {{"n": count()}}\n', encoding="utf-8")
    space: dict[str, Any] = {}
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), space)
    return build("project", SCHEMA, 4, space["compute"], LABELS)


CASES = [
    ("x = 1 if temp > 3 else 2", "`… if … else …`", "select(", "x = select(temp > 3, 1, 2)"),
    ("if temp > 3: kept.append(1)", "`if` cannot", "select(", "x = count(where=temp > 3)"),
    ("x = temp > 3 and wet > 5", "`and` cannot", "&", "x = (temp > 3) & (wet > 5)"),
    ("x = temp > 3 or wet > 5", "`or` cannot", "|", "x = (temp > 3) | (wet > 5)"),
    ("x = not temp > 3", "`not` cannot", "~", "x = ~(temp > 3)"),
    ("x = 3 < temp < 5", "chain", "&", "x = (3 <= temp) & (temp < 5)"),
    ("x = wet in (1, 2)", "`in` cannot", "one_of", "x = wet.one_of(1, 2)"),
    ("x = max(temp, temp * 2)", "max()", "largest_of", "x = largest_of(temp, temp * 2)"),
    ("x = min(temp, 3)", "min()", "smallest_of", "x = smallest_of(temp, 3)"),
    ("x = any([temp > 3])", "any()", "any_of", "x = any_of([temp > 3])"),
    ("x = [v for v in pm if v > 3]", "comprehension", "where=", "x = mean(pm, where=pm > 3)"),
    ("while temp > 3: pass", "`while`", "range()", "x = [temp > n for n in range(3)]"),
    ("assert temp > 3", "`assert`", "where=", "x = count(where=temp > 3)"),
    ("x = [v for v in range(wet)]", "no index", "range()", "x = [wet + n for n in range(3)]"),
    ("x = [v for v in wet]", "loop over", "array", "x = [v * 2 for v in pm]"),
    ("x = [1, 2, 3][wet]", "no index", "Table", "x = Table([1, 2, 3]).number(wet)"),
    ("x = {1: 2}[wet]", "looked up", "Table", "x = Table({1: 2}).number(wet)"),
    ("x = temp > 1.5", "float", "Decimal", 'x = temp > Decimal("1.5")'),
    ("x = float(temp)", "float", "at_scale", "x = temp.at_scale(2)"),
    ("x = int(temp)", "int()", "at_scale(0)", "x = temp.at_scale(0)"),
    ("x = round(temp, 0)", "round()", "at_scale(0)", "x = temp.at_scale(0)"),
    ('x = temp > "3"', "strings", "Decimal", "x = temp > 3"),
    ('x = f"{temp}"', "text", "constants", 'x = f"{3}"'),
    ("x = str(temp)", "text", "constants", "x = str(3)"),
    ("x = temp > True", "True", "1", "x = temp > 1"),
    ("x = temp + wet", "1 and 0 decimals", "at_scale(1)", "x = temp + wet.at_scale(1)"),
    ("x = temp < wet", "1 and 0 decimals", "at_scale(1)", "x = temp < wet.at_scale(1)"),
    ('x = wet > Decimal("1.5")', "decimal places", "at_scale(1)",
     'x = wet.at_scale(1) > Decimal("1.5")'),
    ("x = temp / wet", "dividing by a reading", "ratio", "x = ratio(total(wet), count())"),
    ("x = 3 / wet", "dividing by a reading", "ratio", "x = ratio(count(), total(wet))"),
    ("x = temp / 3", "round", "//", "x = temp // 3"),
    ("x = temp // wet", "no cheap proof", "constant", "x = temp // 2"),
    ("x = wet % 0", "above 0", "%", "x = wet % 24"),
    ("x = temp ** wet", "constant", "** 2", "x = temp ** 2"),
    ("x = (temp**4) ** 4", "wider than", "at_scale", "x = temp ** 4"),
    ("x = count(by=wet)", "too many groups", "bins(", "x = count(by=bins(wet, 0, 10, 10))"),
    ("x = count(by=reading.device)", "too many groups", "devices(70)",
     "x = count(by=reading.devices(70))"),
    ("x = count(by=reading.devices(300))", "at most 256", "fewer", "x = reading.devices(256)"),
    ("x = group_by(reading.devices(90), state)", "270 groups", "coarser",
     "x = group_by(reading.devices(80), state)"),
    ("x = count(where=3)", "takes a condition", "comparison", "x = count(where=wet > 3)"),
    ("x = total(temp > 3)", "takes numbers", "number()", "x = total((temp > 3).number())"),
    ("x = (temp > 3) + 1", "no number", "number()", "x = (temp > 3).number() + 1"),
    ("x = (temp > 3) & wet", "two conditions", "brackets", "x = (temp > 3) & (wet > 1)"),
    ('x = state == "off"', "none of the labels", "'ok'", 'x = state == "ok"'),
    ("x = state == 1", "none of the labels", "'dusty'", 'x = state.one_of("ok", "dusty")'),
    ('x = reading["pm10"]', "no field", "'temp'", 'x = reading["temp"]'),
    ("x = reading.temp", "no 'temp'", 'reading["temp"]', 'x = reading["temp"]'),
    ("x = pm[wet]", "indexed by a constant", "loop", "x = pm[2]"),
    ("x = pm[3]", "indexed by a constant", "pack[0]", "x = pm[-1]"),
    ("x = pm + Pack([wet, wet])", "3 and 2 values", "one length", "x = pm + 1"),
    ("x = mean(pm, where=Pack([wet > 1, wet > 2]))", "2 conditions for 3", "one length",
     "x = mean(pm, where=pm > 1)"),
    ("x = histogram(temp, [3, 2])", "ascend", "edges=", "x = histogram(temp, [2, 3])"),
    ("x = quantile(mean(temp), 1)", "histogram", "quantile(",
     "x = quantile(histogram(wet, [1]), 1)"),
    ("x = quantile(histogram(wet, [1]), 3)", "share", "0.95",
     'x = quantile(histogram(wet, [1]), Decimal("0.9"))'),
    ("x = top(count(), 2)", "groups to rank", "by=", "x = top(count(by=state), 2)"),
    ("x = ratio(mean(temp), count())", "counts and totals", "total(a)",
     "x = ratio(total(temp), count())"),
    ("x = Table([1, 'a']).number(wet)", "whole numbers", "choice()",
     "x = Table([1, 2]).number(wet)"),
    ("x = Table([1] * 300)", "at most 255", "shorter", "x = Table([1] * 256)"),
    ("x = windows(reading.observed_s, 0, 0, 3)", "width", "windows(",
     "x = windows(reading.observed_s, 0, 60, 3)"),
    ("x = Table(['a']).choice(temp)", "whole number from 0", "enum",
     "x = Table(['a']).choice(wet)"),
    ("x = Choice(temp, ['a'], [0])", "whole number from 0", "devices", "x = bins(temp, 0, 9, 3)"),
    ("x = select(1, 2, 3)", "chooses by a condition", "select(", "x = select(wet > 1, 2, 3)"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "reason", "nearest", "instead"), CASES)
def test_a_line_is_refused_and_what_is_named_instead_is_taken(
    tmp_path: Path, line: str, reason: str, nearest: str, instead: str
) -> None:
    with pytest.raises(RuleRejected) as caught:
        built(tmp_path, line)
    error = caught.value
    assert error.place is not None
    assert error.place.name == f"project.py:{LINE}"
    assert error.place.text == line
    assert reason in error.reason
    assert nearest in error.nearest
    assert str(error).splitlines()[1].strip() == line
    assert built(tmp_path, instead).description.outputs


RETURNS = [
    ("return 3", "returned a int"),
    ("return", "returned nothing"),
    ("return {}", "returned a dict"),
    ('return {"x": temp}', "of one reading"),
    ('return {"a b": count()}', "no name"),
    ('return {"x": count(by=reading.devices(150)), "y": total(wet, by=reading.devices(150))}',
     "300 outputs"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "reason"), RETURNS)
def test_a_rule_returns_named_figures(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(RuleRejected, match=reason):
        built(tmp_path, line)


def test_values_of_another_run_are_refused(tmp_path: Path) -> None:
    line = "kept.append(temp); x = count(where=kept[0] > temp)"
    first = built(tmp_path, "kept.append(temp); x = count(where=kept[-1] > temp)")
    assert first.description.outputs
    rule = built(tmp_path, line)
    with pytest.raises(RuleRejected, match="another run"):
        rule.assembled()


def test_figures_are_the_same_at_every_run() -> None:
    runs: list[int] = []

    def compute(reading: Any) -> Any:
        runs.append(1)
        return {f"run{len(runs)}": __import__("opendepin.rules").rules.count()}

    with pytest.raises(RuleRejected, match="other figures"):
        build("changing", SCHEMA, 4, compute).assembled()


def test_readings_outside_the_schema_are_refused(tmp_path: Path) -> None:
    rule = built(tmp_path, "pass")
    with pytest.raises(ReadingsRejected):
        rule.outputs([])


def test_labels_name_every_integer() -> None:
    def compute(reading: Any) -> Any:
        return {"n": reading["state"]}

    with pytest.raises(RuleRejected, match="3 integers and 2 labels"):
        build("labels", SCHEMA, 4, compute, {"state": ("a", "b")})
