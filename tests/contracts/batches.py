"""Builds and submits batches as sequencer and attesters do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import boa

from opendepin.core.batch import BatchHeader, Range, Segment, segments_root
from opendepin.core.keys import Key
from tests.contracts import world

GATEWAY = Key.from_seed(b"gateway").address
DATA_ROOT = b"\x44" * 32


def block() -> int:
    """The height that the next transaction stands in."""
    return boa.env.evm.patch.block_number


def span(first: int, last: int, gateway: bytes = GATEWAY, back: int = 5) -> Range:
    """Cover positions by an identity block `back` blocks ago."""
    return Range(gateway, first, last, block() - back, block() - back)


def segment(*ranges: Range, project: int = 1) -> Segment:
    """Return a segment over ranges; its roots are any."""
    count = sum(r.last - r.first + 1 for r in ranges)
    return Segment(project, b"\x55" * 32, 77, count, ranges)


@dataclass(frozen=True)
class Submission:
    """The arguments of one `submit` call."""

    number: int
    parent: bytes
    data_root: bytes
    data_bytes: int
    time: int
    segments: tuple[Segment, ...]
    sequencer_signature: bytes
    attestations: tuple[bytes, ...]

    def send(self, inbox: Any) -> Any:
        """Send it by somebody."""
        rows = [
            (
                s.project,
                s.root,
                s.field_root,
                s.count,
                [
                    (
                        world.address_text(r.gateway),
                        r.first,
                        r.last,
                        r.identity_first,
                        r.identity_last,
                    )
                    for r in s.ranges
                ],
            )
            for s in self.segments
        ]
        head = (self.number, self.parent, self.data_root, self.data_bytes, self.time)
        return inbox.submit(*head, rows, self.sequencer_signature, list(self.attestations))


def header(inbox: Any, segments: Sequence[Segment], **changed: Any) -> BatchHeader:
    """Return the header that continues an inbox."""
    number = inbox.count() + 1
    parent = inbox.head()
    root = segments_root(segments)
    whole = BatchHeader(world.NETWORK_ID, number, parent, root, DATA_ROOT, 1_000, boa.env.timestamp)
    return replace(whole, **changed)


def submission(
    head: BatchHeader,
    segments: Sequence[Segment],
    sequencer: Key = world.SEQUENCER,
    attesters: Sequence[Key] = world.ATTESTERS,
) -> Submission:
    """Sign a header by sequencer and attesters."""
    attestations = tuple(key.sign_recoverable(head.attest_digest()) for key in attesters)
    signature = sequencer.sign_recoverable(head.sequence_digest())
    return Submission(
        head.number,
        head.parent,
        head.data_root,
        head.data_bytes,
        head.time,
        tuple(segments),
        signature,
        attestations,
    )


def submit(inbox: Any, *segments: Segment, **changed: Any) -> BatchHeader:
    """Submit the next batch; return its header."""
    head = header(inbox, segments, **changed)
    submission(head, segments).send(inbox)
    return head
