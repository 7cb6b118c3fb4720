"""The demo's 70 air-quality stations, at their true places; see `data/README.md`.

A station's place in `STATIONS` is its device index in the demo project.
"""

from __future__ import annotations

import csv
import io
from importlib.resources import files
from typing import NamedTuple

DATA = files("opendepin.demo") / "data"


class Station(NamedTuple):
    """One station."""

    name: str
    longitude: float
    latitude: float
    """Degrees, WGS 84."""
    land: str
    """ISO 3166-2 code."""
    land_name: str


def _read() -> tuple[Station, ...]:
    text = (DATA / "stations.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(text))
    return tuple(
        Station(
            row["station"], float(row["lon"]), float(row["lat"]), row["region"], row["region_name"]
        )
        for row in rows
    )


STATIONS = _read()
"""All stations by device index."""

LANDS = tuple(sorted({station.land for station in STATIONS}))
"""The 13 Länder that have a station, by code."""

LAND_OF_STATION = tuple(LANDS.index(station.land) for station in STATIONS)
"""For each device index, the place of its Land in `LANDS`."""
