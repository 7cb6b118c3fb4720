"""One device message: COSE_Sign1 (RFC 9052 §4.2) over deterministic CBOR, signed ES256K (RFC 8812).

`docs/spec/message.md` is the page of record. In: bytes from anywhere. Out: a `Signed`, or a
`MessageRejected` whose code says which rule was broken. `message_id` is the SHA-256 of the
Sig_structure, which is also the signed digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from opendepin.core import keys
from opendepin.core.encodings import cbor_decode, cbor_encode, sha256
from opendepin.core.errors import EncodingRejected, MessageRejected
from opendepin.core.limits import MAX_MESSAGE_BYTES, MAX_SEQ, MAX_TIME_MS
from opendepin.core.schema import Data

MESSAGE_DOMAIN = "opendepin/message/1"
"""First item of the external AAD."""

ALG_ES256K = -47
"""COSE algorithm identifier of ECDSA over secp256k1 with SHA-256 (RFC 8812)."""

HEADER_ALG, HEADER_KID = 1, 4
PAYLOAD_SEQ, PAYLOAD_TIME_MS, PAYLOAD_DATA = 1, 2, 3
SIGNATURE_BYTES = 64
COSE_SIGN1_TAG = b"\xd2"
"""CBOR tag 18, the first byte of every message."""


@dataclass(frozen=True)
class Signed:
    """A parsed message whose form is good; its signature is not checked yet."""

    device: bytes
    """Device id, 20 bytes."""
    seq: int
    time_ms: int
    """When the device signed, Unix milliseconds."""
    data: Data
    """Field key → integer or array; checked against the schema by whoever admits."""
    protected: bytes
    payload: bytes
    signature: bytes
    """64 bytes r ‖ s, low s."""
    raw: bytes
    """The whole message as received."""


def external_aad(network_id: bytes, project: int) -> bytes:
    """Return the AAD that binds a message to one network and one project."""
    return cbor_encode([MESSAGE_DOMAIN, network_id, project])


def sig_structure(protected: bytes, payload: bytes, aad: bytes) -> bytes:
    """Return the bytes that are signed (RFC 9052 §4.4)."""
    return cbor_encode(["Signature1", protected, aad, payload])


def message_id(message: Signed, aad: bytes) -> bytes:
    """Return the 32-byte id: SHA-256 of the Sig_structure. The signature is not part of it."""
    return sha256(sig_structure(message.protected, message.payload, aad))


def build(key: keys.Key, device: bytes, seq: int, time_ms: int, data: Data, aad: bytes) -> bytes:
    """Sign one reading; returns the message's bytes."""
    protected = cbor_encode({HEADER_ALG: ALG_ES256K, HEADER_KID: device})
    payload = cbor_encode({PAYLOAD_SEQ: seq, PAYLOAD_TIME_MS: time_ms, PAYLOAD_DATA: data})
    signature = key.sign(sha256(sig_structure(protected, payload, aad)))
    unprotected: dict[int, int] = {}
    return COSE_SIGN1_TAG + cbor_encode([protected, unprotected, payload, signature])


def parse(raw: bytes) -> Signed:
    """Read a message's bytes; refuse every other form than the one `docs/spec/message.md` fixes.

    Raises:
        MessageRejected: `size`, `cose`, `header`, `algorithm`, `payload`, `seq`, `time` or a
            CBOR code.
    """
    if not 0 < len(raw) <= MAX_MESSAGE_BYTES:
        raise MessageRejected(
            f"a message has 1..{MAX_MESSAGE_BYTES} bytes, this has {len(raw)}", code="size"
        )
    if raw[:1] != COSE_SIGN1_TAG:
        raise MessageRejected("a message starts with the COSE_Sign1 tag 18 (0xd2)", code="cose")
    try:
        parts = cbor_decode(raw[1:])
        if not isinstance(parts, list) or len(cast(list[Any], parts)) != 4:
            raise MessageRejected("COSE_Sign1 is an array of four", code="cose")
        protected, unprotected, payload, signature = cast(list[Any], parts)
        if (
            type(protected) is not bytes
            or type(payload) is not bytes
            or type(signature) is not bytes
        ):
            raise MessageRejected("protected, payload and signature are byte strings", code="cose")
        if len(signature) != SIGNATURE_BYTES:
            raise MessageRejected(
                f"a signature is 64 bytes r ‖ s, this has {len(signature)}",
                code="signature-length",
            )
        if unprotected != {} or type(unprotected) is not dict:
            raise MessageRejected("the unprotected header is the empty map", code="header")
        device = _device(cbor_decode(protected))
        seq, time_ms, data = _payload(cbor_decode(payload))
    except EncodingRejected as error:
        raise MessageRejected(str(error), code=error.code) from error
    return Signed(device, seq, time_ms, data, protected, payload, signature, raw)


def verify(message: Signed, digest: bytes, public: bytes) -> None:
    """Check the signature over `digest` (= message id) under the device's 64-byte public key.

    Raises:
        SignatureRejected: see `keys.check`.
    """
    keys.check(public, digest, message.signature)


def _device(header: Any) -> bytes:
    if not isinstance(header, dict) or set(cast(dict[Any, Any], header)) != {
        HEADER_ALG,
        HEADER_KID,
    }:
        raise MessageRejected("the protected header has exactly alg (1) and kid (4)", code="header")
    if cast(dict[int, Any], header)[HEADER_ALG] != ALG_ES256K:
        raise MessageRejected(
            "alg is not ES256K (-47), the one this network takes", code="algorithm"
        )
    kid = cast(dict[int, Any], header)[HEADER_KID]
    if type(kid) is not bytes or len(kid) != 20:
        raise MessageRejected("kid is the 20-byte device id", code="header")
    return kid


def _payload(payload: Any) -> tuple[int, int, Data]:
    if not isinstance(payload, dict) or set(cast(dict[Any, Any], payload)) != {1, 2, 3}:
        raise MessageRejected(
            "the payload has exactly seq (1), time_ms (2) and data (3)", code="payload"
        )
    fields = cast(dict[int, Any], payload)
    seq, time_ms, data = fields[PAYLOAD_SEQ], fields[PAYLOAD_TIME_MS], fields[PAYLOAD_DATA]
    if type(seq) is not int or not 1 <= seq <= MAX_SEQ:
        raise MessageRejected(f"seq is an integer in 1..{MAX_SEQ}", code="seq")
    if type(time_ms) is not int or not 0 <= time_ms <= MAX_TIME_MS:
        raise MessageRejected(f"time_ms is an integer in 0..{MAX_TIME_MS}", code="time")
    if not isinstance(data, dict):
        raise MessageRejected("data is a map", code="payload")
    return seq, time_ms, cast(Data, data)
