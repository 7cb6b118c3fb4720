"""Permits are EIP-712's digests, as another implementation computes them."""

from __future__ import annotations

from typing import Any

from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core import keys
from opendepin.core.identity import Status
from opendepin.core.keys import Key
from opendepin.dims.identity import permits
from opendepin.dims.identity.permits import Domain, Register, Rotate, SetStatus

OWNER = Key.from_seed(b"owner")
DEVICE = Key.from_seed(b"device")

words = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20)
publics = st.binary(min_size=64, max_size=64)
uints = st.integers(0, 2**256 - 1)
domains = st.builds(Domain, st.integers(0, 2**64 - 1), addresses)

FIELDS = {
    "Register": [
        ("uint64", "project"),
        ("address", "owner"),
        ("bytes32", "keyX"),
        ("bytes32", "keyY"),
        ("bytes32", "metadataHash"),
        ("uint256", "nonce"),
        ("uint256", "deadline"),
    ],
    "Rotate": [
        ("uint256", "device"),
        ("bytes32", "keyX"),
        ("bytes32", "keyY"),
        ("uint256", "nonce"),
        ("uint256", "deadline"),
    ],
    "SetStatus": [
        ("uint256", "device"),
        ("uint8", "status"),
        ("uint256", "nonce"),
        ("uint256", "deadline"),
    ],
}


def other_digest(domain: Domain, name: str, values: list[Any]) -> bytes:
    """The digest as eth-account computes it from the struct in contracts.md."""
    rows = FIELDS[name]
    found = encode_typed_data(
        {
            "name": "OpenDePIN Devices",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": "0x" + domain.registry.hex(),
        },
        {name: [{"type": kind, "name": field} for kind, field in rows]},
        {field: value for (_, field), value in zip(rows, values, strict=True)},
    )
    return keccak(b"\x19" + found.version + found.header + found.body)


@given(domains, st.integers(0, 2**64 - 1), addresses, publics, words, uints, uints)
def test_register(
    domain: Domain, project: int, owner: bytes, key: bytes, metadata: bytes, nonce: int, until: int
) -> None:
    permit = Register(project, owner, key, metadata, nonce, until)
    values = [project, "0x" + owner.hex(), key[:32], key[32:], metadata, nonce, until]
    assert domain.digest(permit.struct_hash()) == other_digest(domain, "Register", values)


@given(domains, addresses, publics, uints, uints)
def test_rotate(domain: Domain, device: bytes, key: bytes, nonce: int, until: int) -> None:
    permit = Rotate(device, key, nonce, until)
    values = [int.from_bytes(device, "big"), key[:32], key[32:], nonce, until]
    assert domain.digest(permit.struct_hash()) == other_digest(domain, "Rotate", values)


@given(domains, addresses, st.sampled_from(Status), uints, uints)
def test_set_status(domain: Domain, device: bytes, status: Status, nonce: int, until: int) -> None:
    permit = SetStatus(device, status, nonce, until)
    values = [int.from_bytes(device, "big"), int(status), nonce, until]
    assert domain.digest(permit.struct_hash()) == other_digest(domain, "SetStatus", values)


def test_calls_carry_what_was_signed_in_the_contracts_order() -> None:
    domain = Domain(7, bytes(20))
    register = Register(1, OWNER.address, DEVICE.public, bytes(32), 3, 99)
    digest = domain.digest(register.struct_hash())
    call = permits.register_permit(domain, register, OWNER, DEVICE)
    key = (DEVICE.public[:32], DEVICE.public[32:])
    assert call[:5] == (1, OWNER.address, key, bytes(32), 99)
    assert keys.recover(digest, call.owner_signature) == OWNER.address
    assert keys.recover(digest, call.device_signature) == DEVICE.address
    rotate = Rotate(DEVICE.address, DEVICE.public, 3, 99)
    turn = permits.rotate_permit(domain, rotate, OWNER, DEVICE)
    assert turn[:3] == (permits.token(DEVICE.address), key, 99)
    assert keys.recover(domain.digest(rotate.struct_hash()), turn.key_signature) == DEVICE.address
    change = SetStatus(DEVICE.address, Status.REVOKED, 3, 99)
    status = permits.status_permit(domain, change, OWNER)
    assert status[:3] == (permits.token(DEVICE.address), 3, 99)
    signer = keys.recover(domain.digest(change.struct_hash()), status.owner_signature)
    assert signer == OWNER.address


def test_an_owner_that_sends_signs_nothing() -> None:
    domain = Domain(7, bytes(20))
    register = Register(1, OWNER.address, DEVICE.public, bytes(32), 3, 99)
    assert permits.register_permit(domain, register, None, DEVICE).owner_signature == b""


@given(addresses)
def test_token_ids_are_device_ids(device: bytes) -> None:
    assert permits.device_of(permits.token(device)) == device
