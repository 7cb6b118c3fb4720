"""EIP-712 permits of the device registry: what owner and key sign so that anyone may send the call.

In: the fields of one operation and the keys. Out: the arguments of the contract's call, in its
order. Promise: the digest is the contract's, bit for bit; each permit binds every field of its
operation, a nonce and a deadline. Structs: `docs/spec/contracts.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from opendepin.core.encodings import abi_encode, keccak256
from opendepin.core.identity import Status
from opendepin.core.keys import Key

DOMAIN_TYPE = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
DOMAIN_NAME = keccak256(b"OpenDePIN Devices")
DOMAIN_VERSION = keccak256(b"1")
REGISTER_TYPE = keccak256(
    b"Register(uint64 project,address owner,bytes32 keyX,bytes32 keyY,bytes32 metadataHash,"
    b"uint256 nonce,uint256 deadline)"
)
ROTATE_TYPE = keccak256(
    b"Rotate(uint256 device,bytes32 keyX,bytes32 keyY,uint256 nonce,uint256 deadline)"
)
STATUS_TYPE = keccak256(b"SetStatus(uint256 device,uint8 status,uint256 nonce,uint256 deadline)")

BY_SENDER = b""
"""Owner's signature of a call that the owner sends itself."""


@dataclass(frozen=True)
class Domain:
    """Where a permit holds: one registry on one chain."""

    chain_id: int
    registry: bytes
    """Address of the `Devices` contract, 20 bytes."""

    def separator(self) -> bytes:
        """Return the EIP-712 domain separator."""
        types = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
        values = [DOMAIN_TYPE, DOMAIN_NAME, DOMAIN_VERSION, self.chain_id, self.registry]
        return keccak256(abi_encode(types, values))

    def digest(self, struct_hash: bytes) -> bytes:
        """Return the digest that is signed for a struct in this domain."""
        return keccak256(b"\x19\x01" + self.separator() + struct_hash)


@dataclass(frozen=True)
class Register:
    """Take a device into a project."""

    project: int
    owner: bytes
    public: bytes
    """The device's key, 64 bytes x ‖ y."""
    metadata_hash: bytes
    nonce: int
    """`nonces(owner)` of the registry."""
    deadline: int
    """Unix seconds; void after it."""

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of the struct."""
        types = [
            "bytes32",
            "uint64",
            "address",
            "bytes32",
            "bytes32",
            "bytes32",
            "uint256",
            "uint256",
        ]
        key = [self.public[:32], self.public[32:]]
        values = [REGISTER_TYPE, self.project, self.owner, *key, self.metadata_hash]
        return keccak256(abi_encode(types, [*values, self.nonce, self.deadline]))


@dataclass(frozen=True)
class Rotate:
    """Give a device another key."""

    device: bytes
    public: bytes
    """The new key, 64 bytes x ‖ y."""
    nonce: int
    """`device_nonces(device)` of the registry."""
    deadline: int
    """Unix seconds; void after it."""

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of the struct."""
        types = ["bytes32", "uint256", "bytes32", "bytes32", "uint256", "uint256"]
        values = [ROTATE_TYPE, token(self.device), self.public[:32], self.public[32:]]
        return keccak256(abi_encode(types, [*values, self.nonce, self.deadline]))


@dataclass(frozen=True)
class SetStatus:
    """Suspend, resume or revoke a device."""

    device: bytes
    status: Status
    nonce: int
    """`device_nonces(device)` of the registry."""
    deadline: int
    """Unix seconds; void after it."""

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hash of the struct."""
        types = ["bytes32", "uint256", "uint8", "uint256", "uint256"]
        values = [STATUS_TYPE, token(self.device), int(self.status), self.nonce, self.deadline]
        return keccak256(abi_encode(types, values))


class RegisterCall(NamedTuple):
    """Arguments of `Devices.register`, in its order."""

    project: int
    owner: bytes
    key: tuple[bytes, bytes]
    metadata_hash: bytes
    deadline: int
    owner_signature: bytes
    device_signature: bytes


class RotateCall(NamedTuple):
    """Arguments of `Devices.rotate`, in its order."""

    device: int
    key: tuple[bytes, bytes]
    deadline: int
    owner_signature: bytes
    key_signature: bytes


class StatusCall(NamedTuple):
    """Arguments of `Devices.set_status`, in its order."""

    device: int
    status: int
    deadline: int
    owner_signature: bytes


def token(device: bytes) -> int:
    """Return the token id of a device: its id as an integer."""
    return int.from_bytes(device, "big")


def device_of(token_id: int) -> bytes:
    """Return the 20-byte device id of a token."""
    return token_id.to_bytes(20, "big")


def register_permit(
    domain: Domain, permit: Register, owner: Key | None, device: Key
) -> RegisterCall:
    """Sign a registration by owner and device key; `owner` None where the owner sends the call."""
    digest = domain.digest(permit.struct_hash())
    key = permit.public[:32], permit.public[32:]
    signatures = _by(owner, digest), device.sign_recoverable(digest)
    return RegisterCall(
        permit.project, permit.owner, key, permit.metadata_hash, permit.deadline, *signatures
    )


def rotate_permit(domain: Domain, permit: Rotate, owner: Key | None, new_key: Key) -> RotateCall:
    """Sign a rotation by owner and new key; `owner` None where the owner sends the call."""
    digest = domain.digest(permit.struct_hash())
    key = permit.public[:32], permit.public[32:]
    signatures = _by(owner, digest), new_key.sign_recoverable(digest)
    return RotateCall(token(permit.device), key, permit.deadline, *signatures)


def status_permit(domain: Domain, permit: SetStatus, owner: Key | None) -> StatusCall:
    """Sign a change of status by the owner; `owner` None where the owner sends the call."""
    digest = domain.digest(permit.struct_hash())
    return StatusCall(token(permit.device), int(permit.status), permit.deadline, _by(owner, digest))


def _by(owner: Key | None, digest: bytes) -> bytes:
    return BY_SENDER if owner is None else owner.sign_recoverable(digest)
