"""secp256k1 keys: sign, verify, recover, and the address of a key (coincurve = libsecp256k1).

Signatures over digests only; the caller hashes. Low-s is required everywhere (BIP 62, EIP-2).
"""

# coincurve's C handles are untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from coincurve import GLOBAL_CONTEXT, PrivateKey, PublicKey, ecdsa
from coincurve.ecdsa import der_to_cdata, serialize_compact

from opendepin.core.encodings import keccak256
from opendepin.core.errors import SignatureRejected

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the secp256k1 group (SEC 2 §2.4.1)."""

HALF_N = N // 2

_FFI: Any = cast(Any, ecdsa).ffi
_LIB: Any = cast(Any, ecdsa).lib
_CONTEXT: Any = cast(Any, GLOBAL_CONTEXT).ctx
_PARSE: Any = _LIB.secp256k1_ecdsa_signature_parse_compact
_VERIFY: Any = _LIB.secp256k1_ecdsa_verify
_NEW: Any = _FFI.new
_SIGNATURE: Any = _FFI.typeof("secp256k1_ecdsa_signature *")


@dataclass(frozen=True)
class Key:
    """A private key of a device, gateway, sequencer, attester, operator or owner."""

    secret: bytes

    @classmethod
    def from_seed(cls, seed: bytes) -> Key:
        """Derive a key from a seed by Keccak; for development networks and tests."""
        return cls((int.from_bytes(keccak256(seed), "big") % (N - 1) + 1).to_bytes(32, "big"))

    @property
    def public(self) -> bytes:
        """The public key, 64 bytes x ‖ y."""
        return _public(self.secret)

    @property
    def address(self) -> bytes:
        """The 20-byte address: the last 20 bytes of keccak(x ‖ y)."""
        return address_of(self.public)

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest; 64 bytes r ‖ s with low s (RFC 6979 nonce)."""
        der = _private(self.secret).sign(digest, hasher=None)
        return bytes(serialize_compact(der_to_cdata(der)))

    def sign_recoverable(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest for a contract; 65 bytes r ‖ s ‖ v with v in {27, 28} and low s."""
        raw = _private(self.secret).sign_recoverable(digest, hasher=None)
        return raw[:64] + bytes([27 + raw[64]])


@lru_cache(maxsize=4096)
def _public(secret: bytes) -> bytes:
    return _private(secret).public_key.format(compressed=False)[1:]


@lru_cache(maxsize=4096)
def _private(secret: bytes) -> PrivateKey:
    """Keep the parsed key: making it derives the public key, as dear as the signature itself."""
    return PrivateKey(secret)


@lru_cache(maxsize=65536)
def _parsed(public: bytes) -> PublicKey:
    return PublicKey(b"\x04" + public)


def address_of(public: bytes) -> bytes:
    """Return the 20-byte address of a 64-byte public key."""
    return keccak256(public)[12:]


def check(public: bytes, digest: bytes, signature: bytes) -> None:
    """Check a 64-byte r ‖ s signature of `digest` under the 64-byte public key.

    Raises:
        SignatureRejected: wrong length, r or s out of range, s high, no curve point, or no match.
    """
    if len(signature) != 64:
        raise SignatureRejected("a signature is 64 bytes r ‖ s", code="signature-length")
    if not holds(public, digest, signature):
        raise _reason(public, signature)


def holds(public: bytes, digest: bytes, signature: bytes) -> bool:
    """Say whether `check` would accept: asks libsecp256k1, without a detour over DER.

    libsecp256k1 itself refuses r or s out of range and a high s.
    """
    if len(digest) != 32 or len(signature) != 64:
        return False
    try:
        key: Any = _parsed(public)
    except ValueError:
        return False
    parsed: Any = _NEW(_SIGNATURE)
    if _PARSE(_CONTEXT, parsed, signature) != 1:
        return False
    return bool(_VERIFY(_CONTEXT, parsed, digest, key.public_key) == 1)


def _reason(public: bytes, signature: bytes) -> SignatureRejected:
    """Return why a signature of 64 bytes does not hold."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < N and 0 < s < N):
        text, code = "r or s is zero or not below the group order", "signature-range"
    elif s > HALF_N:
        text, code = "s is in the upper half: send the low-s form", "high-s"
    elif not _is_point(public):
        text, code = "the public key is not a point of secp256k1", "key"
    else:
        text, code = "the signature does not match key and digest", "signature"
    return SignatureRejected(text, code=code)


def _is_point(public: bytes) -> bool:
    try:
        _parsed(public)
    except ValueError:
        return False
    return True


def recover(digest: bytes, signature: bytes) -> bytes:
    """Return the 20-byte address that made a 65-byte r ‖ s ‖ v signature.

    Raises:
        SignatureRejected: wrong length, v not 27 or 28, s high, or nothing recoverable.
    """
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise SignatureRejected(
            "a contract signature is 65 bytes r ‖ s ‖ v, v 27 or 28", code="signature-length"
        )
    if int.from_bytes(signature[32:64], "big") > HALF_N:
        raise SignatureRejected("s is in the upper half: send the low-s form", code="high-s")
    try:
        raw = signature[:64] + bytes([signature[64] - 27])
        public = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception as error:
        raise SignatureRejected("no key made this signature", code="signature") from error
    return address_of(public.format(compressed=False)[1:])
