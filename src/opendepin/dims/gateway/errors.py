"""Why a gateway refuses, as values: a frame of 256 messages may hold 256 refusals, so none is
raised.

    Refusal
    ├── form          400  size cose cbor truncated trailing-bytes canonical depth type header
    │                      algorithm payload seq time
    ├── schema        422  schema
    ├── device        403  unknown-device wrong-project suspended revoked
    ├── signature     403  signature-length signature-range high-s signature key
    ├── age           422  too-old too-early
    ├── sequence      409  seq-stale seq-conflict
    ├── quota         429  rate-device rate-project
    └── we            503  busy not-ready key-changing lane-stopped

    Rejected
    ├── FrameRejected          frame            a frame cannot be cut; nothing was admitted
    └── ReceiptRejected        receipt-…        what a gateway answered does not hold
    PeerFault
    ├── GatewayFault           gateway          a gateway is away or answers nonsense
    └── LookupsBusy            busy             more old messages are asked for than we read
    Broken
    └── IndexBroken            gateway-index    log and index of a gateway contradict each other
"""

from __future__ import annotations

from dataclasses import dataclass

from opendepin.core.errors import Broken, PeerFault, Rejected


@dataclass(frozen=True)
class Refusal:
    """One message's refusal."""

    code: str
    detail: str
    """One sentence: what is wrong, and what to do where that helps."""
    retry_after_s: float | None = None
    """Seconds after which the same message may be accepted."""

    @property
    def status(self) -> int:
        """HTTP status of the refusal."""
        return STATUS.get(self.code, 400)


STATUS = {
    "schema": 422,
    "unknown-device": 403,
    "wrong-project": 403,
    "suspended": 403,
    "revoked": 403,
    "signature-length": 403,
    "signature-range": 403,
    "high-s": 403,
    "signature": 403,
    "key": 403,
    "too-old": 422,
    "too-early": 422,
    "seq-stale": 409,
    "seq-conflict": 409,
    "rate-device": 429,
    "rate-project": 429,
    "busy": 503,
    "not-ready": 503,
    "key-changing": 503,
    "lane-stopped": 503,
    "size": 413,
}
"""Code → HTTP status; every other code is about the message's form: 400."""


class FrameRejected(Rejected):
    """A frame that cannot be cut into messages; nothing of it was admitted."""

    code = "frame"


class ReceiptRejected(Rejected):
    """An answer whose receipt does not hold."""

    code = "receipt"


class GatewayFault(PeerFault):
    """A gateway that is away or answers what it should not."""

    code = "gateway"


class LookupsBusy(PeerFault):
    """More old messages are asked for, or repeated, than the gateway reads from disk."""

    code = "busy"


class IndexBroken(Broken):
    """The log does not hold what the index says, or positions have a gap."""

    code = "gateway-index"
