"""A rule: what turns one segment's readings into a program's outputs, with its capacity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from opendepin.core.journey import Reading
from opendepin.core.limits import MAX_DEVICES_PER_PROJECT, MAX_OBSERVED_S, MAX_SEQ
from opendepin.proofs.errors import ReadingsRejected, RuleBroken
from opendepin.proofs.zk import language

MAX_CAPACITY = 4_096
"""Most readings of one circuit."""

MAX_VALUE = (1 << 20) - 1
"""Largest value of a reading's fourth lane."""

LANE_MAXIMA = {
    "device_index": MAX_DEVICES_PER_PROJECT - 1,
    "seq": MAX_SEQ,
    "observed_s": MAX_OBSERVED_S,
    "value": MAX_VALUE,
}
"""The lanes of a reading in the order of the field leaf, and the largest value of each."""


def lanes(reading: Reading) -> tuple[int, int, int, int]:
    """Return a reading's lanes in the order of the field leaf."""
    return reading.device_index, reading.seq, reading.observed_s, reading.value


@dataclass(frozen=True)
class Rule:
    """What a project computes over each segment."""

    name: str
    capacity: int
    """Readings in one proof, a power of two."""
    compute: Callable[[language.Reading], Sequence[language.Output]]

    def __post_init__(self) -> None:
        if self.capacity & (self.capacity - 1) or not 2 <= self.capacity <= MAX_CAPACITY:
            raise RuleBroken(
                f"a capacity is a power of two in 2..{MAX_CAPACITY}, not {self.capacity}"
            )

    @property
    def depth(self) -> int:
        """Levels of the field tree below its root."""
        return self.capacity.bit_length() - 1

    def resized(self, capacity: int) -> Rule:
        """Return the same rule for another number of readings."""
        return replace(self, capacity=capacity)

    def check(self, readings: Sequence[Reading]) -> None:
        """Refuse readings that the circuit does not take: none, too many, or a lane out of bounds.

        Raises:
            ReadingsRejected: the first thing that does not fit.
        """
        if not 1 <= len(readings) <= self.capacity:
            raise ReadingsRejected(
                f"{self.name} takes 1..{self.capacity} readings, not {len(readings)}"
            )
        for at, reading in enumerate(readings):
            for lane, (name, maximum) in zip(lanes(reading), LANE_MAXIMA.items(), strict=True):
                if not 0 <= lane <= maximum:
                    raise ReadingsRejected(f"reading {at}: {name} = {lane} is outside 0..{maximum}")
