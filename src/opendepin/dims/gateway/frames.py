"""Cut an `application/cose-seq` body into messages: concatenated CBOR items (RFC 8742), each one
COSE_Sign1.

In: the body. Out: its messages, scanned where they are good, as bytes where their reason must be
found. Promise: a body that cannot be cut to its end is refused whole, before any of it is judged.
"""

from __future__ import annotations

from opendepin.core.limits import MAX_CBOR_DEPTH, MAX_GROUP_MESSAGES
from opendepin.core.wire import Scanned, Scanner
from opendepin.dims.gateway.errors import FrameRejected

_TAG_MAJOR = 6
_MAX_OPEN = MAX_CBOR_DEPTH + 2
"""Tag and outer array on top of what a payload may nest."""


def cut(body: bytes, scanner: Scanner) -> list[Scanned | bytes]:
    """Cut a frame.

    Raises:
        FrameRejected: empty, more than `MAX_GROUP_MESSAGES`, or bytes that are no CBOR item.
    """
    found: list[Scanned | bytes] = []
    at, size, scan = 0, len(body), scanner.scan
    while at < size:
        if len(found) == MAX_GROUP_MESSAGES:
            raise FrameRejected(
                f"a frame has at most {MAX_GROUP_MESSAGES} messages", code="frame-count"
            )
        scanned = scan(body, at)
        if scanned is not None:
            found.append(scanned)
            at += len(scanned.raw)
            continue
        end = item_end(body, at)
        found.append(body[at:end])
        at = end
    if not found:
        raise FrameRejected("a frame has at least one message", code="frame-count")
    return found


def item_end(body: bytes, at: int) -> int:
    """Return where the CBOR item that starts at `at` ends, in steps bounded by its bytes.

    Raises:
        FrameRejected: no definite-length item starts there, or it nests deeper than any message.
    """
    start, open_items = at, [1]
    while open_items:
        if open_items[-1] == 0:
            open_items.pop()
            continue
        open_items[-1] -= 1
        major, argument, at = _head(body, at, start)
        if major in (2, 3):
            at += argument
        elif major in (4, 5, _TAG_MAJOR):
            inside = 1 if major == _TAG_MAJOR else argument * (major - 3)
            if inside > len(body) - at or len(open_items) > _MAX_OPEN:
                raise _broken(start)
            open_items.append(inside)
        if at > len(body):
            raise _broken(start)
    return at


def _head(body: bytes, at: int, start: int) -> tuple[int, int, int]:
    if at >= len(body):
        raise _broken(start)
    major, info = body[at] >> 5, body[at] & 31
    at += 1
    if info < 24:
        return major, info, at
    width = 1 << (info - 24)
    if info > 27 or at + width > len(body):
        raise _broken(start)
    return major, int.from_bytes(body[at : at + width], "big"), at + width


def _broken(start: int) -> FrameRejected:
    return FrameRejected(
        f"no CBOR item of a message's kind at byte {start}: nothing of the frame was admitted"
    )
