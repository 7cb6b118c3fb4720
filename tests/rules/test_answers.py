"""What outputs mean: exact, the same from a description that was written down and read again."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.errors import Rejected
from opendepin.core.journey import Reading
from opendepin.rules import (
    Decimal,
    count,
    histogram,
    largest,
    mean,
    quantile,
    ratio,
    smallest,
    top,
    total,
    variance,
)
from opendepin.rules.answers import Answer, Description, decimal
from opendepin.rules.building import Built, build
from tests.rules.recipes import LABELS, SCHEMA, readings


def compute(reading: Any) -> Any:
    temp, state = reading["temp"], reading["state"]
    bins = histogram(temp, [-5, 0, Decimal("12.5")], by=state)
    return {
        "sum": total(temp, by=state),
        "mean": mean(temp, by=state),
        "spread": variance(temp),
        "low": smallest(temp, by=state),
        "high": largest(temp, by=state),
        "bins": bins,
        "median": quantile(bins, Decimal("0.5")),
        "common": top(count(by=state), 2),
        "bin": top(histogram(temp, [0, 10]), 1),
        "share": ratio(count(where=temp > 0), count()),
        "per": ratio(total(temp), total(reading["wet"])),
    }


@pytest.fixture(scope="module")
def built() -> Built:
    return build("answers", SCHEMA, 4, compute, LABELS)


def reading(temp: int, state: int, wet: int = 1) -> Reading:
    return Reading(0, 0, 5, (temp, wet, 0, 0, 0, state))


def said(built: Built, some: list[Reading]) -> dict[tuple[str, str], Answer]:
    return {(answer.figure, answer.group): answer for answer in built.answers(some)}


def test_answers_below_zero(built: Built) -> None:
    found = said(built, [reading(-50, 0), reading(-51, 0), reading(600, 1), reading(0, 0, 0)])
    assert found["sum", "ok"].text == "-10.1"
    assert found["mean", "ok"].value == Fraction(-101, 30)
    assert found["mean", "ok"].text == "-3.4"
    assert found["mean", "ok"].unit == "°C"
    assert (found["low", "ok"].text, found["high", "ok"].text) == ("-5.1", "0.0")
    assert found["low", "broken"].value is None
    assert found["mean", "broken"].text == "none"
    assert found["sum", "broken"].value == 0
    assert found["bins", "ok.<-5.0"].value == 1
    assert found["bins", "ok.-5.0..0.0"].value == 1
    assert found["bins", "ok.0.0..12.5"].value == 1
    assert found["bins", "dusty.>=12.5"].value == 1
    assert found["median", "ok"].text == "-5.0..0.0"
    assert found["median", "ok"].value == -5
    assert found["median", "broken"].value is None
    assert found["common", "1"].text == "ok (3)"
    assert found["common", "2"].text == "dusty (1)"
    assert ("common", "3") not in found
    assert found["bin", "1"].text == "<0.0 (2)"
    assert found["share", ""].value == Fraction(1, 4)
    assert found["per", ""].value == Fraction(499, 30)


def test_a_ratio_over_nothing_is_none(built: Built) -> None:
    assert said(built, [reading(5, 0, 0)])["per", ""].value is None


@settings(max_examples=30)
@given(readings(), st.sampled_from(["0.01", "0.5", "0.9", "1"]))
def test_a_quantile_is_the_bin_of_the_nearest_rank(some: list[Reading], share: str) -> None:
    def rule(reading: Any) -> Any:
        bins = histogram(reading["wet"], [10, 20, 50, 90])
        return {"q": quantile(bins, Decimal(share))}

    (answer,) = build("quantile", SCHEMA, 4, rule).answers(some)
    ordered = sorted(each.values[1] for each in some)
    rank = -(-Fraction(share) * len(ordered) // 1)
    value = ordered[int(rank) - 1]
    low, high = [(0, 10), (10, 20), (20, 50), (50, 90), (90, 200)][
        ["<10", "10..20", "20..50", "50..90", ">=90"].index(answer.text)
    ]
    assert low <= value < high


@settings(max_examples=30)
@given(st.lists(readings(), min_size=1, max_size=4))
def test_segments_merge(parts: list[list[Reading]]) -> None:
    small = build("answers", SCHEMA, 4, compute, LABELS)
    whole = build("answers", SCHEMA, 16, compute, LABELS)
    merged = small.description.merged([small.outputs(part) for part in parts])
    assert merged == whole.outputs([each for part in parts for each in part])


def test_a_description_is_data(built: Built) -> None:
    text = built.description.to_json()
    again = Description.from_json(text)
    assert again == built.description
    assert again.to_json() == text
    assert all(figure.formula for figure in again.figures)
    out = built.outputs([reading(7, 1)])
    assert again.answers(out) == built.description.answers(out)
    for wrong in (b"{}", b"[", text.replace(b'"scale"', b'"scales"')):
        with pytest.raises(Rejected, match="no description"):
            Description.from_json(wrong)
    with pytest.raises(Rejected, match="outputs where"):
        again.answers(out[:-1])


def test_an_output_stands_once_however_many_figures_need_it(built: Built) -> None:
    names = [info.name for info in built.description.outputs]
    assert len(set(names)) == len(names)
    shared = {figure.name: figure.outputs for figure in built.description.figures}
    assert shared["mean"]["count"] == shared["sum"]["count"] == shared["low"]["count"]


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (Fraction(1, 3), 2, "0.33"),
        (Fraction(-1, 3), 2, "-0.34"),
        (Fraction(2, 3), 0, "0"),
        (Fraction(-2, 3), 0, "-1"),
        (Fraction(5), 1, "5.0"),
    ],
)
def test_texts_round_down(value: Fraction, scale: int, text: str) -> None:
    assert decimal(value, scale) == text
