"""What a store checks before it attests, as pure functions over frozen values.

In: a sealed batch and what the store knows (the header before, the coverage, key histories, rules,
the time). Out: the recomputed segments, or a `BatchRefused` whose code names exactly what is wrong.
`verify` may use this page too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from opendepin.core import keys
from opendepin.core.batch import BatchHeader, Segment, SegmentBody, decode_body, segments_root
from opendepin.core.coverage import Coverage, Step
from opendepin.core.errors import Rejected
from opendepin.core.journey import Batched
from opendepin.core.readings import CheckedSegment, Histories, ProjectRules, check_segment
from opendepin.dims.availability.errors import BatchRefused

RulesOf = Callable[[int], ProjectRules]
"""Gives a project's rules, or raises `Rejected` with code `unknown-project`."""


@dataclass(frozen=True)
class Position:
    """Where the chain of headers stands at a store."""

    number: int
    hash: bytes
    time: int

    @classmethod
    def start(cls, network_id: bytes) -> Position:
        """Return the place before batch 1."""
        return cls(0, network_id, 0)

    @classmethod
    def after(cls, header: BatchHeader) -> Position:
        """Return the place after a header."""
        return cls(header.number, header.hash(), header.time)


def check_sequencer(batch: Batched, network_id: bytes, sequencer: bytes) -> None:
    """Check that the network's sequencer signed the header.

    Raises:
        BatchRefused: code `network` or `sequencer`.
    """
    if batch.header.network_id != network_id:
        raise BatchRefused("the header is of another network", code="network")
    try:
        signer = keys.recover(batch.header.sequence_digest(), batch.signature)
    except Rejected as error:
        raise BatchRefused(f"sequencer signature: {error}", code="sequencer") from error
    if signer != sequencer:
        raise BatchRefused("the header is not signed by the network's sequencer", code="sequencer")


def check_follows(header: BatchHeader, before: Position, latest_time: int) -> None:
    """Check that a header continues the chain, and was not sealed in the future.

    Raises:
        BatchRefused: code `number-gap`, `parent` or `time`.
    """
    due = before.number + 1
    if header.number != due:
        text = f"batch {header.number} came where {due} is due"
        raise BatchRefused(text, code="number-gap", expected=due)
    if header.parent != before.hash:
        raise BatchRefused("the parent is not the header attested before", code="parent")
    if not before.time <= header.time <= latest_time:
        text = f"time {header.time} is not in {before.time}..{latest_time}"
        raise BatchRefused(text, code="time")


def check_commitments(
    batch: Batched, data_root: Callable[[bytes], bytes]
) -> tuple[SegmentBody, ...]:
    """Check that the header commits to the segments and to the body's code; return the decoded
    body.

    Raises:
        BatchRefused: code `segments-root`, `data-bytes`, `data-root` or `body`.
    """
    header = batch.header
    if segments_root(batch.segments) != header.segments_root:
        raise BatchRefused("the segments are not those of the header", code="segments-root")
    if len(batch.body) != header.data_bytes:
        text = f"the body has {len(batch.body)} bytes, the header says {header.data_bytes}"
        raise BatchRefused(text, code="data-bytes")
    try:
        bodies = decode_body(batch.body, header.network_id)
    except Rejected as error:
        raise BatchRefused(f"body: {error}", code="body") from error
    if data_root(batch.body) != header.data_root:
        raise BatchRefused("the data root is not that of the body's code", code="data-root")
    return bodies


def newest_identity_block(bodies: Sequence[SegmentBody]) -> int:
    """Return the highest identity block that any group names."""
    return max(group.header.identity_block for body in bodies for group in body.groups)


def check_messages(
    bodies: Sequence[SegmentBody],
    gateways: frozenset[bytes],
    rules_of: RulesOf,
    histories: Histories,
    covered: Coverage,
) -> tuple[list[CheckedSegment], Step]:
    """Check every group and message, and that each continues what was covered.

    Raises:
        BatchRefused: the code of the check that failed.
    """
    step, found = Step(covered), list[CheckedSegment]()
    try:
        for body in bodies:
            checked = check_segment(body, gateways, rules_of(body.project), histories)
            found.append(checked)
            at = 0
            for group in body.groups:
                part = checked.messages[at : at + group.header.count]
                step.take(group.header, ((m.message.device, m.message.seq) for m in part))
                at += group.header.count
    except Rejected as error:
        raise BatchRefused(str(error), code=error.code) from error
    return found, step


def check_segments(
    claimed: Sequence[Segment], checked: Sequence[CheckedSegment], field_roots: Sequence[int]
) -> None:
    """Compare the segments that the header commits to with the recomputed ones.

    Raises:
        BatchRefused: code `segment-count`, or `segment-project`, `segment-root`,
            `segment-messages`,
            `segment-ranges`, `field-root` for the first that differs.
    """
    if len(claimed) != len(checked):
        text = f"{len(claimed)} segments over a body of {len(checked)}"
        raise BatchRefused(text, code="segment-count")
    for at, (said, found) in enumerate(zip(claimed, checked, strict=True)):
        true = found.segment(field_roots[at])
        differs = (
            (said.project != true.project, "segment-project"),
            (said.count != true.count, "segment-messages"),
            (said.ranges != true.ranges, "segment-ranges"),
            (said.root != true.root, "segment-root"),
            (said.field_root != true.field_root, "field-root"),
        )
        for wrong, code in differs:
            if wrong:
                raise BatchRefused(f"segment {at} has another {code} than its messages", code=code)
