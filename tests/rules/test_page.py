"""The page that teaches the language says what is true: every cost, every example."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opendepin.core.journey import Reading
from opendepin.core.limits import MAX_OBSERVED_S
from opendepin.core.schema import Field, Schema
from opendepin.rules import __all__ as face
from opendepin.rules.building import Built, build
from opendepin.rules.checking import check
from opendepin.rules.errors import RuleRejected
from tests.rules.page import PAGE, blocks, costs, rows_of

SCHEMA = Schema(
    (
        Field(1, "observed_s", 0, MAX_OBSERVED_S, "s"),
        Field(2, "temp", -400, 600, "°C", 1),
        Field(3, "wet", 0, 100, "%"),
    )
)


@pytest.mark.parametrize(("form", "rows"), [*costs()])
def test_a_form_costs_what_the_page_says(form: str, rows: int) -> None:
    assert rows_of(form) == rows


def test_the_page_has_the_forms() -> None:
    assert len(list(costs())) > 40
    text = PAGE.read_text(encoding="utf-8")
    missing = [name for name in face if f"{name}(" not in text and name[0].islower()]
    assert not missing


def project(code: str, folder: Path) -> Built:
    file = folder / "project.py"
    file.write_text(code, encoding="utf-8")
    space: dict[str, Any] = {}
    exec(compile(code, str(file), "exec"), space)
    return build("page", SCHEMA, 4, space["compute"])


def test_the_worked_example(tmp_path: Path) -> None:
    built = project(blocks("python")[0], tmp_path)
    some: list[Reading] = []
    for seq, line in enumerate(blocks("readings")[0].splitlines()):
        device, *fields = line.split()
        values = dict(field.split("=") for field in fields)
        temp = int(Decimal(values["temp"]).scaleb(1))
        some.append(Reading(int(device), seq, 1_700_000_000, (temp, int(values["wet"]))))
    told = [
        f"{' '.join(filter(None, (one.figure, one.group)))} = {one.text} {one.unit}".strip()
        for one in built.answers(some)
    ]
    assert told == blocks("answers")[0].splitlines()
    assert built.pay("units") == (0, 3)
    check(built, some)


def test_the_refused_example(tmp_path: Path) -> None:
    with pytest.raises(RuleRejected) as caught:
        project(blocks("python")[1], tmp_path)
    assert str(caught.value).replace(f"{tmp_path}/", "") == blocks("refusal")[0].rstrip("\n")
