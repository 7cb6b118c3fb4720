"""Merkle trees of RFC 9162 §2.1 (SHA-256), and the Keccak tree of device pay.

Leaf `sha256(0x00 ‖ data)`, node `sha256(0x01 ‖ left ‖ right)`; n leaves split at the largest power
of two below n, so a leaf never passes for a node and no leaf is doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opendepin.core.encodings import abi_encode, domain, keccak256, sha256
from opendepin.core.errors import ProofRejected

EMPTY = sha256(b"")
"""Root of the tree without leaves (RFC 9162 §2.1.1)."""


def leaf_hash(data: bytes) -> bytes:
    """Hash one leaf's data."""
    return sha256(b"\x00" + data)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children, in order."""
    return sha256(b"\x01" + left + right)


def root(leaves: Sequence[bytes], node: Callable[[bytes, bytes], bytes] = node_hash) -> bytes:
    """Return the root over leaf hashes, in O(n)."""
    if not leaves:
        return EMPTY
    level = list(leaves)
    while len(level) > 1:
        paired = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


def path(
    leaves: Sequence[bytes], index: int, node: Callable[[bytes, bytes], bytes] = node_hash
) -> list[bytes]:
    """Return the inclusion path of leaf `index`, from the leaf up."""
    if not 0 <= index < len(leaves):
        raise ProofRejected(f"no leaf {index} among {len(leaves)}", code="index")
    level, found = list(leaves), list[bytes]()
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            found.append(level[sibling])
        paired = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level, index = paired, index // 2
    return found


def root_of_path(
    leaf: bytes,
    index: int,
    count: int,
    siblings: Sequence[bytes],
    node: Callable[[bytes, bytes], bytes] = node_hash,
) -> bytes:
    """Return the root a path leads to (RFC 9162 §2.1.3.2).

    Raises:
        ProofRejected: the index is not below the count, or the path is too short or too long.
    """
    if not 0 <= index < count:
        raise ProofRejected(f"no leaf {index} among {count}", code="index")
    at, last, rest, reached = index, count - 1, list(siblings), leaf
    while last > 0:
        if at ^ 1 <= last:
            if not rest:
                raise ProofRejected("the Merkle path is too short", code="path-length")
            sibling = rest.pop(0)
            reached = node(sibling, reached) if at & 1 else node(reached, sibling)
        at, last = at // 2, last // 2
    if rest:
        raise ProofRejected("the Merkle path is too long", code="path-length")
    return reached


PAY_DOMAIN = domain("pay")


def pay_node(left: bytes, right: bytes) -> bytes:
    """Hash two children of a pay tree: keccak(left ‖ right), 64 bytes in (a leaf has 128 in)."""
    return keccak256(left + right)


def pay_leaf(task_id: bytes, device_index: int, units: int) -> bytes:
    """Hash one device's pay: keccak(abi.encode(domain, task, index, units))."""
    types = ["bytes32", "bytes32", "uint256", "uint256"]
    return keccak256(abi_encode(types, [PAY_DOMAIN, task_id, device_index, units]))
