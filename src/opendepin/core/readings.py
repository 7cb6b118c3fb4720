"""From the bytes of commit groups to checked messages: ids, signatures, schema, roots and decoded
readings.

In: groups, the key history of any device, the project's rules. Out: frozen values, or a
`ReadingRejected` that names gateway, project and position. Pure: attesters, sequencer, operators
and `verify` all judge by this one page.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import cbor2

from opendepin.core import merkle, message
from opendepin.core.batch import Segment, SegmentBody
from opendepin.core.errors import Rejected
from opendepin.core.field_tree import FieldTree
from opendepin.core.group import Group, GroupHeader, check_group_signature, leaf
from opendepin.core.identity import KeyChange, key_at
from opendepin.core.journey import Reading, Signed
from opendepin.core.layout import Layout
from opendepin.core.limits import MAX_SEGMENT_MESSAGES
from opendepin.core.manifest import Manifest
from opendepin.core.schema import OBSERVED, Data, Schema
from opendepin.core.wire import Scanner

PROTECTED = slice(4, 30)
"""Where the protected header lies in a message of the one form."""

PAYLOAD_HEAD = 31
"""Where the head of the payload's byte string stands."""

SIGNATURE_TAIL = 66
"""Head and bytes of the signature, which end a message."""

Histories = Callable[[bytes], Sequence[KeyChange]]
"""Gives the key history of a device id, oldest change first; empty for an unknown device."""


class ReadingRejected(Rejected):
    """A group or one of its messages fails a check; `code` is the check's own."""

    code = "reading"

    def __init__(self, text: str, *, code: str, header: GroupHeader, position: int | None) -> None:
        where = f"project {header.project}, gateway 0x{header.gateway.hex()}"
        at = f"position {position}" if position is not None else f"group at {header.first}"
        super().__init__(f"{where}, {at}: {text}", code=code)
        self.header = header
        self.position = position
        """Position of the bad message, or None when the group itself is bad."""


@dataclass(frozen=True)
class ProjectRules:
    """What a message of a project must be, and how its reading is taken out of it."""

    schema: Schema
    proven: bool
    """Whether a program takes the readings; without one a segment's field root is 0."""
    capacity: int = MAX_SEGMENT_MESSAGES
    """Readings that the project's circuit takes."""

    def __post_init__(self) -> None:
        if self.proven:
            Layout.of(self.schema)

    @property
    def tree(self) -> FieldTree | None:
        """What the project's readings commit to; None for a project without program."""
        return FieldTree(Layout.of(self.schema), self.capacity) if self.proven else None

    @property
    def segment_messages(self) -> int:
        """Most messages in one segment."""
        return min(self.capacity, MAX_SEGMENT_MESSAGES)

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> ProjectRules:
        """Take the rules out of a project's manifest.

        Raises:
            SchemaRejected: code `layout`, its readings could not be proven over.
        """
        return cls(manifest.schema, proven=True, capacity=manifest.capacity)


@dataclass(frozen=True)
class Checked:
    """One message that passed every check, and whose key signed it."""

    message: Signed
    message_id: bytes
    device_index: int

    def reading(self, schema: Schema) -> Reading:
        """Return what a program sees of it."""
        data = self.message.data
        observed = cast(int, data[OBSERVED])
        return Reading(self.device_index, self.message.seq, observed, schema.values(data))


@dataclass(frozen=True)
class CheckedSegment:
    """A segment's messages, all checked, with what the segment commits to."""

    body: SegmentBody
    messages: tuple[Checked, ...]
    root: bytes
    readings: tuple[Reading, ...]
    """In order; empty for a project without zk program."""

    def segment(self, field_root: int) -> Segment:
        """Return the segment as the L1 sees it."""
        return Segment(
            self.body.project, self.root, field_root, self.body.count, self.body.ranges()
        )


class Reader:
    """Checks the messages of one project: at wire speed those that are good, with the reason those
    that are not.
    """

    def __init__(self, network_id: bytes, project: int, schema: Schema) -> None:
        self._project, self._schema = project, schema
        self._aad = message.external_aad(network_id, project)
        self._scan = Scanner(schema, network_id, project).scan

    def read(self, raw: bytes) -> tuple[Signed, bytes]:
        """Return a message that is well formed and fits the schema, and its id.

        Raises:
            MessageRejected, SchemaRejected: the code says what is wrong.
        """
        found = self._scan(raw)
        if found is None or len(found.raw) != len(raw):
            signed = message.parse(raw)
            self._schema.check(signed.data)
            return signed, message.message_id(signed, self._aad)
        payload = raw[PAYLOAD_HEAD + _head_bytes(raw[PAYLOAD_HEAD]) : -SIGNATURE_TAIL]
        data: Data = cbor2.loads(payload)[message.PAYLOAD_DATA]
        head = (found.device, found.seq, found.time_ms, data, raw[PROTECTED], payload)
        return Signed(*head, found.signature, raw), found.message_id

    def check(self, raw: bytes, identity_block: int, histories: Histories) -> Checked:
        """Check one message: form, schema, the device's state at the identity block, signature.

        Raises:
            MessageRejected, SchemaRejected, SignatureRejected: the code says what is wrong.
            Rejected: code `unknown-device`, `wrong-project`, `suspended` or `revoked`.
        """
        signed, identifier = self.read(raw)
        state = key_at(histories(signed.device), identity_block, self._project)
        message.verify(signed, identifier, state.public)
        return Checked(signed, identifier, state.index)


@lru_cache(maxsize=256)
def reader(network_id: bytes, project: int, schema: Schema) -> Reader:
    """Return the compiled reader of a project's messages."""
    return Reader(network_id, project, schema)


def _head_bytes(first: int) -> int:
    """Return the length of a byte string's head: one byte below 24, two below 256, else three."""
    return 1 if first < 0x58 else first - 0x56


def group_leaves(header: GroupHeader, message_ids: Iterable[bytes]) -> list[bytes]:
    """Return the leaf hashes of a group's messages, by position."""
    return [
        leaf(header.first + i, header.identity_block, each) for i, each in enumerate(message_ids)
    ]


def check_group(
    group: Group, gateways: Collection[bytes], rules: ProjectRules, histories: Histories
) -> tuple[Checked, ...]:
    """Check a commit group whole: a known gateway's signature, every message, the root.

    Raises:
        ReadingRejected: code `unknown-gateway`, `group-signature`, `group-root` or a message's own.
    """
    header = group.header
    if header.gateway not in gateways:
        raise ReadingRejected(
            "not a gateway of this network", code="unknown-gateway", header=header, position=None
        )
    try:
        check_group_signature(header, group.signature, header.gateway)
    except Rejected as error:
        raise ReadingRejected(
            str(error), code="group-signature", header=header, position=None
        ) from error
    check = reader(header.network_id, header.project, rules.schema).check
    found: list[Checked] = []
    for raw in group.messages:
        try:
            found.append(check(raw, header.identity_block, histories))
        except Rejected as error:
            at = header.first + len(found)
            raise ReadingRejected(
                str(error), code=error.code, header=header, position=at
            ) from error
    if merkle.root(group_leaves(header, (each.message_id for each in found))) != header.root:
        raise ReadingRejected(
            "the signed root is not that of the messages",
            code="group-root",
            header=header,
            position=None,
        )
    return tuple(found)


def check_segment(
    body: SegmentBody, gateways: Collection[bytes], rules: ProjectRules, histories: Histories
) -> CheckedSegment:
    """Check every group of a segment and compute what the segment commits to, but the field root.

    Raises:
        ReadingRejected: see `check_group`; code `capacity` when the segment holds more than its
            circuit takes.
    """
    if body.count > rules.segment_messages:
        text = f"{body.count} messages, the project's segments take {rules.segment_messages}"
        raise ReadingRejected(text, code="capacity", header=body.groups[0].header, position=None)
    return assemble(
        body, [check_group(group, gateways, rules, histories) for group in body.groups], rules
    )


def assemble(
    body: SegmentBody, groups: Sequence[Sequence[Checked]], rules: ProjectRules
) -> CheckedSegment:
    """Put checked groups together as the segment `body`; `groups` holds the messages of each, in
    order.
    """
    leaves: list[bytes] = []
    for group, checked in zip(body.groups, groups, strict=True):
        leaves += group_leaves(group.header, (each.message_id for each in checked))
    messages = tuple(each for checked in groups for each in checked)
    readings = tuple(each.reading(rules.schema) for each in messages) if rules.proven else ()
    return CheckedSegment(body, messages, merkle.root(leaves), readings)
