"""Pure rules of admission, and the making of a commit group and its receipts.

In: scanned messages, states, positions. Out: refusals, signed groups, receipts as JSON bytes.
Everything here gives the same result as the plain forms in `core.group`; it is written out because
it runs once per message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TypeAlias

from opendepin.core import keys, message
from opendepin.core.errors import (
    EncodingRejected,
    MessageRejected,
    SchemaRejected,
    SignatureRejected,
)
from opendepin.core.group import Group, GroupHeader, Receipt, header_to_json
from opendepin.core.identity import KeyChange, Status
from opendepin.core.schema import Schema
from opendepin.core.wire import Scanned
from opendepin.dims.gateway.config import CHANGING_RETRY_S
from opendepin.dims.gateway.errors import Refusal

Sign: TypeAlias = Callable[[bytes], bytes]
"""Makes the 65-byte signature r ‖ s ‖ v of a digest."""


def reason_of_form(raw: bytes, schema: Schema) -> Refusal | None:
    """Say why a message's form or data is refused; None when neither is."""
    try:
        schema.check(message.parse(raw).data)
    except (MessageRejected, SchemaRejected, EncodingRejected) as error:
        return Refusal(error.code, str(error))
    return None


def reason_of_state(state: KeyChange | None, project: int, *, changing: bool) -> Refusal | None:
    """Say why a device in this state may not speak for a project; None when it may.

    A state that a change gave which is not final yet (`changing`) is no verdict: send again later.
    """
    if state is None:
        return Refusal("unknown-device", "the device was not registered at the identity block")
    if state.project != project:
        return Refusal("wrong-project", f"the device belongs to project {state.project}")
    if changing and state.status is not Status.ACTIVE:
        return Refusal("key-changing", "a change of the device is not final yet", CHANGING_RETRY_S)
    if state.status is Status.SUSPENDED:
        return Refusal("suspended", "the device is suspended; its owner can resume it")
    if state.status is Status.REVOKED:
        return Refusal("revoked", "the device is revoked for good")
    return None


def reason_of_signature(public: bytes, scanned: Scanned) -> Refusal:
    """Say why a signature that does not hold is refused."""
    try:
        keys.check(public, scanned.message_id, scanned.signature)
    except SignatureRejected as error:
        return Refusal(error.code, str(error))
    return Refusal("signature", "the signature does not match key and digest")


def reason_of_seq(seq: int, last: int) -> Refusal:
    """Say why a `seq` that does not go up is refused."""
    if seq == last:
        return Refusal("seq-conflict", f"another message with seq {last} was admitted before")
    return Refusal("seq-stale", f"seq {seq} is below the last admitted one, {last}")


def reason_of_age(time_ms: int, now_ms: int, max_age_ms: int) -> Refusal:
    """Say why a message signed at `time_ms` is refused at `now_ms`."""
    if time_ms < now_ms - max_age_ms:
        days = max_age_ms / 86_400_000
        return Refusal("too-old", f"signed more than {days:g} days ago: sign it anew")
    ahead = (time_ms - now_ms) / 1000
    return Refusal("too-early", f"signed {ahead:g} s in the future: set the device's clock")


def levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return a SHA-256 tree's levels, leaves first, root last (RFC 9162 §2.1)."""
    level, found = list(leaves), [list(leaves)]
    while len(level) > 1:
        pairs = zip(level[0::2], level[1::2], strict=False)
        above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        if len(level) & 1:
            above.append(level[-1])
        level = above
        found.append(level)
    return found


def leaves_of(first: int, identity_block: int, message_ids: Sequence[bytes]) -> list[bytes]:
    """Return the leaf hashes of consecutive positions."""
    block = identity_block.to_bytes(8, "big")
    return [
        sha256(b"\x00" + (first + i).to_bytes(8, "big") + block + message_id).digest()
        for i, message_id in enumerate(message_ids)
    ]


@dataclass(frozen=True)
class Sealed:
    """A signed group with what receipts are cut from."""

    group: Group
    message_ids: tuple[bytes, ...]
    tree: tuple[tuple[bytes, ...], ...]
    """The Merkle tree's levels."""

    def receipt(self, index: int) -> Receipt:
        """Cut one message's receipt."""
        header = self.group.header
        path = tuple(level[at] for level, at in self._siblings(index))
        position = header.first + index
        return Receipt(header, self.group.signature, position, self.message_ids[index], path)

    def receipt_json(self, index: int) -> bytes:
        """Write one message's receipt as JSON, the form of `Receipt.to_json`."""
        position = self.group.header.first + index
        path = self._paths[index]
        identity = self.message_ids[index].hex()
        rest = f',"position":{position},"message_id":"0x{identity}","path":[{path}]}}'
        return self.head_json[:-1] + rest.encode()

    @cached_property
    def head_json(self) -> bytes:
        """The signed header as a JSON object."""
        rows = header_to_json(self.group.header, self.group.signature).items()
        texts = [f'"{key}":"{v}"' if isinstance(v, str) else f'"{key}":{v}' for key, v in rows]
        return ("{" + ",".join(texts) + "}").encode()

    @cached_property
    def group_json(self) -> bytes:
        """The signed header and all leaf hashes as a JSON object."""
        leaves = ",".join(f'"0x{leaf.hex()}"' for leaf in self.tree[0])
        return self.head_json[:-1] + f',"leaves":[{leaves}]}}'.encode()

    @cached_property
    def _paths(self) -> list[str]:
        """Every leaf's path as JSON items, made from the root down: what two leaves share is
        written once.
        """
        found = [""]
        for level in reversed(self.tree[:-1]):
            steps = [f'"0x{node.hex()}"' for node in level]
            rest = [f",{path}" if path else "" for path in found]
            found = [
                steps[at ^ 1] + rest[at >> 1] if at ^ 1 < len(steps) else found[at >> 1]
                for at in range(len(steps))
            ]
        return found

    def _siblings(self, index: int) -> Iterator[tuple[tuple[bytes, ...], int]]:
        for level in self.tree[:-1]:
            if index ^ 1 < len(level):
                yield level, index ^ 1
            index >>= 1


@dataclass(frozen=True)
class Place:
    """What a group header says besides its messages."""

    network_id: bytes
    project: int
    gateway: bytes
    first: int
    identity_block: int
    include_by_block: int


def seal(place: Place, scanned: Sequence[Scanned], sign: Sign) -> Sealed:
    """Make the signed group of these messages."""
    ids = tuple(row.message_id for row in scanned)
    tree = levels(leaves_of(place.first, place.identity_block, ids))
    header = GroupHeader(
        place.network_id,
        place.project,
        place.gateway,
        place.first,
        len(ids),
        place.identity_block,
        place.include_by_block,
        tree[-1][0],
    )
    group = Group(header, sign(header.digest()), tuple(row.raw for row in scanned))
    return Sealed(group, ids, tuple(tuple(level) for level in tree))


def sealed_of(group: Group, message_ids: Sequence[bytes]) -> Sealed:
    """Make a group read from the log ready for receipts."""
    header = group.header
    tree = levels(leaves_of(header.first, header.identity_block, message_ids))
    return Sealed(group, tuple(message_ids), tuple(tuple(level) for level in tree))
