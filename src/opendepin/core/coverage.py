"""What the batches have covered, and what may follow: positions per lane, sequence numbers per
device.

A lane is one project at one gateway; its positions are dense and its identity blocks never
decrease, as `BatchInbox` requires too. A device's sequence number enters once, whatever gateway
took it: a message batched twice would be paid twice. In: checked groups, in order. Out: the state,
or a `CoverageRejected`. Sequencer and stores judge by this page.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opendepin.core.encodings import cbor_decode, cbor_encode, sha256, u64
from opendepin.core.errors import Broken, DepinError, Rejected
from opendepin.core.group import GroupHeader

STATE_DEPTH = 5
"""CBOR nesting of the state: [lanes, devices] > device > runs > run."""

Lane = tuple[bytes, int]
"""Gateway address, project."""


class CoverageRejected(Rejected):
    """A group does not continue what was covered; code `range`, `identity-order` or `replayed`."""

    code = "range"


@dataclass(frozen=True)
class Covered:
    """How far one lane is covered."""

    position: int = 0
    identity_block: int = 0


NOTHING = Covered()


class Runs:
    """A set of integers kept as ascending, disjoint, non-adjoining runs; a steady counter is one
    run.
    """

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in runs:
            self._firsts.append(first)
            self._lasts.append(last)

    def __contains__(self, value: int) -> bool:
        at = bisect_right(self._firsts, value) - 1
        return at >= 0 and value <= self._lasts[at]

    def add(self, value: int) -> None:
        """Put one integer in; no effect when it is there."""
        if value in self:
            return
        at = bisect_right(self._firsts, value)
        joins_before = at > 0 and self._lasts[at - 1] == value - 1
        joins_after = at < len(self._firsts) and self._firsts[at] == value + 1
        if joins_before and joins_after:
            self._lasts[at - 1] = self._lasts.pop(at)
            self._firsts.pop(at)
        elif joins_before:
            self._lasts[at - 1] = value
        elif joins_after:
            self._firsts[at] = value
        else:
            self._firsts.insert(at, value)
            self._lasts.insert(at, value)

    def runs(self) -> list[tuple[int, int]]:
        """Return the runs, ascending."""
        return list(zip(self._firsts, self._lasts, strict=True))


class Coverage:
    """The state after some batches; changes only by `apply`."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, Covered] = {}
        self._seqs: dict[bytes, Runs] = {}

    def lane(self, gateway: bytes, project: int) -> Covered:
        """Return how far a lane is covered."""
        return self._lanes.get((gateway, project), NOTHING)

    def lanes(self) -> Mapping[Lane, Covered]:
        """Return every lane that has a position covered."""
        return dict(self._lanes)

    def holds(self, device: bytes, seq: int) -> bool:
        """Tell whether a device's sequence number is in a batch."""
        runs = self._seqs.get(device)
        return runs is not None and seq in runs

    def apply(self, step: Step) -> None:
        """Take a step's groups over for good."""
        self._lanes.update(step.lanes)
        for device, seq in step.seqs:
            self._seqs.setdefault(device, Runs()).add(seq)

    def encode(self) -> bytes:
        """Write the state for a snapshot."""
        lanes = [[g, p, c.position, c.identity_block] for (g, p), c in sorted(self._lanes.items())]
        devices = [[d, [list(run) for run in r.runs()]] for d, r in sorted(self._seqs.items())]
        return cbor_encode([lanes, devices])

    @classmethod
    def decode(cls, data: bytes) -> Coverage:
        """Read a snapshot of our own.

        Raises:
            Broken: not what `encode` writes.
        """
        found = cls()
        try:
            lanes, devices = cbor_decode(data, STATE_DEPTH)
            found._lanes = {(g, p): Covered(position, block) for g, p, position, block in lanes}
            found._seqs = {device: Runs((a, b) for a, b in runs) for device, runs in devices}
        except (ValueError, TypeError, DepinError) as error:
            raise Broken(f"a snapshot of the coverage cannot be read: {error}") from error
        return found


def encode_snapshot(number: int, coverage: Coverage) -> bytes:
    """Write the state after batch `number`, with a checksum in front."""
    body = u64(number) + coverage.encode()
    return sha256(body) + body


def decode_snapshot(data: bytes) -> tuple[int, Coverage]:
    """Read what `encode_snapshot` wrote: batch number and state.

    Raises:
        Broken: cut short or changed on disk.
    """
    check, body = data[:32], data[32:]
    if len(body) < 8 or sha256(body) != check:
        raise Broken("a snapshot of the coverage has changed on disk", code="snapshot")
    return int.from_bytes(body[:8], "big"), Coverage.decode(body[8:])


class Step:
    """Groups that are about to follow a state: checked one by one, applied all or none."""

    def __init__(self, base: Coverage) -> None:
        self._base = base
        self.lanes: dict[Lane, Covered] = {}
        self.seqs: set[tuple[bytes, int]] = set()

    def covered(self, gateway: bytes, project: int) -> Covered:
        """Return how far a lane is covered, this step's groups included."""
        return self.lanes.get((gateway, project)) or self._base.lane(gateway, project)

    def follows(self, header: GroupHeader) -> None:
        """Check that a group continues its lane.

        Raises:
            CoverageRejected: code `range` or `identity-order`.
        """
        before = self.covered(header.gateway, header.project)
        if header.first != before.position + 1:
            text = (
                f"the group starts at {header.first}, the lane is covered up to {before.position}"
            )
            raise CoverageRejected(text, code="range")
        if header.identity_block < before.identity_block:
            text = f"identity block {header.identity_block} after {before.identity_block}"
            raise CoverageRejected(text, code="identity-order")

    def take(self, header: GroupHeader, messages: Iterable[tuple[bytes, int]]) -> None:
        """Add a group, given device and sequence number of its messages; on refusal nothing of it
        is added.

        Raises:
            CoverageRejected: code `range`, `identity-order` or `replayed`.
        """
        self.follows(header)
        new: set[tuple[bytes, int]] = set()
        for device, seq in messages:
            pair = (device, seq)
            if pair in new or pair in self.seqs or self._base.holds(device, seq):
                text = f"seq {seq} of device 0x{device.hex()} is in a batch already"
                raise CoverageRejected(text, code="replayed")
            new.add(pair)
        self.seqs |= new
        last = header.first + header.count - 1
        self.lanes[header.gateway, header.project] = Covered(last, header.identity_block)

    def encode(self) -> bytes:
        """Write the step for a log record."""
        lanes = [[g, p, c.position, c.identity_block] for (g, p), c in sorted(self.lanes.items())]
        by_device: dict[bytes, list[int]] = {}
        for device, seq in sorted(self.seqs):
            by_device.setdefault(device, []).append(seq)
        return cbor_encode([lanes, [[device, *seqs] for device, seqs in by_device.items()]])

    @classmethod
    def decode(cls, data: bytes, base: Coverage) -> Step:
        """Read a step of our own log, to be applied on `base`.

        Raises:
            Broken: not what `encode` writes.
        """
        found = cls(base)
        try:
            lanes: Any
            lanes, devices = cbor_decode(data)
            found.lanes = {(g, p): Covered(position, block) for g, p, position, block in lanes}
            found.seqs = {(row[0], seq) for row in devices for seq in row[1:]}
        except (ValueError, TypeError, DepinError) as error:
            raise Broken(f"a step of the coverage cannot be read: {error}") from error
        return found
