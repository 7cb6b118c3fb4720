"""Read the page that teaches the language: its tables of costs and its worked examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opendepin import rules
from opendepin.rules import Choice, Figure, Flag, Number, Pack, count, sum_of, total
from opendepin.rules.building import build
from opendepin.rules.cost import cost
from tests.rules.recipes import LABELS, SCHEMA

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "project-language.md"
ROW = re.compile(r"^\| `(.+?)` \| (.+?) \| (\d+) \|$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def costs() -> Iterator[tuple[str, int]]:
    """Every form of the tables, with the rows it is said to cost."""
    for form, _, rows in ROW.findall(PAGE.read_text(encoding="utf-8")):
        yield form.replace("\\|", "|"), int(rows)


def blocks(language: str) -> list[str]:
    """The page's code of one kind, in order."""
    text = PAGE.read_text(encoding="utf-8")
    return [code for kind, code in BLOCK.findall(text) if kind == language]


def rows_of(form: str) -> int:
    """What a form costs a reading; counting or adding up its value is taken off."""
    taken: list[int] = []

    def compute(reading: Any) -> dict[str, Figure]:
        names = {name: getattr(rules, name) for name in rules.__all__}
        fields = {name: reading[name] for name in ("temp", "wet", "pm", "state")}
        value = eval(form, {**names, **fields, "reading": reading})
        if isinstance(value, Pack):
            value = sum_of([each.number() if isinstance(each, Flag) else each for each in value])
        taken[:] = [1 if isinstance(value, Number | Flag) else 0]
        if isinstance(value, Number):
            value = total(value)
        elif isinstance(value, Flag):
            value = count(where=value)
        elif isinstance(value, Choice | rules.Groups):
            value = count(by=value)
        return {"form": value}

    return cost(build("form", SCHEMA, 4, compute, LABELS)).rule - taken[0]
