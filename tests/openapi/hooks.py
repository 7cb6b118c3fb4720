"""What Schemathesis cannot make by itself: known identifiers and signed messages, among nonsense.

Loaded into its process by SCHEMATHESIS_HOOKS. FUZZ_KNOWN is JSON: name of a path parameter → a
value that exists.
"""

from __future__ import annotations

import itertools
import json
import os
import time
import zlib
from typing import Any

import schemathesis

from tests.dims.gateway.world import DEVICES, PROJECT

KNOWN: dict[str, Any] = json.loads(os.environ.get("FUZZ_KNOWN", "{}"))
_seq = itertools.count(1_000)


def part(value: object, of: int) -> int:
    """Return the same small number for the same value."""
    return zlib.crc32(repr(value).encode()) % of


def signed() -> bytes:
    number = next(_seq)
    device = DEVICES[2 + number % 4]
    return device.sign(number, project=PROJECT, time_ms=int(time.time() * 1000))


def message(raw: bytes) -> bytes:
    """Return a good message, a frame, one that is cut or bent, or the bytes as they are."""
    kind, one = part(raw, 6), signed()
    if kind == 0:
        return one
    if kind == 1:
        return one + signed() + one
    if kind == 2:
        return one[: part(raw[::-1], len(one))]
    if kind == 3:
        at = part(raw[::-1], len(one))
        return one[:at] + bytes([one[at] ^ (1 << part(raw, 8))]) + one[at + 1 :]
    return raw


@schemathesis.serializer("application/cose", "application/cose-seq")
def cose(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    if isinstance(value, bytes):
        return message(bytes(value))
    return message(value.encode() if isinstance(value, str) else json.dumps(value).encode())


@schemathesis.hook
def map_path_parameters(
    _context: schemathesis.HookContext, path_parameters: dict[str, Any]
) -> dict[str, Any]:
    return {
        name: KNOWN[name] if name in KNOWN and part(value, 2) else value
        for name, value in (path_parameters or {}).items()
    }


@schemathesis.hook
def map_query(_context: schemathesis.HookContext, query: dict[str, Any]) -> dict[str, Any]:
    """Keep waits short: a feed without news may answer after 20 s."""
    wait = (query or {}).get("wait_ms")
    if isinstance(wait, int) and not isinstance(wait, bool) and 50 < wait <= 20_000:
        return {**query, "wait_ms": wait % 50}
    return query
