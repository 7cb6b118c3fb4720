"""Rows are counted for the line that asks for them, and all of them are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opendepin.rules import count, mean, total
from opendepin.rules.building import build
from opendepin.rules.cost import cost
from tests.rules.recipes import LABELS, SCHEMA


def compute(reading: Any) -> Any:
    temp, pm = reading["temp"], reading["pm"]
    warm = temp > 20  # a comparison
    squares = doubled(temp)
    return {
        "n": count(),
        "warm": count(where=warm),
        "squares": total(squares),
        "pm": mean(pm, by=reading.devices(9)),
    }


def doubled(value: Any) -> Any:
    return value * value + value * value


def test_lines_add_up_to_the_circuit() -> None:
    built = build("costs", SCHEMA, 16, compute, LABELS)
    found = cost(built)
    assert found.total == built.assembled().circuit.constraints
    assert found.unpacking > 40 + 20 + 53
    assert found.per_reading == found.total / 16


def test_rows_stand_at_the_innermost_line_of_the_project() -> None:
    found = {line.text: line.rows for line in cost(build("costs", SCHEMA, 4, compute)).lines}
    assert found["return value * value + value * value"] == 1
    assert found["warm = temp > 20  # a comparison"] in range(5, 13)
    assert found['"warm": count(where=warm),'] == 1
    assert not any("count()," in text for text in found)
    files = {line.file for line in cost(build("costs", SCHEMA, 4, compute)).lines}
    assert [Path(file).name for file in files] == ["test_cost.py"]


def test_the_table_says_lines_commitment_and_sum() -> None:
    found = cost(build("costs", SCHEMA, 4, compute, LABELS))
    lines = found.table().splitlines()
    assert len(lines) == len(found.lines) + 5
    assert "source" in lines[0]
    assert "warm = temp > 20" in found.table()
    for name, rows in (
        ("fields", found.unpacking * 4),
        ("commitment", found.commitment),
        ("outputs", found.outputs),
        ("total", found.total),
    ):
        (line,) = [line for line in lines if line.startswith(name)]
        assert f"{rows:,}" in line


@pytest.mark.parametrize("capacity", [4, 64])
def test_the_rules_own_rows_do_not_depend_on_the_capacity(capacity: int) -> None:
    assert cost(build("costs", SCHEMA, capacity, compute)).rule == 36
