"""EIP-1559 transactions: bytes to sign, the signature, the hash; the same bytes for the same
fields.
"""

from __future__ import annotations

from dataclasses import dataclass

from opendepin.chain import rlp
from opendepin.core.encodings import keccak256
from opendepin.core.keys import Key

TYPE = b"\x02"
MAX_TRANSACTION_GAS = 1 << 24
"""Most gas of one transaction (EIP-7825)."""


@dataclass(frozen=True)
class Transaction:
    """Every field of an EIP-1559 transaction (without an access list)."""

    chain_id: int
    nonce: int
    tip: int
    """Most wei per gas for the block's producer."""
    max_fee: int
    """Most wei per gas in all."""
    gas: int
    to: bytes | None
    """Receiver; None makes a contract."""
    value: int
    data: bytes

    def sign(self, key: Key) -> Signed:
        """Sign with an account's key."""
        numbers = [self.chain_id, self.nonce, self.tip, self.max_fee, self.gas]
        head: list[rlp.Item] = [rlp.encode_int(number) for number in numbers]
        access_list: list[rlp.Item] = []
        fields = [*head, self.to or b"", rlp.encode_int(self.value), self.data, access_list]
        made = key.sign_recoverable(keccak256(TYPE + rlp.encode(fields)))
        r, s = int.from_bytes(made[:32], "big"), int.from_bytes(made[32:64], "big")
        raw = TYPE + rlp.encode([*fields, *(rlp.encode_int(n) for n in (made[64] - 27, r, s))])
        return Signed(keccak256(raw), raw)


@dataclass(frozen=True)
class Signed:
    """A signed transaction: its hash and the bytes to send."""

    hash: bytes
    raw: bytes


def contract_address(sender: bytes, nonce: int) -> bytes:
    """Return the address of the contract that `sender` makes with `nonce`."""
    return keccak256(rlp.encode([sender, rlp.encode_int(nonce)]))[12:]
