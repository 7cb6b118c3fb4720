"""What projects import is written down: a name that comes or goes is a decision."""

from __future__ import annotations

from opendepin import rules

NAMES = """
Choice Decimal Figure Flag Groups Number Pack Reading Table
all_of any_of bins count count_of day_of_week group_by histogram hour_of_day largest largest_of
limited mean quantile ratio select smallest smallest_of sum_of top total variance windows
"""


def test_exported_names() -> None:
    assert sorted(NAMES.split()) == sorted(rules.__all__)
    assert list(rules.__all__) == sorted(rules.__all__)
    assert all(hasattr(rules, name) for name in rules.__all__)
