"""What a proof is about: the ids, the outputs hash, and the one statement that binds them.

The settlement contract computes the same values from its own storage; the tests of both sides share
vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opendepin.core.encodings import abi_encode, domain, keccak256

FIELD_MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""Order r of the BN254 scalar field (EIP-197)."""

NETWORK_DOMAIN = domain("network")
PROGRAM_DOMAIN = domain("program")
TASK_DOMAIN = domain("task")
STATEMENT_DOMAIN = domain("statement")

HASHES_SERVED = 8_191
"""Of how many blocks before the newest the history contract of EIP-2935 gives the hash."""


def network_id(chain_id: int, registry: bytes) -> bytes:
    """Return keccak(abi.encode(domain, chain id, device registry address))."""
    return keccak256(
        abi_encode(["bytes32", "uint256", "address"], [NETWORK_DOMAIN, chain_id, registry])
    )


def program_id(manifest_hash: bytes, circuit_hash: bytes, vk_hash: bytes) -> bytes:
    """Return keccak(abi.encode(domain, manifest hash, circuit hash, verification key hash))."""
    return keccak256(
        abi_encode(["bytes32"] * 4, [PROGRAM_DOMAIN, manifest_hash, circuit_hash, vk_hash])
    )


def task_id(
    network: bytes, inbox: bytes, batch: int, segment: int, project: int, program: bytes
) -> bytes:
    """Return the id of the task over one segment of one batch under one program version."""
    types = ["bytes32", "bytes32", "address", "uint64", "uint64", "uint64", "bytes32"]
    return keccak256(
        abi_encode(types, [TASK_DOMAIN, network, inbox, batch, segment, project, program])
    )


def encoded_outputs(outputs: Sequence[int]) -> bytes:
    """Return abi.encode(uint256[]), the form in which outputs are hashed and settled."""
    return abi_encode(["uint256[]"], [list(outputs)])


def outputs_hash(outputs: Sequence[int]) -> bytes:
    """Return keccak(abi.encode(uint256[]))."""
    return keccak256(encoded_outputs(outputs))


@dataclass(frozen=True)
class Statement:
    """Everything one proof is bound to; change any field and the number differs."""

    network_id: bytes
    settlement: bytes
    """Address of the settlement contract, 20 bytes."""
    task_id: bytes
    program_id: bytes
    segment_root: bytes
    field_root: int
    count: int
    outputs_hash: bytes
    producer: bytes
    """Address of the operator that proves, 20 bytes."""

    def number(self) -> int:
        """Return the statement as a field element below 2**248: keccak(abi.encode(...)) >> 8."""
        types = [
            "bytes32",
            "bytes32",
            "address",
            "bytes32",
            "bytes32",
            "bytes32",
            "uint256",
            "uint256",
            "bytes32",
            "address",
        ]
        values = [
            STATEMENT_DOMAIN,
            self.network_id,
            self.settlement,
            self.task_id,
            self.program_id,
            self.segment_root,
        ]
        rest = [self.field_root, self.count, self.outputs_hash, self.producer]
        return int.from_bytes(keccak256(abi_encode(types, [*values, *rest])), "big") >> 8


def evaluation(outputs: Sequence[int], statement: int) -> int:
    """Return Σ out_i · statement^(i+1) mod r, the second public input (Horner)."""
    total = 0
    for output in reversed(outputs):
        total = (total + output) * statement % FIELD_MODULUS
    return total


def seed_height(opened_block: int, delay: int, now: int) -> int | None:
    """Return the L1 height whose hash seeds a draw at block `now`, or None while it lies ahead.

    The height is `opened_block + delay`; while more than `HASHES_SERVED` blocks old it moves on by
    as many.
    """
    height = opened_block + delay
    if now <= height:
        return None
    return height + HASHES_SERVED * ((now - height - 1) // HASHES_SERVED)
