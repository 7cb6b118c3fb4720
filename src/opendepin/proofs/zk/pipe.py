"""Frames to and from the engine over a child's pipes, as in `engines/groth16/frame.go`.

In: an op with its header and blobs. Out: the answer's header and blobs, or an `EngineFault` after
which the pipe is of no more use. Everything that comes back is bounded before it is read.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from opendepin.proofs.errors import EngineFault

MAX_HEADER_BYTES = 1 << 20
MAX_BLOB_BYTES = 1 << 28
MAX_BLOBS = 4


class Child(Protocol):
    """A running child process, as `runtime.processes.spawn(..., pipes=True)` gives it."""

    async def write(self, data: bytes) -> None:
        """Send bytes to its standard input."""
        ...

    async def read_exactly(self, size: int) -> bytes:
        """Read from its standard output."""
        ...

    async def wait(self) -> int:
        """Wait for its end."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...


Spawn = Callable[[Sequence[str]], Awaitable[Child]]
"""Starts a child with pipes from an argument list."""


@dataclass(frozen=True)
class Answer:
    """What the engine said."""

    header: Mapping[str, Any]
    blobs: tuple[bytes, ...]


async def ask(
    child: Child, op: str, header: Mapping[str, object], blobs: Sequence[bytes]
) -> Answer:
    """Send one request and read its answer.

    Raises:
        EngineFault: code `engine-garbage`, the answer is no frame.
    """
    head = json.dumps({**header, "op": op, "blobs": [len(blob) for blob in blobs]}).encode()
    await child.write(struct.pack("<I", len(head)) + head + b"".join(blobs))
    (size,) = struct.unpack("<I", await child.read_exactly(4))
    _bound(size, MAX_HEADER_BYTES)
    answer, sizes = _header(await child.read_exactly(size))
    for length in sizes:
        _bound(length, MAX_BLOB_BYTES)
    return Answer(answer, tuple([await child.read_exactly(length) for length in sizes]))


def _header(raw: bytes) -> tuple[dict[str, Any], list[int]]:
    try:
        document = json.loads(raw)
    except ValueError as error:
        raise EngineFault("the engine's answer is no JSON", code="engine-garbage") from error
    sizes: Any = (
        cast(dict[str, Any], document).pop("blobs", None) if isinstance(document, dict) else None
    )
    if not isinstance(sizes, list) or len(cast(list[Any], sizes)) > MAX_BLOBS:
        raise EngineFault("the engine's answer is no frame", code="engine-garbage")
    return cast(dict[str, Any], document), [_whole(size) for size in cast(list[Any], sizes)]


def _whole(size: Any) -> int:
    return size if type(size) is int else -1


def _bound(size: int, limit: int) -> None:
    if not 0 <= size <= limit:
        raise EngineFault(
            f"the engine announces {size} bytes where at most {limit} may come",
            code="engine-garbage",
        )
