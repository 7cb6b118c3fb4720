"""The language of projects: what `project.py` imports to say what is computed and proven.

    from opendepin.rules import count, mean

    def compute(reading):
        pm10 = reading["pm10"]
        return {"exceedances": count(where=pm10 > 50), "mean": mean(pm10)}

`docs/reference/project-language.md` says every form with its cost.
"""

from __future__ import annotations

from decimal import Decimal

from opendepin.rules.choices import Choice, Table, bins, day_of_week, hour_of_day, windows
from opendepin.rules.figures import (
    Figure,
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
from opendepin.rules.groups import Groups, group_by
from opendepin.rules.numbers import Flag, Number
from opendepin.rules.packs import (
    Pack,
    all_of,
    any_of,
    count_of,
    largest_of,
    limited,
    select,
    smallest_of,
    sum_of,
)
from opendepin.rules.reading import Reading

__all__ = [
    "Choice",
    "Decimal",
    "Figure",
    "Flag",
    "Groups",
    "Number",
    "Pack",
    "Reading",
    "Table",
    "all_of",
    "any_of",
    "bins",
    "count",
    "count_of",
    "day_of_week",
    "group_by",
    "histogram",
    "hour_of_day",
    "largest",
    "largest_of",
    "limited",
    "mean",
    "quantile",
    "ratio",
    "select",
    "smallest",
    "smallest_of",
    "sum_of",
    "top",
    "total",
    "variance",
    "windows",
]
