"""A gateway's commit group and the receipt cut from it.

One signature per group, over the header; a receipt is that signed header plus one message's place
in it. Positions are dense per (gateway, project), so a gap or a doubled position is visible to
anyone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from opendepin.core import keys, merkle
from opendepin.core.encodings import (
    UINT64_MAX,
    abi_encode,
    cbor_decode,
    cbor_encode,
    domain,
    from_hex,
    keccak256,
    to_hex,
    u64,
)
from opendepin.core.errors import EncodingRejected, ProofRejected, SignatureRejected
from opendepin.core.limits import MAX_GROUP_MESSAGES

GROUP_DOMAIN = domain("group")
MAX_JSON_NUMBER = (1 << 53) - 1
"""Largest integer that stands in JSON as a number."""


@dataclass(frozen=True)
class GroupHeader:
    """What a gateway signs for a commit group of one project."""

    network_id: bytes
    project: int
    gateway: bytes
    """Address of the gateway's key, 20 bytes."""
    first: int
    """Position of the first message; positions start at 1."""
    count: int
    identity_block: int
    """L1 height whose key history judges the signatures; final when fixed, never decreasing."""
    include_by_block: int
    """L1 height by which the messages are promised to be in a batch."""
    root: bytes
    """Merkle root over `leaf` of every message, in position order."""

    def digest(self) -> bytes:
        """Return the 32 bytes that the gateway signs."""
        types = [
            "bytes32",
            "bytes32",
            "uint64",
            "address",
            "uint64",
            "uint32",
            "uint64",
            "uint64",
            "bytes32",
        ]
        values = [GROUP_DOMAIN, self.network_id, self.project, self.gateway, self.first, self.count]
        return keccak256(
            abi_encode(types, [*values, self.identity_block, self.include_by_block, self.root])
        )


@dataclass(frozen=True)
class Group:
    """A commit group whole, as the stage log keeps it and batches carry it."""

    header: GroupHeader
    signature: bytes
    """65 bytes r ‖ s ‖ v by the gateway over `header.digest()`."""
    messages: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Write the group as deterministic CBOR (form `group` of the encodings page)."""
        return cbor_encode(self.fields())

    def fields(self) -> list[Any]:
        """Return the array that `encode` writes; network_id is left out, it is the network's."""
        h = self.header
        head = [
            h.project,
            h.gateway,
            h.first,
            h.count,
            h.identity_block,
            h.include_by_block,
            h.root,
        ]
        return [*head, self.signature, list(self.messages)]


def decode_group(data: bytes, network_id: bytes) -> Group:
    """Read a group's bytes.

    Raises:
        EncodingRejected: not a group's form, or the count is not that of the messages.
    """
    return group_of_fields(cbor_decode(data), network_id)


def group_of_fields(value: Any, network_id: bytes) -> Group:
    """Build a group from the decoded array; see `decode_group`."""
    if not isinstance(value, list) or len(cast(list[Any], value)) != 9:
        raise EncodingRejected("a group is an array of nine", code="group")
    project, gateway, first, count, identity_block, include_by, root, signature, messages = cast(
        list[Any], value
    )
    numbers = (project, first, count, identity_block, include_by)
    if any(type(n) is not int or not 0 <= n < 1 << 64 for n in numbers):
        raise EncodingRejected("a group's numbers are unsigned 64-bit", code="group")
    sizes = ((gateway, 20), (root, 32), (signature, 65))
    if any(type(b) is not bytes or len(b) != size for b, size in sizes):
        raise EncodingRejected(
            "a group's gateway, root or signature has a wrong form", code="group"
        )
    if not isinstance(messages, list) or any(
        type(m) is not bytes for m in cast(list[Any], messages)
    ):
        raise EncodingRejected("a group's messages are byte strings", code="group")
    raw = tuple(cast(list[bytes], messages))
    if not 1 <= count == len(raw) <= MAX_GROUP_MESSAGES or first < 1:
        raise EncodingRejected("a group's count is not that of its messages", code="group")
    if first + count > UINT64_MAX:
        raise EncodingRejected("a group's positions are unsigned 64-bit", code="group")
    header = GroupHeader(
        network_id, project, gateway, first, count, identity_block, include_by, root
    )
    return Group(header, signature, raw)


def leaf(position: int, identity_block: int, message_id: bytes) -> bytes:
    """Return the leaf hash of a message in group and segment trees alike."""
    return merkle.leaf_hash(u64(position) + u64(identity_block) + message_id)


@dataclass(frozen=True)
class Receipt:
    """A gateway's signed promise for one message; anyone can check it offline."""

    header: GroupHeader
    signature: bytes
    position: int
    message_id: bytes
    path: tuple[bytes, ...]

    def check(self, gateway: bytes) -> None:
        """Check signature, place and path.

        Raises:
            SignatureRejected: the header was not signed by `gateway`.
            ProofRejected: position outside the group, or the path does not lead to the root.
        """
        check_group_signature(self.header, self.signature, gateway)
        index = self.position - self.header.first
        start = leaf(self.position, self.header.identity_block, self.message_id)
        if merkle.root_of_path(start, index, self.header.count, self.path) != self.header.root:
            raise ProofRejected(
                "the receipt's path does not lead to the group's root", code="receipt-path"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form (`receipt` of the encodings page)."""
        rest = {"position": self.position, "message_id": to_hex(self.message_id)}
        return {
            **header_to_json(self.header, self.signature),
            **rest,
            "path": [to_hex(p) for p in self.path],
        }


def check_group_signature(header: GroupHeader, signature: bytes, gateway: bytes) -> None:
    """Check that `gateway` is named in the header and signed it.

    Raises:
        SignatureRejected: another key signed, or the header names another gateway.
    """
    if header.gateway != gateway or keys.recover(header.digest(), signature) != gateway:
        raise SignatureRejected(
            "the group header is not signed by its gateway", code="group-signature"
        )


def header_to_json(header: GroupHeader, signature: bytes) -> dict[str, Any]:
    """Return the JSON form of a signed group header."""
    return {
        "network_id": to_hex(header.network_id),
        "project": header.project,
        "gateway": to_hex(header.gateway),
        "first": header.first,
        "count": header.count,
        "identity_block": header.identity_block,
        "include_by_block": header.include_by_block,
        "root": to_hex(header.root),
        "signature": to_hex(signature),
    }


def receipt_of_json(value: Mapping[str, Any]) -> Receipt:
    """Read the JSON form of a receipt.

    Raises:
        EncodingRejected: a field is missing or has a wrong form.
    """
    try:
        header = GroupHeader(
            from_hex(value["network_id"], 32),
            _number(value["project"]),
            from_hex(value["gateway"], 20),
            _number(value["first"]),
            _number(value["count"], MAX_GROUP_MESSAGES),
            _number(value["identity_block"]),
            _number(value["include_by_block"]),
            from_hex(value["root"], 32),
        )
        path = tuple(from_hex(step, 32) for step in value["path"])
        where = _number(value["position"]), from_hex(value["message_id"], 32)
        return Receipt(header, from_hex(value["signature"], 65), *where, path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EncodingRejected(f"not a receipt: {error!r}", code="receipt") from error


def _number(value: object, most: int = MAX_JSON_NUMBER) -> int:
    """Return an unsigned number as it stands in JSON: no text, no fraction, nothing huge."""
    if type(value) is not int or not 0 <= value <= most:
        raise EncodingRejected(f"{str(value)[:40]!r} is no number of a receipt", code="receipt")
    return value


def receipt_from_leaves(
    header: GroupHeader, signature: bytes, leaves: Sequence[bytes], index: int, message_id: bytes
) -> Receipt:
    """Cut one message's receipt out of a group whose leaf hashes are known."""
    return Receipt(
        header, signature, header.first + index, message_id, tuple(merkle.path(leaves, index))
    )
