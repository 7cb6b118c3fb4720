"""Merkle–Patricia proofs (Yellow Paper, appendix D): what stands under a key, proven by the nodes
on its way.

In: a root, a key, the nodes that `eth_getProof` gives, root first. Out: the value, or empty bytes
when the nodes prove that nothing stands there. Every node must be used and must hash to what its
parent names, so any altered, missing or extra byte is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from opendepin.chain import rlp
from opendepin.chain.errors import StateProofRejected
from opendepin.core.encodings import keccak256
from opendepin.core.errors import EncodingRejected

EMPTY_ROOT = keccak256(b"\x80")
"""Root of the trie that holds nothing."""

MAX_NODES = 65
"""Most nodes of one proof: 64 nibbles and the root."""

ABSENT = b""


def value_at(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes:
    """Return the value under keccak(key) in the trie of `root`; empty when it is proven absent.

    Raises:
        StateProofRejected: the nodes do not prove either.
    """
    if len(nodes) > MAX_NODES:
        raise StateProofRejected(f"a proof has at most {MAX_NODES} nodes, this has {len(nodes)}")
    if root == EMPTY_ROOT:
        if list(nodes) not in ([], [b"\x80"]):
            raise StateProofRejected("the trie is empty, yet the proof has nodes")
        return ABSENT
    walk = _Walk(list(nodes))
    try:
        value = walk.down(root, _nibbles(keccak256(key)))
    except EncodingRejected as error:
        raise StateProofRejected(f"a proof node is not canonical RLP: {error}") from error
    if walk.rest:
        raise StateProofRejected(f"{len(walk.rest)} nodes of the proof lead nowhere")
    return value


def _nibbles(data: bytes) -> list[int]:
    return [half for byte in data for half in (byte >> 4, byte & 15)]


class _Walk:
    def __init__(self, nodes: list[bytes]) -> None:
        self.rest = nodes

    def down(self, reference: rlp.Item, path: list[int]) -> bytes:
        """Follow `path` from the node that `reference` names."""
        while True:
            node = self._resolve(reference)
            if len(node) == 17:
                if not path:
                    return _leaf(node[16])
                reference, path = node[path[0]], path[1:]
                if reference == b"":
                    return ABSENT
            elif len(node) == 2:
                leaf, part = _compact(node[0])
                if leaf:
                    return _leaf(node[1]) if part == path else ABSENT
                if not part or path[: len(part)] != part:
                    return ABSENT if part else _refuse("an extension node has no path")
                reference, path = node[1], path[len(part) :]
            else:
                _refuse(f"a trie node has 2 or 17 items, this has {len(node)}")

    def _resolve(self, reference: rlp.Item) -> list[rlp.Item]:
        if not isinstance(reference, bytes):
            node = list(reference)
            embedded = rlp.encode(node)
            if len(embedded) >= 32:
                _refuse("a node of 32 bytes or more stands inside its parent")
            if self.rest and self.rest[0] == embedded:
                self.rest.pop(0)  # some nodes list embedded nodes again
            return node
        if len(reference) != 32:
            _refuse("a node is named by a 32-byte hash")
        if not self.rest:
            _refuse("the proof ends early")
        data = self.rest.pop(0)
        if keccak256(data) != reference:
            _refuse("a proof node does not hash to what its parent names")
        return rlp.decode_list(data)


def _leaf(item: rlp.Item) -> bytes:
    if not isinstance(item, bytes):
        _refuse("a trie value is a list")
    return item


def _compact(item: rlp.Item) -> tuple[bool, list[int]]:
    """Read a hex-prefix path: whether it ends in a leaf, and its nibbles."""
    if not isinstance(item, bytes) or not item:
        _refuse("a trie path is missing")
    flag, odd = item[0] >> 4, item[0] >> 4 & 1
    if flag > 3 or (not odd and item[0] & 15):
        _refuse("a trie path has an unknown prefix")
    return flag >= 2, _nibbles(item)[1 if odd else 2 :]


def _refuse(why: str) -> NoReturn:
    raise StateProofRejected(why)
