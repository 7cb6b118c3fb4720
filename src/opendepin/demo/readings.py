"""The recorded PM10 readings that the demo replays: daily means, December 2002 to 2003, unaltered.

Gaps are as in the source: nothing is invented to fill them.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from opendepin.demo.stations import DATA, STATIONS

THOUSANDTHS = 1_000
"""A value is the mean in µg/m³ × 1,000."""


class Recorded(NamedTuple):
    """One station's daily mean."""

    device_index: int
    day: date
    value: int
    """Thousandths of µg/m³."""

    @property
    def observed_s(self) -> int:
        """Midnight UTC that starts the day, Unix seconds."""
        return int(datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC).timestamp())


def recorded() -> Iterator[Recorded]:
    """Yield all readings by day, then by device index."""
    index = {station.name: at for at, station in enumerate(STATIONS)}
    packed = (DATA / "pm10-2002-2003.csv.gz").read_bytes()
    for row in csv.DictReader(io.StringIO(gzip.decompress(packed).decode())):
        yield Recorded(
            index[row["station"]], date.fromisoformat(row["date"]), _thousandths(row["pm10"])
        )


def _thousandths(text: str) -> int:
    """Read a decimal with at most three places exactly."""
    return int(Decimal(text) * THOUSANDTHS)
