"""The demo rule, *clean air*: what a segment of PM10 readings says of each Land and station.

Values are daily means in thousandths of µg/m³. The EU limit value is a daily mean of 50 µg/m³
(Directive 2008/50/EC, annex XI). A reading counts when its device is one of the 70 stations and its
value is plausible (≤ 1,000 µg/m³; 0.0 occurs in clean air and counts). Per Land, by ISO 3166-2
code: count, exceedances, sum, min, max of the valid readings (min and max are 0 while there is
none); then the valid count of every station.
"""

from __future__ import annotations

from collections.abc import Sequence

from opendepin.core.limits import MAX_OBSERVED_S
from opendepin.core.schema import OBSERVED, Field, Schema
from opendepin.demo.stations import LAND_OF_STATION, LANDS, STATIONS
from opendepin.proofs.zk.language import (
    Output,
    Reading,
    counts,
    largest,
    one_hot,
    smallest,
    totals,
)
from opendepin.proofs.zk.rule import Rule

LIMIT = 50_000
"""The EU daily limit value, thousandths of µg/m³; a reading above it is an exceedance."""

PLAUSIBLE = 1_000_000
"""A daily mean above this (1,000 µg/m³) is a broken instrument, not air."""

CAPACITY = 256
"""Readings in one proof."""

MAX_VALUE = (1 << 20) - 1
"""Largest value that a message may carry."""

SCHEMA = Schema(
    (
        Field(OBSERVED, "observed_s", 0, MAX_OBSERVED_S, "s"),
        Field(2, "pm10", 0, MAX_VALUE, "µg/m³", 3),
    )
)

FIGURES = ("count", "exceedances", "sum", "min", "max")
"""What is said of each Land, in this order."""

OUTPUT_NAMES = (
    *(f"{land}.{figure}" for land in LANDS for figure in FIGURES),
    *(f"{station.name}.count" for station in STATIONS),
)
"""The name of every output, in order."""


def compute(reading: Reading) -> Sequence[Output]:
    """Say what one reading adds to the result."""
    value, gate = reading["pm10"], reading.present
    plausible = gate & (value <= PLAUSIBLE)
    station = one_hot(reading.device_index, len(STATIONS), gate=plausible)
    land = station.merged(LAND_OF_STATION, len(LANDS))
    figures = (
        counts(land),
        counts(land & (value > LIMIT)),
        totals(land, value),
        smallest(land, value),
        largest(land, value),
    )
    of_each_land = zip(*figures, strict=True)
    return [*(output for outputs in of_each_land for output in outputs), *counts(station)]


CLEAN_AIR = Rule("clean-air", SCHEMA, CAPACITY, compute)
"""The rule at its full size."""
