"""The bytes between a store and its clients, both directions: attestations, chunks, held batches.

In: values. Out: CBOR or JSON, and back. Promise: decoding refuses every other form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from opendepin.core.batch_form import (
    header_of_json,
    header_to_json,
    segment_of_json,
    segment_to_json,
)
from opendepin.core.chunks import Chunk
from opendepin.core.encodings import cbor_decode, cbor_encode, from_hex, to_hex
from opendepin.core.errors import EncodingRejected
from opendepin.dims.availability.ports import Held

CHUNK_DEPTH = 2


def encode_chunk(chunk: Chunk) -> bytes:
    """Write a chunk as CBOR `[index, bytes, [path node, …]]`."""
    return cbor_encode([chunk.index, chunk.data, list(chunk.path)])


def decode_chunk(data: bytes) -> Chunk:
    """Read a chunk; whether it verifies is the code's affair.

    Raises:
        EncodingRejected: not the form.
    """
    value: Any = cbor_decode(data, CHUNK_DEPTH)
    if not isinstance(value, list) or len(cast(list[Any], value)) != 3:
        raise EncodingRejected("a chunk is an array of three", code="chunk")
    index, part, path = cast(list[Any], value)
    if type(index) is not int or type(part) is not bytes or not isinstance(path, list):
        raise EncodingRejected("a chunk is [index, bytes, path]", code="chunk")
    nodes = cast(list[Any], path)
    if any(type(node) is not bytes or len(node) != 32 for node in nodes):
        raise EncodingRejected("a path is a list of 32-byte nodes", code="chunk")
    return Chunk(index, part, tuple(nodes))


def held_to_json(held: Held, data_chunks: int, total: int) -> dict[str, Any]:
    """Return the JSON form of what a store holds of a batch."""
    return {
        "header": header_to_json(held.header),
        "hash": to_hex(held.header.hash()),
        "sequencer_signature": to_hex(held.signature),
        "segments": [segment_to_json(segment) for segment in held.segments],
        "attestations": [
            {"attester": to_hex(held.attester), "signature": to_hex(held.attestation)}
        ],
        "code": {"k": data_chunks, "n": total},
        "chunks": list(held.chunks),
    }


def held_of_json(value: Mapping[str, Any]) -> Held:
    """Read the JSON form of what a store holds.

    Raises:
        EncodingRejected: a field is missing or has a wrong form.
    """
    try:
        header = header_of_json(value["header"])
        segments = tuple(segment_of_json(row) for row in value["segments"])
        (mark,) = value["attestations"]
        signatures = from_hex(value["sequencer_signature"], 65), from_hex(mark["signature"], 65)
        chunks = tuple(int(index) for index in value["chunks"])
        return Held(
            header, signatures[0], segments, from_hex(mark["attester"], 20), signatures[1], chunks
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EncodingRejected(f"not a held batch: {error!r}", code="held") from error
