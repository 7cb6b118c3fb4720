"""Evidence made by short ways that only a test may take: a Groth16 proof by its trapdoor, state
tries of a small L1.

Both are true evidence: the pairing equation and the Merkle–Patricia proofs hold and are checked
as in production.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import rlp
from py_ecc import optimized_bn128
from trie.hexary import HexaryTrie

from opendepin.core.encodings import keccak256, to_hex

bn128: Any = optimized_bn128
ALPHA, BETA, GAMMA, DELTA = 11, 13, 17, 19
IC = (23, 29, 31, 37)
EMPTY_CODE = keccak256(b"")


def _g1(scalar: int) -> list[int]:
    return [int(c) for c in bn128.normalize(bn128.multiply(bn128.G1, scalar % bn128.curve_order))]


def _g2(scalar: int) -> list[list[int]]:
    return [
        [int(c) for c in coordinate.coeffs]
        for coordinate in bn128.normalize(bn128.multiply(bn128.G2, scalar % bn128.curve_order))
    ]


def verification_key() -> dict[str, Any]:
    """Return a verification key whose secrets are known, in the bundle's form."""

    def text(value: Any) -> Any:
        return [text(v) for v in value] if isinstance(value, list) else str(value)

    return {
        "alpha": text(_g1(ALPHA)),
        "beta": text(_g2(BETA)),
        "gamma": text(_g2(GAMMA)),
        "delta": text(_g2(DELTA)),
        "ic": [text(_g1(each)) for each in IC],
        "development": True,
    }


def key_hash() -> bytes:
    """Return the hash of that verification key's bytes."""
    words = [*_g1(ALPHA)]
    for scalar in (BETA, GAMMA, DELTA):
        (x0, x1), (y0, y1) = _g2(scalar)
        words += [x1, x0, y1, y0]
    words += [word for scalar in IC for word in _g1(scalar)]
    return sha256(b"".join(word.to_bytes(32, "big") for word in words)).digest()


def simulated_proof(statement: int, evaluation: int, field_root: int) -> bytes:
    """Return a proof of the three inputs made with the key's secrets, which is what
    *development key* warns of.
    """
    x = IC[0] + IC[1] * statement + IC[2] * evaluation + IC[3] * field_root
    a, b = 41 + statement % 1000, 43
    c = (a * b - ALPHA * BETA - x * GAMMA) * pow(DELTA, -1, bn128.curve_order) % bn128.curve_order
    (bx0, bx1), (by0, by1) = _g2(b)
    words = [*_g1(a), bx1, bx0, by1, by0, *_g1(c)]
    return b"".join(word.to_bytes(32, "big") for word in words)


@dataclass(frozen=True)
class State:
    """A small L1 state: contracts with storage; slot numbers as a Vyper contract would lay them
    out.
    """

    storage: Mapping[bytes, Mapping[bytes, bytes]]
    """Slot → value (both 32 bytes) by contract address."""

    def tries(self) -> tuple[HexaryTrie, dict[bytes, HexaryTrie]]:
        """Return the account trie and each contract's storage trie."""
        accounts, storages = HexaryTrie({}), dict[bytes, HexaryTrie]()
        for address, slots in self.storage.items():
            storage = HexaryTrie({})
            for slot, value in slots.items():
                if value.strip(b"\0"):
                    storage[keccak256(slot)] = rlp.encode(value.lstrip(b"\0"))
            storages[address] = storage
            accounts[keccak256(address)] = rlp.encode([b"\x01", b"", storage.root_hash, EMPTY_CODE])
        return accounts, storages

    def proof(
        self,
        header: bytes,
        number: int,
        wanted: Mapping[bytes, tuple[str, list[tuple[str, bytes]]]],
    ) -> dict[str, Any]:
        """Return the bundle's `l1` part: by address, the contract's name and (what, slot) pairs."""
        accounts, storages = self.tries()
        proofs: list[dict[str, Any]] = []
        for address, (name, slots) in wanted.items():
            storage = storages[address]
            rows = [
                {
                    "what": what,
                    "key": to_hex(slot),
                    "value": to_hex(self.storage[address].get(slot, bytes(32))),
                    "proof": [
                        to_hex(rlp.encode(node)) for node in storage.get_proof(keccak256(slot))
                    ],
                }
                for what, slot in slots
            ]
            proofs.append(
                {
                    "contract": name,
                    "address": to_hex(address),
                    "nonce": 1,
                    "balance": "0",
                    "storage_hash": to_hex(storage.root_hash),
                    "code_hash": to_hex(EMPTY_CODE),
                    "account_proof": [
                        to_hex(rlp.encode(node)) for node in accounts.get_proof(keccak256(address))
                    ],
                    "storage": rows,
                }
            )
        block = {"number": number, "hash": to_hex(keccak256(header)), "header": to_hex(header)}
        return {"block": block, "proofs": proofs}


def block_header(parent: bytes, state_root: bytes, number: int, time: int) -> bytes:
    """Return an RLP block header with the fields of a Cancun block."""
    zero32, empty = bytes(32), b""
    head = [
        parent,
        keccak256(rlp.encode([])),
        bytes(20),
        state_root,
        zero32,
        zero32,
        bytes(256),
        empty,
    ]
    rest = [
        _int(number),
        _int(30_000_000),
        empty,
        _int(time),
        empty,
        zero32,
        bytes(8),
        empty,
        zero32,
        empty,
        empty,
        zero32,
    ]
    return rlp.encode([*head, *rest])


def _int(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
