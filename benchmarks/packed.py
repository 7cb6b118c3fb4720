"""The rule of the packed case: messages of 24 values each, filtered, grouped, and folded.

Each message carries 24 values of 12 bits, say a day's hourly means in tenths. A value counts when
it is at most 3,000 (above, the instrument is broken). By class of the device (8 places, a field of
the message): how many values count, how many are above a limit, their sum, the smallest and the
largest.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from opendepin.core.journey import Reading
from opendepin.core.limits import MAX_OBSERVED_S
from opendepin.core.schema import Field, Schema
from opendepin.proofs.zk import language as zk
from opendepin.proofs.zk.rule import Rule

VALUES, CLASSES = 24, 8
PLAUSIBLE, LIMIT = 3_000, 500
SCHEMA = Schema(
    (
        Field(1, "observed_s", 0, MAX_OBSERVED_S, "s"),
        Field(2, "class", 0, CLASSES - 1, kind="enum"),
        Field(3, "hours", 0, (1 << 12) - 1, "µg/m³", 1, length=VALUES),
    )
)


def compute(reading: zk.Reading) -> Sequence[zk.Output]:
    """Say what one message adds to the result."""
    values = reading.values("hours")
    good = [value <= PLAUSIBLE for value in values]
    over = [bit & (value > LIMIT) for bit, value in zip(good, values, strict=True)]
    low, high = zk.extremes_where(good, values)
    valid = zk.count_where(good)
    any_valid = ~(valid == 0)
    group = zk.one_hot(reading["class"], CLASSES, gate=reading.present & any_valid)
    return [
        *zk.totals(group, valid),
        *zk.totals(group, zk.count_where(over)),
        *zk.totals(group, zk.total_where(good, values)),
        *zk.smallest(group, low),
        *zk.largest(group, high),
    ]


CAPACITY = 79
"""Messages in one proof: as many as 2^17 rows have room for."""

PACKED = Rule("packed", SCHEMA, CAPACITY, compute)


def messages(count: int, seed: int = 6) -> list[Reading]:
    """Make readings; which values does not matter to the time."""
    chance = random.Random(seed)
    return [
        Reading(
            chance.randrange(1 << 20),
            1 + number,
            1_700_000_000 + 86_400 * number,
            (chance.randrange(CLASSES), *(chance.randrange(1 << 12) for _ in range(VALUES))),
        )
        for number in range(count)
    ]
