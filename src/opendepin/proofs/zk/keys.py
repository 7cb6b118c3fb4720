"""Keys of one circuit as Python knows them: what verifies, who made it, where it may be used.

The proving key itself stays with the engine, which keeps both in one directory under the circuit's
hash and uses a proving key only when its bytes are the ones it wrote (`engines/groth16/keys.go`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opendepin.core.encodings import sha256
from opendepin.proofs.errors import KeysRefused

G1_BYTES, G2_BYTES, WORD_BYTES = 64, 128, 32
HEAD_BYTES = G1_BYTES + 3 * G2_BYTES
INFINITY = bytes(G1_BYTES)
BASE_MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Order q of the field the curve's coordinates lie in (EIP-196)."""

Words = tuple[int, ...]


@dataclass(frozen=True)
class VerificationKey:
    """Alpha, beta, gamma, delta, one G1 point per public wire; words as the EVM takes them."""

    raw: bytes

    def __post_init__(self) -> None:
        points = len(self.raw) - HEAD_BYTES
        if points < 2 * G1_BYTES or points % G1_BYTES:
            raise KeysRefused(f"{len(self.raw)} bytes are no verification key")
        if any(word >= BASE_MODULUS for word in _words(self.raw)):
            raise KeysRefused("a coordinate of the verification key is not below q")
        for number in range(points // G1_BYTES):
            if self.raw[HEAD_BYTES + number * G1_BYTES :][:G1_BYTES] == INFINITY:
                raise KeysRefused(
                    f"public wire {number} is bound by no constraint: any value of it would verify"
                )

    @property
    def hash(self) -> bytes:
        """SHA-256 of the key's bytes: the `vk hash` of a program id."""
        return sha256(self.raw)

    @property
    def alpha(self) -> Words:
        """The G1 point alpha: x, y."""
        return _words(self.raw[:G1_BYTES])

    @property
    def g2(self) -> tuple[Words, Words, Words]:
        """The G2 points beta, gamma, delta: imaginary x, real x, imaginary y, real y each."""
        starts = (G1_BYTES, G1_BYTES + G2_BYTES, G1_BYTES + 2 * G2_BYTES)
        beta, gamma, delta = (_words(self.raw[start : start + G2_BYTES]) for start in starts)
        return beta, gamma, delta

    @property
    def inputs(self) -> tuple[Words, ...]:
        """One G1 point per public wire; the first belongs to the wire that is always one."""
        starts = range(HEAD_BYTES, len(self.raw), G1_BYTES)
        return tuple(_words(self.raw[start : start + G1_BYTES]) for start in starts)


@dataclass(frozen=True)
class Keys:
    """What is known of the keys that the engine holds for one circuit."""

    circuit: bytes
    development: bool
    """Whether one party made them alone: it could have kept what forges proofs."""
    vk: VerificationKey


def keys_of(header: Mapping[str, Any]) -> Keys:
    """Read the engine's key header.

    Raises:
        KeysRefused: it is malformed.
    """
    try:
        circuit, vk = bytes.fromhex(header["circuit"]), bytes.fromhex(header["vk"])
        development = header["development"]
    except (KeyError, TypeError, ValueError) as error:
        raise KeysRefused(f"not a key header: {error}") from error
    if type(development) is not bool:
        raise KeysRefused("a key header says true or false for `development`")
    return Keys(circuit, development, VerificationKey(vk))


def require_usable(keys: Keys, *, network_is_local: bool) -> None:
    """Refuse development keys anywhere but on a local network.

    Raises:
        KeysRefused: code `development-keys`.
    """
    if keys.development and not network_is_local:
        raise KeysRefused(
            f"the keys of circuit {keys.circuit.hex()[:16]} are development keys: whoever made "
            "them can forge proofs, so they are for local networks only",
            code="development-keys",
        )


def _words(raw: bytes) -> Words:
    return tuple(
        int.from_bytes(raw[at : at + WORD_BYTES], "big") for at in range(0, len(raw), WORD_BYTES)
    )
