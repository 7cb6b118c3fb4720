"""Segments, batch headers and batch bodies: what the sequencer orders and the attesters sign.

A segment holds whole commit groups of one project, in order. A batch body is the CBOR array of its
segments' groups; everything in header and segments can be recomputed from body and key history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from opendepin.core.encodings import abi_encode, cbor_decode, cbor_encode, domain, keccak256
from opendepin.core.errors import EncodingRejected
from opendepin.core.group import Group, group_of_fields, leaf
from opendepin.core.limits import MAX_SEGMENT_MESSAGES, MAX_SEGMENTS_PER_BATCH

SEGMENT_DOMAIN = domain("segment")
HEADER_DOMAIN = domain("header")
SEQUENCE_DOMAIN = domain("sequence")
ATTEST_DOMAIN = domain("attest")

BODY_DEPTH = 5
"""CBOR nesting of a body: batch > segment > groups > group > messages."""


@dataclass(frozen=True)
class Range:
    """Positions of one gateway that a segment covers; each continues the range before it."""

    gateway: bytes
    first: int
    last: int
    identity_first: int
    """Identity block of the range's first group."""
    identity_last: int
    """Identity block of the range's last group; never below `identity_first`."""


@dataclass(frozen=True)
class Segment:
    """One project's part of a batch, as the L1 sees it."""

    project: int
    root: bytes
    """Merkle root over `group.leaf` of every message, in order."""
    field_root: int
    """Poseidon root over the decoded readings and their count; 0 without a zk program."""
    count: int
    ranges: tuple[Range, ...]

    def hash(self) -> bytes:
        """Return keccak(abi.encode(domain, project, root, field root, count, ranges))."""
        rows = [
            (r.gateway, r.first, r.last, r.identity_first, r.identity_last) for r in self.ranges
        ]
        types = [
            "bytes32",
            "uint64",
            "bytes32",
            "uint256",
            "uint32",
            "(address,uint64,uint64,uint64,uint64)[]",
        ]
        values = [SEGMENT_DOMAIN, self.project, self.root, self.field_root, self.count, rows]
        return keccak256(abi_encode(types, values))


def segments_root(segments: Sequence[Segment]) -> bytes:
    """Return keccak(abi.encode(bytes32[])) of the segments' hashes, in order."""
    return keccak256(abi_encode(["bytes32[]"], [[segment.hash() for segment in segments]]))


@dataclass(frozen=True)
class BatchHeader:
    """What the sequencer signs, each attester confirms, and the L1 keeps the hash of."""

    network_id: bytes
    number: int
    """Starts at 1, no gaps."""
    parent: bytes
    """Hash of the header before; the network id for batch 1."""
    segments_root: bytes
    data_root: bytes
    """Merkle root over the body's coded chunks."""
    data_bytes: int
    """Length of the body, bytes."""
    time: int
    """When it was sealed, Unix seconds; never decreasing."""

    def hash(self) -> bytes:
        """Return keccak(abi.encode(domain, every field in order))."""
        types = [
            "bytes32",
            "bytes32",
            "uint64",
            "bytes32",
            "bytes32",
            "bytes32",
            "uint64",
            "uint64",
        ]
        values = [HEADER_DOMAIN, self.network_id, self.number, self.parent, self.segments_root]
        return keccak256(abi_encode(types, [*values, self.data_root, self.data_bytes, self.time]))

    def sequence_digest(self) -> bytes:
        """Return the digest the sequencer signs."""
        return keccak256(abi_encode(["bytes32", "bytes32"], [SEQUENCE_DOMAIN, self.hash()]))

    def attest_digest(self) -> bytes:
        """Return the digest each attester signs."""
        return keccak256(abi_encode(["bytes32", "bytes32"], [ATTEST_DOMAIN, self.hash()]))


@dataclass(frozen=True)
class SegmentBody:
    """One project's groups inside a batch body, in order."""

    project: int
    groups: tuple[Group, ...]

    def ranges(self) -> tuple[Range, ...]:
        """Return the ranges the groups cover: adjoining groups of one gateway are one range."""
        found: list[Range] = []
        for group in self.groups:
            h, last = group.header, group.header.first + group.header.count - 1
            before = found[-1] if found else None
            if before is not None and before.gateway == h.gateway and before.last + 1 == h.first:
                found[-1] = Range(
                    h.gateway, before.first, last, before.identity_first, h.identity_block
                )
            else:
                found.append(Range(h.gateway, h.first, last, h.identity_block, h.identity_block))
        return tuple(found)

    @property
    def count(self) -> int:
        """Number of messages."""
        return sum(group.header.count for group in self.groups)


def encode_body(segments: Sequence[SegmentBody]) -> bytes:
    """Write a batch body (form `body` of the encodings page)."""
    return cbor_encode([[s.project, [group.fields() for group in s.groups]] for s in segments])


def decode_body(data: bytes, network_id: bytes) -> tuple[SegmentBody, ...]:
    """Read a batch body.

    Raises:
        EncodingRejected: not a body's form, or a segment is empty, too large or holds a group of
            another project.
    """
    value: Any = cbor_decode(data, max_depth=BODY_DEPTH)
    if (
        not isinstance(value, list)
        or not 1 <= len(cast(list[Any], value)) <= MAX_SEGMENTS_PER_BATCH
    ):
        raise EncodingRejected(f"a body has 1..{MAX_SEGMENTS_PER_BATCH} segments", code="body")
    return tuple(_segment(item, network_id) for item in cast(list[Any], value))


def _segment(item: Any, network_id: bytes) -> SegmentBody:
    if not isinstance(item, list) or len(cast(list[Any], item)) != 2:
        raise EncodingRejected("a segment is [project, groups]", code="body")
    project, rows = cast(list[Any], item)
    if type(project) is not int or not isinstance(rows, list) or not rows:
        raise EncodingRejected("a segment has a project and at least one group", code="body")
    groups = tuple(group_of_fields(row, network_id) for row in cast(list[Any], rows))
    if any(group.header.project != project for group in groups):
        raise EncodingRejected("a segment holds a group of another project", code="body")
    body = SegmentBody(project, groups)
    if body.count > MAX_SEGMENT_MESSAGES:
        raise EncodingRejected(
            f"a segment has at most {MAX_SEGMENT_MESSAGES} messages", code="body"
        )
    return body


def segment_leaves(body: SegmentBody, message_ids: Sequence[bytes]) -> list[bytes]:
    """Return the leaf hashes of a segment, given every message's id in order."""
    leaves: list[bytes] = []
    ids = iter(message_ids)
    for group in body.groups:
        h = group.header
        leaves += [leaf(h.first + i, h.identity_block, next(ids)) for i in range(h.count)]
    return leaves
