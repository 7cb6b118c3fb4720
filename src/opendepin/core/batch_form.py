"""Batch headers, segments and whole sealed batches as CBOR and JSON: what travels between
sequencer, stores, readers.

In: values or bytes. Out: bytes, plain JSON objects, or values. Promise: decoding refuses every form
but the one that encoding writes. The network id is the context's and is left out of the CBOR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from opendepin.core.batch import BatchHeader, Range, Segment
from opendepin.core.encodings import cbor_decode, cbor_encode, from_hex, to_hex
from opendepin.core.errors import EncodingRejected
from opendepin.core.journey import Batched
from opendepin.core.limits import MAX_BODY_BYTES, MAX_RANGES_PER_SEGMENT, MAX_SEGMENTS_PER_BATCH
from opendepin.core.statement import FIELD_MODULUS

FORM_DEPTH = 5
"""CBOR nesting of a batch: batch > segments > segment > ranges > range."""

MAX_FORM_BYTES = MAX_BODY_BYTES + MAX_SEGMENTS_PER_BATCH * (128 + 64 * MAX_RANGES_PER_SEGMENT) + 512
"""Largest CBOR form of a batch."""


def header_fields(header: BatchHeader) -> list[Any]:
    """Return the array `[number, parent, segments root, data root, data bytes, time]`."""
    roots = [header.parent, header.segments_root, header.data_root]
    return [header.number, *roots, header.data_bytes, header.time]


def header_of_fields(value: Any, network_id: bytes) -> BatchHeader:
    """Read the array `header_fields` writes.

    Raises:
        EncodingRejected: code `header`.
    """
    number, parent, segments_root, data_root, data_bytes, time = _items(value, 6, "header")
    found = BatchHeader(network_id, number, parent, segments_root, data_root, data_bytes, time)
    _uints((number, data_bytes, time), 1 << 64, "header")
    _sized(((parent, 32), (segments_root, 32), (data_root, 32)), "header")
    return found


def segment_fields(segment: Segment) -> list[Any]:
    """Return the array `[project, root, field root (32 bytes), count, ranges]`."""
    ranges = [
        [r.gateway, r.first, r.last, r.identity_first, r.identity_last] for r in segment.ranges
    ]
    root = segment.field_root.to_bytes(32, "big")
    return [segment.project, segment.root, root, segment.count, ranges]


def segment_of_fields(value: Any) -> Segment:
    """Read the array `segment_fields` writes.

    Raises:
        EncodingRejected: code `segment`.
    """
    project, root, field_root, count, rows = _items(value, 5, "segment")
    _uints((project,), 1 << 64, "segment")
    _uints((count,), 1 << 32, "segment")
    _sized(((root, 32), (field_root, 32)), "segment")
    if not isinstance(rows, list) or not 1 <= len(cast(list[Any], rows)) <= MAX_RANGES_PER_SEGMENT:
        text = f"a segment has 1..{MAX_RANGES_PER_SEGMENT} ranges"
        raise EncodingRejected(text, code="segment")
    element = int.from_bytes(field_root, "big")
    if element >= FIELD_MODULUS:
        raise EncodingRejected("a field root is below r", code="segment")
    return Segment(
        project, root, element, count, tuple(_range(row) for row in cast(list[Any], rows))
    )


def encode_batched(batch: Batched) -> bytes:
    """Write a sealed batch: `[header fields, sequencer signature, segments, body]`."""
    segments = [segment_fields(segment) for segment in batch.segments]
    return cbor_encode([header_fields(batch.header), batch.signature, segments, batch.body])


def decode_batched(data: bytes, network_id: bytes) -> Batched:
    """Read a sealed batch; what it claims is not checked here.

    Raises:
        EncodingRejected: not the form, or a part of it has a wrong one.
    """
    if len(data) > MAX_FORM_BYTES:
        raise EncodingRejected(f"a batch has at most {MAX_FORM_BYTES} bytes", code="size")
    header, signature, segments, body = _items(cbor_decode(data, FORM_DEPTH), 4, "batch")
    _sized(((signature, 65),), "batch")
    if type(body) is not bytes:
        raise EncodingRejected("a batch's body is a byte string", code="batch")
    return Batched(
        header_of_fields(header, network_id), signature, segments_of_fields(segments), body
    )


def segments_of_fields(value: Any) -> tuple[Segment, ...]:
    """Read the array of a batch's segments.

    Raises:
        EncodingRejected: code `segment`.
    """
    if (
        not isinstance(value, list)
        or not 1 <= len(cast(list[Any], value)) <= MAX_SEGMENTS_PER_BATCH
    ):
        raise EncodingRejected(f"a batch has 1..{MAX_SEGMENTS_PER_BATCH} segments", code="segment")
    return tuple(segment_of_fields(item) for item in cast(list[Any], value))


def header_to_json(header: BatchHeader) -> dict[str, Any]:
    """Return the JSON form of a header."""
    return {
        "network_id": to_hex(header.network_id),
        "number": header.number,
        "parent": to_hex(header.parent),
        "segments_root": to_hex(header.segments_root),
        "data_root": to_hex(header.data_root),
        "data_bytes": header.data_bytes,
        "time": header.time,
    }


def header_of_json(value: Mapping[str, Any]) -> BatchHeader:
    """Read the JSON form of a header.

    Raises:
        EncodingRejected: code `header`.
    """
    names = ("number", "parent", "segments_root", "data_root", "data_bytes", "time")
    try:
        rest = [
            from_hex(value[name], 32) if "root" in name or name == "parent" else value[name]
            for name in names
        ]
        return header_of_fields(rest, from_hex(value["network_id"], 32))
    except (KeyError, TypeError, AttributeError) as error:
        raise EncodingRejected(f"not a header: {error!r}", code="header") from error


def segment_to_json(segment: Segment) -> dict[str, Any]:
    """Return the JSON form of a segment; the field root is a decimal string."""
    ranges = [
        {
            "gateway": to_hex(r.gateway),
            "first": r.first,
            "last": r.last,
            "identity_first": r.identity_first,
            "identity_last": r.identity_last,
        }
        for r in segment.ranges
    ]
    return {
        "project": segment.project,
        "root": to_hex(segment.root),
        "field_root": str(segment.field_root),
        "count": segment.count,
        "ranges": ranges,
    }


def segment_of_json(value: Mapping[str, Any]) -> Segment:
    """Read the JSON form of a segment.

    Raises:
        EncodingRejected: code `segment`.
    """
    names = ("first", "last", "identity_first", "identity_last")
    try:
        element = value["field_root"]
        if not (
            isinstance(element, str)
            and element.isascii()
            and element.isdigit()
            and str(int(element)) == element
        ):
            raise EncodingRejected("a field root is a decimal string", code="segment")
        rows = [[from_hex(r["gateway"], 20), *(r[name] for name in names)] for r in value["ranges"]]
        root = min(int(element), (1 << 256) - 1).to_bytes(32, "big")
        return segment_of_fields(
            [value["project"], from_hex(value["root"], 32), root, value["count"], rows]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EncodingRejected(f"not a segment: {error!r}", code="segment") from error


def _range(value: Any) -> Range:
    gateway, *numbers = _items(value, 5, "segment")
    _sized(((gateway, 20),), "segment")
    _uints(numbers, 1 << 64, "segment")
    return Range(gateway, *numbers)


def _items(value: Any, count: int, code: str) -> list[Any]:
    if not isinstance(value, list) or len(cast(list[Any], value)) != count:
        raise EncodingRejected(f"not an array of {count}", code=code)
    return cast(list[Any], value)


def _uints(values: Sequence[Any], limit: int, code: str) -> None:
    if any(type(value) is not int or not 0 <= value < limit for value in values):
        raise EncodingRejected(f"not an unsigned number below {limit}", code=code)


def _sized(values: Sequence[tuple[Any, int]], code: str) -> None:
    if any(type(value) is not bytes or len(value) != size for value, size in values):
        raise EncodingRejected("a byte string has a wrong form or length", code=code)
