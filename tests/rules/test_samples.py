"""Two whole projects: their rules say of recorded and of made readings what is true of them."""

from __future__ import annotations

import csv
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from opendepin.core.journey import Reading
from opendepin.core.limits import MAX_OBSERVED_S
from opendepin.core.schema import Field, Schema
from opendepin.core.statement import evaluation
from opendepin.proofs.zk.solver import solve, violation
from opendepin.rules.building import Built, build
from opendepin.rules.checking import check
from opendepin.rules.cost import cost
from opendepin.rules.errors import RuleRejected
from tests.rules.samples import device_class, weather

TIME = Field(1, "observed_s", 0, MAX_OBSERVED_S, "s")
WEATHER = Schema(
    (
        TIME,
        Field(2, "temp", -6_000, 13_000, "°F", 2),
        Field(3, "wind_gust", 0, 25_000, "mph", 2),
        Field(4, "precip", 0, 2_000, "in", 2),
    )
)
CLASSES = Schema((TIME, Field(2, "pm", 0, 1_000, "µg/m³", length=3)))
NAMES = ("EWR", "JFK", "LGA")


def hours() -> list[Reading]:
    """Recorded hours of the storm of 31 January 2013; an hour without a gust has gust 0."""
    file = Path(__file__).parent / "data" / "weather-2013-01-31.csv"
    found: list[Reading] = []
    with file.open(encoding="utf-8") as lines:
        for seq, row in enumerate(csv.DictReader(lines)):
            time = int(datetime.fromisoformat(row["time"]).timestamp())
            parts = (row["temp"], row["wind_gust"] or "0", row["precip"])
            values = tuple(int(Decimal(part).scaleb(2)) for part in parts)
            found.append(Reading(NAMES.index(row["station"]), seq, time, values))
    return found


def said(built: Built, some: list[Reading]) -> dict[tuple[str, str], Any]:
    return {(answer.figure, answer.group): answer.value for answer in built.answers(some)}


def proven(built: Built, some: list[Reading]) -> None:
    assembled = built.assembled()
    wires = solve(assembled.circuit, assembled.given(some), {"statement": 77})
    assert violation(assembled.circuit, wires) is None
    assert wires[2] == evaluation(built.outputs(some), 77)


def test_weather() -> None:
    built, some = build("weather", WEATHER, 64, weather.compute), hours()
    found = said(built, some)
    for device, name in enumerate(NAMES):
        own = [each.values for each in some if each.device_index == device]
        assert found["units", name] == len(own) == 20
        assert found["storms", name] == sum(gust >= 4_600 for _, gust, _ in own)
        assert found["rain", name] == Fraction(sum(rain for _, _, rain in own), 100)
        assert found["strongest", name] == Fraction(max(gust for _, gust, _ in own), 100)
        assert found["mean_temp", name] == Fraction(sum(temp for temp, _, _ in own), 2_000)
    assert found["storms", "JFK"] > 0
    assert sum(found["rain_by_quarter", f"w{each}"] for each in range(4)) == sum(
        found["rain", name] for name in NAMES
    )
    heavy = sum(gust >= 4_600 or rain >= 30 for _, gust, rain in (each.values for each in some))
    assert found["claims_share", ""] == Fraction(heavy, 60)
    rank = sorted(each.values[1] for each in some)[53]
    p90 = next(each for each in built.answers(some) if each.figure == "gust_p90")
    assert p90.value is not None
    assert p90.value <= Fraction(rank, 100)
    assert built.pay("units") == (0, 3)
    proven(built, some)


def test_weather_of_segments_adds_up() -> None:
    built, some = build("weather", WEATHER, 64, weather.compute), hours()
    parts = [built.outputs(some[at : at + 7]) for at in range(0, len(some), 7)]
    assert built.description.merged(parts) == built.outputs(some)


def test_devices_are_paid_by_class() -> None:
    built = build("classes", CLASSES, 8, device_class.compute)
    some = [
        Reading(0, 0, 1, (10, 20, 30)),
        Reading(1, 1, 1, (10, 0, 30)),
        Reading(2, 2, 1, (0, 0, 30)),
        Reading(3, 3, 1, (5, 5, 5)),
        Reading(4, 4, 1, (950, 40, 44)),
        Reading(4, 5, 1, (1, 2, 3)),
        Reading(9, 6, 1, (1, 2, 3)),
    ]
    found = said(built, some)
    assert [found["units", str(device)] for device in range(6)] == [3, 1, 0, 0, 4, 0]
    assert found["readings", "kit"] == 1
    assert found["mean", "kit"] == 20
    assert found["mean", "station"] == Fraction(40 + 44 + 1 + 2 + 3, 5)
    assert found["broken", ""] == 1
    assert built.pay("units") == (0, 6)
    with pytest.raises(RuleRejected, match="whole units of each device"):
        built.pay("readings")
    with pytest.raises(RuleRejected, match="no figure"):
        built.pay("reward")
    proven(built, some)


@pytest.mark.parametrize("name", ["weather", "classes"])
def test_nothing_is_left_open(name: str) -> None:
    sample = {"weather": (WEATHER, weather.compute), "classes": (CLASSES, device_class.compute)}
    built = build(name, sample[name][0], 4, sample[name][1])
    check(built)
    assert cost(built).rule < 500
