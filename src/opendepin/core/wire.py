"""A project's messages read at wire speed: form, schema, boundary and id in one pass.

In: bytes from anywhere, at an offset. Out: a `Scanned`, or None for anything but a message that
`message.parse` and `Schema.check` accept; whoever needs the reason asks those two. The form is
deterministic, so one regular expression per schema says it all: every integer's shortest head and
its bounds, every key, every length but one. `MAX_VALUES` integers keep it far below the largest
size.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, NamedTuple, cast

from opendepin.core.encodings import cbor_encode
from opendepin.core.limits import MAX_SEQ, MAX_TIME_MS
from opendepin.core.message import external_aad
from opendepin.core.schema import Schema

HEAD = bytes.fromhex("d284581aa201382e0454")
"""How every message starts: tag 18, array of 4, protected header up to the device id."""


class Scanned(NamedTuple):
    """What a gateway needs of a message."""

    device: bytes
    seq: int
    time_ms: int
    message_id: bytes
    signature: bytes
    raw: bytes


_NEW = cast(Any, tuple).__new__
"""Makes a `Scanned` without the Python call that NamedTuple puts before it."""


class Scanner:
    """The compiled reader for one project of one network."""

    def __init__(self, schema: Schema, network_id: bytes, project: int) -> None:
        payload = [b"\xa3\x01(", uint_pattern(1, MAX_SEQ), b")\x02(", uint_pattern(0, MAX_TIME_MS)]
        payload += [b")\x03", re.escape(bytes([0xA0 + len(schema.fields)]))]
        for field in schema.fields:
            value = int_pattern(field.minimum, field.maximum)
            if field.length > 1:
                value = re.escape(array_head(field.length)) + value + b"{%d}" % field.length
            payload += [re.escape(cbor_encode(field.key)), value]
        protected = b"(" + re.escape(HEAD[2:]) + b"(.{20}))"
        head = rb"([\x40-\x57]|\x58[\x18-\xff]|\x59[\x01-\x0f].)"
        item = b"(" + head + b"(" + b"".join(payload) + b"))"
        form = re.escape(HEAD[:2]) + protected + rb"\xa0" + item + rb"\x58\x40(.{64})"
        self._match = re.compile(form, re.DOTALL).match
        self._before = cbor_encode(["Signature1"]).replace(b"\x81", b"\x84", 1)
        self._between = cbor_encode(external_aad(network_id, project))

    def scan(self, data: bytes, at: int = 0) -> Scanned | None:
        """Read the message that starts at `at`; it ends where `raw` does. None: it is not one."""
        match = self._match(data, at)
        if match is None:
            return None
        protected, device, item, head, payload, seq, time_ms, signature = match.groups()
        if len(payload) != (head[0] - 0x40 if len(head) == 1 else int.from_bytes(head[1:], "big")):
            return None
        message_id = sha256(self._before + protected + self._between + item).digest()
        seen = (
            device,
            seq[0] if len(seq) == 1 else int.from_bytes(seq[1:], "big"),
            time_ms[0] if len(time_ms) == 1 else int.from_bytes(time_ms[1:], "big"),
            message_id,
            signature,
            match[0],
        )
        return _NEW(Scanned, seen)


def array_head(length: int) -> bytes:
    """Return the head of a CBOR array of up to 255 items, in shortest form."""
    return bytes([0x80 + length]) if length < 24 else bytes([0x98, length])


def uint_pattern(low: int, high: int) -> bytes:
    """Return a pattern for the CBOR unsigned integers in low..high, in shortest form."""
    return _one_of(_alternatives(low, high, 0x00))


def int_pattern(low: int, high: int) -> bytes:
    """Return a pattern for the CBOR integers in low..high, in shortest form."""
    found: list[bytes] = []
    if high >= 0:
        found += _alternatives(max(low, 0), high, 0x00)
    if low < 0:
        found += _alternatives(max(-1 - high, 0), -1 - low, 0x20)
    return _one_of(found)


def _one_of(alternatives: list[bytes]) -> bytes:
    return b"(?:" + b"|".join(alternatives) + b")" if alternatives else b"(?!)"


def _alternatives(low: int, high: int, major: int) -> list[bytes]:
    """Split low..high by the width of the argument; `major` is added to the head."""
    found: list[bytes] = []
    if low < 24:
        found.append(_class(major + low, major + min(high, 23)))
    start = 24
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        first, last = max(low, start), min(high, (1 << 8 * width) - 1)
        if first <= last:
            body = _between(first.to_bytes(width, "big"), last.to_bytes(width, "big"))
            found.append(re.escape(bytes([major + info])) + body)
        start = 1 << 8 * width
    return found


def _between(low: bytes, high: bytes) -> bytes:
    """Return a pattern for the big-endian numbers from low to high, both of the same width."""
    if len(low) == 1:
        return _class(low[0], high[0])
    if low[0] == high[0]:
        return re.escape(low[:1]) + _between(low[1:], high[1:])
    rest, first, last = len(low) - 1, low[0], high[0]
    found: list[bytes] = []
    if low[1:] != bytes(rest):
        found.append(re.escape(low[:1]) + _between(low[1:], b"\xff" * rest))
        first += 1
    if high[1:] != b"\xff" * rest:
        found.append(re.escape(high[:1]) + _between(bytes(rest), high[1:]))
        last -= 1
    if first <= last:
        found.insert(0, _class(first, last) + b".{%d}" % rest)
    return b"(?:" + b"|".join(found) + b")"


def _class(first: int, last: int) -> bytes:
    if (first, last) == (0, 255):
        return b"."
    return b"[\\x%02x-\\x%02x]" % (first, last)
