"""Why a project's rule was refused, at the project's own line.

DepinError
├── Rejected
│   └── RuleRejected    rule              the rule says what no proof can, or says it wrongly
│       └── NotProven   rule-not-proven   the finished circuit leaves something open
└── Broken
    └── RangeBroken     rule-range        a value left the range that the language tracks: our fault
"""

from __future__ import annotations

from opendepin.core.errors import Broken, Rejected
from opendepin.rules.places import Place


class RuleRejected(Rejected):
    """A rule that cannot become a circuit as it is written; says where, why and what can."""

    code = "rule"

    def __init__(self, reason: str, nearest: str = "", place: Place | None = None) -> None:
        self.reason, self.nearest, self.place = reason, nearest, place
        where = f"{place.file}:{place.line}: " if place else ""
        source = f"\n    {place.text}" if place and place.text else ""
        instead = f"\nInstead: {nearest}" if nearest else ""
        super().__init__(f"{where}{reason}{source}{instead}")


class NotProven(RuleRejected):
    """A circuit with a wire that nothing holds, or an output that may be changed."""

    code = "rule-not-proven"


class RangeBroken(Broken):
    """A value outside the range that was derived for it."""

    code = "rule-range"
