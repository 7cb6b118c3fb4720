"""Block headers that prove themselves: RLP form, hash, and the few fields we use.

In: a header's RLP, or the JSON of `eth_getBlockByNumber`. Out: `Header`, whose hash was recomputed,
so that whoever trusts a block hash can trust its state root. Fields from London on are optional in
order, as each fork appended its own (EIP-1559, 4895, 4844, 4788, 7685).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opendepin.chain import rlp
from opendepin.chain.errors import HeaderRejected
from opendepin.core.encodings import keccak256
from opendepin.core.errors import EncodingRejected

HASH, INT = "hash", "int"

FIELDS: tuple[tuple[str, str, int], ...] = (
    ("parentHash", HASH, 32),
    ("sha3Uncles", HASH, 32),
    ("miner", HASH, 20),
    ("stateRoot", HASH, 32),
    ("transactionsRoot", HASH, 32),
    ("receiptsRoot", HASH, 32),
    ("logsBloom", HASH, 256),
    ("difficulty", INT, 32),
    ("number", INT, 8),
    ("gasLimit", INT, 8),
    ("gasUsed", INT, 8),
    ("timestamp", INT, 8),
    ("extraData", "bytes", 32),
    ("mixHash", HASH, 32),
    ("nonce", HASH, 8),
)
"""Name in JSON, kind, size in bytes (exact for hashes, the most for others), in RLP order."""

LATER_FIELDS: tuple[tuple[str, str, int], ...] = (
    ("baseFeePerGas", INT, 32),
    ("withdrawalsRoot", HASH, 32),
    ("blobGasUsed", INT, 8),
    ("excessBlobGas", INT, 8),
    ("parentBeaconBlockRoot", HASH, 32),
    ("requestsHash", HASH, 32),
)
"""Appended by forks; one is present only when all before it are."""


@dataclass(frozen=True)
class Header:
    """A block header whose hash is recomputed from its bytes."""

    hash: bytes
    rlp: bytes
    parent: bytes
    state_root: bytes
    receipts_root: bytes
    number: int
    time: int
    """Unix seconds."""
    gas_limit: int
    gas_used: int
    base_fee: int
    """Wei per gas; 0 before London."""


def decode_header(data: bytes) -> Header:
    """Read a header's RLP.

    Raises:
        HeaderRejected: not the canonical RLP of a header of a known fork.
    """
    try:
        items = rlp.decode_list(data)
        known = FIELDS + LATER_FIELDS
        if not len(FIELDS) <= len(items) <= len(known):
            raise HeaderRejected(
                f"a header has {len(FIELDS)}..{len(known)} fields, this has {len(items)}"
            )
        fields = {row[0]: _check(row, item) for row, item in zip(known, items, strict=False)}
    except EncodingRejected as error:
        raise HeaderRejected(f"not a block header: {error}") from error

    def number(name: str) -> int:
        return int.from_bytes(fields.get(name, b""), "big")

    return Header(
        hash=keccak256(data),
        rlp=data,
        parent=fields["parentHash"],
        state_root=fields["stateRoot"],
        receipts_root=fields["receiptsRoot"],
        number=number("number"),
        time=number("timestamp"),
        gas_limit=number("gasLimit"),
        gas_used=number("gasUsed"),
        base_fee=number("baseFeePerGas"),
    )


def header_of_json(block: Mapping[str, Any]) -> Header:
    """Read the JSON of a block and check that its header hashes to the `hash` it claims.

    Raises:
        HeaderRejected: a field is missing or malformed, or the hash is another's.
    """
    header = decode_header(rlp_of_json(block))
    if block.get("hash") != "0x" + header.hash.hex():
        raise HeaderRejected(
            f"block {header.number} claims the hash {block.get('hash')}, its header hashes to "
            f"0x{header.hash.hex()}"
        )
    return header


def rlp_of_json(block: Mapping[str, Any]) -> bytes:
    """Write the RLP of a header from its JSON fields, whatever hash they claim.

    Raises:
        HeaderRejected: a field is missing or malformed.
    """
    items: list[rlp.Item] = []
    ended = False
    for name, kind, size in FIELDS + LATER_FIELDS:
        text = block.get(name)
        if text is None and (name, kind, size) in LATER_FIELDS:
            ended = True
            continue
        if ended:
            raise HeaderRejected(f"{name} is given but an earlier fork's field is not")
        items.append(_of_json(name, kind, size, text))
    return rlp.encode(items)


def _check(row: tuple[str, str, int], item: rlp.Item) -> bytes:
    name, kind, size = row
    if not isinstance(item, bytes):
        raise HeaderRejected(f"header field {name} is a list")
    if kind == INT:
        rlp.decode_int(item, size)
    elif len(item) > size or (kind == HASH and len(item) != size):
        raise HeaderRejected(f"header field {name} has {len(item)} bytes, {size} are due")
    return item


def _of_json(name: str, kind: str, size: int, text: object) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise HeaderRejected(f"header field {name} is missing or no hex")
    try:
        if kind == INT:
            return rlp.encode_int(int(text, 16))
        return bytes.fromhex(text[2:])
    except ValueError as error:
        raise HeaderRejected(f"header field {name} is no hex of at most {size} bytes") from error
