"""Which groups go into one batch, and how they lie in its segments. Pure.

In: checked groups in the order they are taken. Out: segment bodies. Promises: groups are whole;
each is in exactly one segment; groups of one lane keep their order; no limit of `core.limits` and
no circuit's capacity is exceeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from opendepin.core.batch import SegmentBody
from opendepin.core.group import Group
from opendepin.core.limits import MAX_RANGES_PER_SEGMENT, MAX_SEGMENTS_PER_BATCH
from opendepin.core.readings import Checked

GROUP_OVERHEAD_BYTES = 192
"""CBOR of a group's header, signature and array heads, rounded up."""

MESSAGE_OVERHEAD_BYTES = 3
"""CBOR head of one message's byte string."""


@dataclass(frozen=True)
class Taken:
    """A group that passed every check, and where it came from."""

    group: Group
    checked: tuple[Checked, ...]
    capacity: int
    """Most messages of one segment of its project."""
    feed: bytes
    """Gateway whose feed gave it."""
    number: int
    """Its number in that feed."""

    @property
    def bytes(self) -> int:
        """Its part of a body, rounded up."""
        return GROUP_OVERHEAD_BYTES + sum(
            len(raw) + MESSAGE_OVERHEAD_BYTES for raw in self.group.messages
        )

    def sequence_numbers(self) -> Iterable[tuple[bytes, int]]:
        """Return device and sequence number of every message."""
        return ((each.message.device, each.message.seq) for each in self.checked)


@dataclass
class _Open:
    """A segment being filled; groups of one gateway lie together, so that they make one range."""

    project: int
    capacity: int
    count: int = 0
    lanes: dict[bytes, list[Taken]] = field(default_factory=dict[bytes, list[Taken]])

    def fits(self, taken: Taken) -> bool:
        known = taken.group.header.gateway in self.lanes
        return self.count + taken.group.header.count <= self.capacity and (
            known or len(self.lanes) < MAX_RANGES_PER_SEGMENT
        )

    def add(self, taken: Taken) -> None:
        self.count += taken.group.header.count
        self.lanes.setdefault(taken.group.header.gateway, []).append(taken)

    def groups(self) -> list[Taken]:
        return [taken for lane in self.lanes.values() for taken in lane]


class Packing:
    """One batch being filled."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._segments: list[_Open] = []
        self._newest: dict[int, _Open] = {}
        self.taken: list[Taken] = []
        """The groups, in the order they were added."""
        self.messages = 0
        self.bytes = 0

    def add(self, taken: Taken) -> bool:
        """Put a group in; False, and nothing changes, when it does not fit any more.

        An empty packing takes any group that a segment of its project can hold.
        """
        header = taken.group.header
        if self.taken and (
            self.messages + header.count > self._max_messages
            or self.bytes + taken.bytes > self._max_bytes
        ):
            return False
        newest = self._newest.get(header.project)
        if newest is None or not newest.fits(taken):
            if len(self._segments) == MAX_SEGMENTS_PER_BATCH:
                return False
            newest = _Open(header.project, taken.capacity)
            self._segments.append(newest)
            self._newest[header.project] = newest
        newest.add(taken)
        self.taken.append(taken)
        self.messages += header.count
        self.bytes += taken.bytes
        return True

    def full(self) -> bool:
        """Tell whether not even one message more would fit."""
        return self.messages >= self._max_messages or self.bytes >= self._max_bytes

    def segments(self) -> Sequence[tuple[SegmentBody, list[Taken]]]:
        """Return the segments in the order they were begun, each with its groups in body order."""
        found: list[tuple[SegmentBody, list[Taken]]] = []
        for segment in self._segments:
            groups = segment.groups()
            found.append((SegmentBody(segment.project, tuple(t.group for t in groups)), groups))
        return found
