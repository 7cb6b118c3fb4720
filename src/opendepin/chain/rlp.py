"""RLP, the byte form of Ethereum's headers, transactions and trie nodes (Yellow Paper, appendix B).

In: byte strings and lists of them. Out: bytes. Decoding takes the one canonical form alone, so that
two different byte strings never mean the same node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from opendepin.core.errors import EncodingRejected

Item: TypeAlias = bytes | Sequence["Item"]

MAX_DEPTH = 8
"""Deepest nesting decoded; headers, transactions and nodes need 4."""


def encode(item: Item) -> bytes:
    """Write a byte string or a list."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _head(0x80, len(item)) + item
    body = b"".join(encode(part) for part in item)
    return _head(0xC0, len(body)) + body


def encode_int(value: int) -> bytes:
    """Return the bytes an integer stands as inside RLP: big-endian, no leading zero, zero is
    empty.
    """
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode(data: bytes) -> Item:
    """Read one item that fills the bytes.

    Raises:
        EncodingRejected: code `rlp`, not the canonical form of one item.
    """
    item, end = _read(data, 0, len(data), MAX_DEPTH)
    if end != len(data):
        raise EncodingRejected("bytes follow the RLP item", code="rlp")
    return item


def decode_list(data: bytes) -> list[Item]:
    """Read one list that fills the bytes; see `decode`."""
    item = decode(data)
    if isinstance(item, bytes):
        raise EncodingRejected("an RLP list is due", code="rlp")
    return list(item)


def decode_int(item: Item, size: int = 32) -> int:
    """Read an integer of at most `size` bytes out of a decoded item.

    Raises:
        EncodingRejected: code `rlp`, a list, too long, or a leading zero.
    """
    if not isinstance(item, bytes) or len(item) > size or item[:1] == b"\x00":
        raise EncodingRejected(f"not an RLP integer of at most {size} bytes", code="rlp")
    return int.from_bytes(item, "big")


def _head(offset: int, length: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = encode_int(length)
    return bytes([offset + 55 + len(size)]) + size


def _read(data: bytes, at: int, end: int, depth: int) -> tuple[Item, int]:
    if at >= end:
        raise EncodingRejected("RLP ends early", code="rlp")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    base = 0x80 if first < 0xC0 else 0xC0
    start, stop = _span(data, at, end, first - base)
    if base == 0x80:
        if stop - start == 1 and data[start] < 0x80:
            raise EncodingRejected("an RLP byte below 0x80 stands for itself", code="rlp")
        return data[start:stop], stop
    if depth == 0:
        raise EncodingRejected(f"RLP nests deeper than {MAX_DEPTH}", code="rlp")
    items: list[Item] = []
    while start < stop:
        item, start = _read(data, start, stop, depth - 1)
        items.append(item)
    return items, stop


def _span(data: bytes, at: int, end: int, info: int) -> tuple[int, int]:
    """Return where the content of the item at `at` begins and ends."""
    start, length = at + 1, info
    if info > 55:
        size = data[start : start + info - 55]
        start += info - 55
        length = int.from_bytes(size, "big")
        if start > end or size[0] == 0 or length < 56:
            raise EncodingRejected("an RLP length is not in its shortest form", code="rlp")
    if length > end - start:
        raise EncodingRejected("an RLP item is longer than the bytes", code="rlp")
    return start, start + length
