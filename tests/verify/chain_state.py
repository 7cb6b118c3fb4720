"""A Layer 1 state of a few accounts with true Merkle–Patricia tries, by the `trie` package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import rlp
from trie.hexary import HexaryTrie

from opendepin.core.encodings import keccak256, to_hex

NOISE = 24
"""Foreign accounts in the state, foreign slots in each contract: so that proofs branch."""

WEI = 7 * 10**18


def code_hash(name: str) -> bytes:
    """Return the hash of the code that stands at a contract of the test."""
    return keccak256(f"code of {name}".encode())


@dataclass
class ChainState:
    """Storage by contract name; the roots are those of the values at first use."""

    addresses: Mapping[str, bytes]
    storage: dict[str, dict[int, bytes]] = field(default_factory=dict[str, dict[int, bytes]])
    height: int = 40

    def keep(self, contract: str, slot: int, value: bytes) -> None:
        """Put a 32-byte value into a slot."""
        self.storage.setdefault(contract, {})[slot] = value

    @cached_property
    def storages(self) -> dict[str, HexaryTrie]:
        """The storage trie of every contract."""
        found: dict[str, HexaryTrie] = {}
        for name in self.addresses:
            trie = HexaryTrie({})
            noise = {i: keccak256(f"{name} {i}".encode()) for i in range(NOISE)}
            for slot, value in (noise | self.storage.get(name, {})).items():
                if any(value):
                    trie[keccak256(slot.to_bytes(32, "big"))] = rlp.encode(value.lstrip(b"\0"))
            found[name] = trie
        return found

    @cached_property
    def accounts(self) -> HexaryTrie:
        """The state trie."""
        trie = HexaryTrie({})
        for i in range(NOISE):
            account = [
                rlp.sedes.big_endian_int.serialize(i),
                b"",
                keccak256(b"\x80"),
                keccak256(b""),
            ]
            trie[keccak256(b"account %d" % i)] = rlp.encode(account)
        for name, address in self.addresses.items():
            row = [b"\x01", WEI.to_bytes(8, "big"), self.storages[name].root_hash, code_hash(name)]
            trie[keccak256(address)] = rlp.encode(row)
        return trie

    @cached_property
    def header(self) -> bytes:
        """RLP of the block with this state."""
        zero = bytes(32)
        head = [keccak256(b"parent"), keccak256(b"uncles"), bytes(20), self.accounts.root_hash]
        middle = [zero, zero, bytes(256), b"", bytes([self.height]), b"\x01", b"\x02", b"\x03"]
        return rlp.encode([*head, *middle, b"", zero, bytes(8), b"\x07"])

    @property
    def block_hash(self) -> bytes:
        """Hash of the block."""
        return keccak256(self.header)

    def l1(self, wanted: Mapping[str, Sequence[tuple[str, int]]]) -> dict[str, Any]:
        """Return a bundle's `l1` part: by contract, what and slot."""
        proofs = [
            {
                "contract": name,
                "address": to_hex(self.addresses[name]),
                "nonce": 1,
                "balance": str(WEI),
                "storage_hash": to_hex(self.storages[name].root_hash),
                "code_hash": to_hex(code_hash(name)),
                "account_proof": _nodes(self.accounts, keccak256(self.addresses[name])),
                "storage": [self._row(name, what, slot) for what, slot in slots],
            }
            for name, slots in wanted.items()
        ]
        block = {
            "number": self.height,
            "hash": to_hex(self.block_hash),
            "header": to_hex(self.header),
        }
        return {"block": block, "proofs": proofs}

    def _row(self, name: str, what: str, slot: int) -> dict[str, Any]:
        key = slot.to_bytes(32, "big")
        return {
            "what": what,
            "key": to_hex(key),
            "value": to_hex(self.storage[name][slot]),
            "proof": _nodes(self.storages[name], keccak256(key)),
        }


def _nodes(trie: HexaryTrie, key: bytes) -> list[str]:
    return [to_hex(rlp.encode(node)) for node in trie.get_proof(key)]
