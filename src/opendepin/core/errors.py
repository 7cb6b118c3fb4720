"""The three branches every error of the product hangs from.

    DepinError
    ├── Rejected      you sent something wrong (never retried unchanged)
    │   ├── EncodingRejected      bytes are not the one canonical form
    │   ├── MessageRejected       a device message fails a check of `docs/spec/message.md`
    │   ├── SchemaRejected        data does not fit the project's schema
    │   ├── SignatureRejected     a signature does not verify, or is not low-s
    │   └── ProofRejected         a Merkle path or a root does not hold
    ├── PeerFault     a peer misbehaved or is away (may be retried elsewhere or later)
    └── Broken        we are broken: an invariant of ours does not hold

Every class has a stable `code` (kebab-case) that APIs show; the text says what, why and what to do.
"""

from __future__ import annotations


class DepinError(Exception):
    """Root of all errors this product raises on purpose."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class Rejected(DepinError):
    """What was sent is wrong: sending it again unchanged cannot help."""

    code = "rejected"


class PeerFault(DepinError):
    """A peer misbehaved or did not answer: another peer or a later try may help."""

    code = "peer-fault"


class Broken(DepinError):
    """One of our own invariants does not hold: stop rather than go on."""

    code = "broken"


class EncodingRejected(Rejected):
    """Bytes that are not the one canonical form of any value."""

    code = "encoding"


class MessageRejected(Rejected):
    """A device message that fails a check; `code` says which."""

    code = "message"


class SchemaRejected(Rejected):
    """Data that does not fit the project's schema."""

    code = "schema"


class SignatureRejected(Rejected):
    """A signature that does not verify or is not in low-s form."""

    code = "signature"


class ProofRejected(Rejected):
    """A Merkle path or root that does not hold."""

    code = "proof"
