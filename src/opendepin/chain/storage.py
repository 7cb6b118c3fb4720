"""Where Vyper keeps a contract's values, and proofs that they stand there under a state root.

Pure: `verify` runs this from bytes alone. In: a storage layout (as the compiler writes it), keys, a
header's state root, `eth_getProof` nodes. Out: slots and proven 32-byte values. A slot is always
computed here, never taken from a proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from opendepin.chain import rlp, trie
from opendepin.chain.errors import BindingRejected, StateProofRejected
from opendepin.core.encodings import keccak256
from opendepin.core.errors import EncodingRejected

SLOTS = 1 << 256
EMPTY_CODE_HASH = keccak256(b"")


@dataclass(frozen=True)
class Account:
    """An account as the state trie holds it."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


NO_ACCOUNT = Account(0, 0, trie.EMPTY_ROOT, EMPTY_CODE_HASH)
"""What is proven of an address that was never touched."""


def slot_of(layout: Mapping[str, Any], name: str) -> int:
    """Return the slot where a variable begins, by the compiler's layout; `module.name` for a
    module's.

    Raises:
        BindingRejected: the layout has no such variable.
    """
    entry: Any = layout
    for part in name.split("."):
        entry = cast(Mapping[str, Any], entry).get(part) if isinstance(entry, Mapping) else None
    slot: Any = cast(Mapping[str, Any], entry).get("slot") if isinstance(entry, Mapping) else None
    if type(slot) is not int:
        raise BindingRejected(f"the storage layout has no variable {name}")
    return slot


def map_slot(slot: int, key: int | bytes) -> int:
    """Return the slot of a `HashMap`'s value: keccak(slot ‖ key), both 32 bytes.

    Vyper puts the slot first (Solidity last). An integer or an address is left-padded, 32 bytes
    stand as they are; for maps in maps apply it once per key, outermost first.
    """
    if isinstance(key, int):
        word = (key % SLOTS).to_bytes(32, "big")
    elif len(key) in (20, 32):
        word = key.rjust(32, b"\x00")
    else:
        raise BindingRejected(f"a map key is an integer, 20 or 32 bytes, not {len(key)} bytes")
    return int.from_bytes(keccak256(slot.to_bytes(32, "big") + word), "big")


def member_slot(slot: int, offset: int) -> int:
    """Return the slot of a struct's member or a static array's item, `offset` slots in (Vyper
    packs nothing).
    """
    return (slot + offset) % SLOTS


def slot_key(slot: int) -> bytes:
    """Return the 32 bytes a slot is asked for by in `eth_getProof`."""
    return slot.to_bytes(32, "big")


def verify_account_proof(state_root: bytes, address: bytes, nodes: Sequence[bytes]) -> Account:
    """Return the account that the proof shows under a state root; `NO_ACCOUNT` when it is proven
    absent.

    Raises:
        StateProofRejected: the proof does not hold.
    """
    if len(address) != 20:
        raise StateProofRejected("an address has 20 bytes")
    data = trie.value_at(state_root, address, nodes)
    if data == trie.ABSENT:
        return NO_ACCOUNT
    try:
        fields = rlp.decode_list(data)
        if len(fields) != 4:
            raise StateProofRejected("an account has four fields")
        nonce, balance, root, code = fields
        if (
            not isinstance(root, bytes)
            or not isinstance(code, bytes)
            or {len(root), len(code)} != {32}
        ):
            raise StateProofRejected("an account's hashes have 32 bytes")
        return Account(rlp.decode_int(nonce, 8), rlp.decode_int(balance), root, code)
    except EncodingRejected as error:
        raise StateProofRejected(f"an account is not canonical RLP: {error}") from error


def verify_slot_proof(storage_root: bytes, slot: int, nodes: Sequence[bytes]) -> bytes:
    """Return the 32 bytes in a slot under an account's storage root; zeros when it is proven empty.

    Raises:
        StateProofRejected: the proof does not hold.
    """
    data = trie.value_at(storage_root, slot_key(slot), nodes)
    if data == trie.ABSENT:
        return bytes(32)
    try:
        value = rlp.decode_int(rlp.decode(data))
    except EncodingRejected as error:
        raise StateProofRejected(f"a stored value is not canonical RLP: {error}") from error
    if value == 0:
        raise StateProofRejected("a stored zero is no entry of a trie")
    return value.to_bytes(32, "big")


@dataclass(frozen=True)
class SlotProof:
    """One slot of a contract, with the nodes from its storage root down."""

    slot: int
    nodes: tuple[bytes, ...]


@dataclass(frozen=True)
class ContractProof:
    """Slots of one contract, with the nodes from the state root down."""

    address: bytes
    account_nodes: tuple[bytes, ...]
    slots: tuple[SlotProof, ...]


@dataclass(frozen=True)
class ProvenContract:
    """What a `ContractProof` shows."""

    address: bytes
    account: Account
    values: dict[int, bytes]
    """Slot → 32 bytes."""


def verify_contract_proof(state_root: bytes, proof: ContractProof) -> ProvenContract:
    """Check account and slots under a state root; see `verify_account_proof` and
    `verify_slot_proof`.
    """
    account = verify_account_proof(state_root, proof.address, proof.account_nodes)
    values = {
        item.slot: verify_slot_proof(account.storage_root, item.slot, item.nodes)
        for item in proof.slots
    }
    return ProvenContract(proof.address, account, values)


def verify_storage_proof(
    state_root: bytes,
    address: bytes,
    slot: int,
    account_nodes: Sequence[bytes],
    slot_nodes: Sequence[bytes],
) -> bytes:
    """Return the 32 bytes that a contract holds in a slot under a state root.

    Raises:
        StateProofRejected: either proof does not hold.
    """
    account = verify_account_proof(state_root, address, account_nodes)
    return verify_slot_proof(account.storage_root, slot, slot_nodes)
