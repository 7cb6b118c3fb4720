"""The demo's rule says what a plain look at the records says; its data is what its page says."""

from __future__ import annotations

from datetime import date
from itertools import islice

import pytest
from hypothesis import given, settings

from opendepin.core.journey import Reading
from opendepin.demo.clean_air import CLEAN_AIR, FIGURES, LIMIT, OUTPUT_NAMES, PLAUSIBLE
from opendepin.demo.readings import recorded
from opendepin.demo.stations import LAND_OF_STATION, LANDS, STATIONS
from opendepin.proofs.zk.integers import outputs
from tests.proofs.zk.rules import readings

RECORDS = list(recorded())


def plainly(some: list[Reading]) -> dict[str, int]:
    """The same result by other means: lists of values, no gadget."""
    valid = [each for each in some if each.device_index < 70 and each.values[0] <= 1_000_000]
    result: dict[str, int] = {}
    for land in LANDS:
        values = [each.values[0] for each in valid if STATIONS[each.device_index].land == land]
        result[f"{land}.count"] = len(values)
        result[f"{land}.exceedances"] = sum(value > 50_000 for value in values)
        result[f"{land}.sum"] = sum(values)
        result[f"{land}.min"] = min(values, default=0)
        result[f"{land}.max"] = max(values, default=0)
    for index, station in enumerate(STATIONS):
        result[f"{station.name}.count"] = sum(each.device_index == index for each in valid)
    return result


def result_of(some: list[Reading]) -> dict[str, int]:
    return dict(zip(OUTPUT_NAMES, outputs(CLEAN_AIR, some), strict=True))


@settings(max_examples=60)
@given(readings(40, stations=80))
def test_any_readings(some: list[Reading]) -> None:
    assert result_of(some) == plainly(some)


def test_the_recorded_winter() -> None:
    some = [
        Reading(r.device_index, i, r.observed_s, (r.value,)) for i, r in enumerate(RECORDS[:256])
    ]
    assert result_of(some) == plainly(some)
    assert sum(result_of(some)[f"{land}.exceedances"] for land in LANDS) > 0


@pytest.mark.parametrize(
    ("reading", "counted", "exceeded"),
    [
        (Reading(0, 0, 0, (LIMIT,)), 1, 0),
        (Reading(0, 0, 0, (LIMIT + 1,)), 1, 1),
        (Reading(0, 0, 0, (PLAUSIBLE,)), 1, 1),
        (Reading(0, 0, 0, (PLAUSIBLE + 1,)), 0, 0),
        (Reading(0, 0, 0, (0,)), 1, 0),
        (Reading(69, 0, 0, (LIMIT + 1,)), 1, 1),
        (Reading(70, 0, 0, (LIMIT + 1,)), 0, 0),
        (Reading(128, 0, 0, (LIMIT + 1,)), 0, 0),
        (Reading((1 << 20) - 1, 0, 0, (5,)), 0, 0),
    ],
)
def test_the_edges(reading: Reading, counted: int, exceeded: int) -> None:
    result = result_of([reading])
    assert sum(result[f"{land}.count"] for land in LANDS) == counted
    assert sum(result[f"{land}.exceedances"] for land in LANDS) == exceeded
    assert sum(result[f"{station.name}.count"] for station in STATIONS) == counted


def test_the_order_of_outputs_is_as_promised() -> None:
    assert FIGURES == ("count", "exceedances", "sum", "min", "max")
    assert len(OUTPUT_NAMES) == len(set(OUTPUT_NAMES)) == 13 * 5 + 70
    assert OUTPUT_NAMES[:6] == (*(f"DE-BB.{figure}" for figure in FIGURES), "DE-BE.count")
    assert OUTPUT_NAMES[65:67] == ("DEBB051.count", "DEBB053.count")
    assert list(LANDS) == sorted(LANDS)


def test_the_stations_are_seventy_in_thirteen_lands() -> None:
    assert len(STATIONS) == len({station.name for station in STATIONS}) == 70
    assert len(LANDS) == 13
    assert [STATIONS[i].land for i in range(70)] == [LANDS[place] for place in LAND_OF_STATION]
    for station in STATIONS:
        assert 5.5 < station.longitude < 15.5
        assert 47 < station.latitude < 55.5


def test_the_records_are_those_of_the_page() -> None:
    assert len(RECORDS) == 19_123
    assert (RECORDS[0].day, RECORDS[-1].day) == (date(2002, 12, 1), date(2003, 12, 31))
    assert [(r.day, r.device_index) for r in RECORDS] == sorted(
        (r.day, r.device_index) for r in RECORDS
    )
    assert len({r.device_index for r in RECORDS}) == 56
    assert len({r.device_index for r in RECORDS if r.day < date(2003, 3, 1)}) == 53
    assert max(r.value for r in RECORDS) == 274_333
    assert min(r.value for r in RECORDS) == 1_125


def test_a_record_is_midnight_utc_and_exact_thousandths() -> None:
    first = next(islice(recorded(), 1))
    assert first.observed_s == 1_038_700_800
    assert first.value == int(first.value)
    assert STATIONS[first.device_index].name.startswith("DE")
