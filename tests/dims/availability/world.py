"""A small network in memory: gateways, devices with key histories, projects, and honest groups and
batches of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from opendepin.core import merkle, message
from opendepin.core.batch import BatchHeader, Segment, SegmentBody, encode_body, segments_root
from opendepin.core.errors import Rejected
from opendepin.core.field_tree import FieldTree
from opendepin.core.group import Group, GroupHeader
from opendepin.core.identity import KeyChange, Status
from opendepin.core.journey import Batched, Reading
from opendepin.core.keys import Key
from opendepin.core.readings import ProjectRules, check_segment, group_leaves
from opendepin.core.schema import Field, Schema
from opendepin.dims.availability.adapters.reed_solomon import ReedSolomon
from opendepin.dims.availability.ports import Code

NETWORK = bytes(range(32))
SEQUENCER = Key.from_seed(b"sequencer")
GATEWAY = Key.from_seed(b"gateway")
OTHER_GATEWAY = Key.from_seed(b"gateway 2")
STRANGER = Key.from_seed(b"stranger")
STORES = tuple(Key.from_seed(b"store %d" % i) for i in range(4))
THRESHOLD = 3
DATA_CHUNKS = 16
CODE = ReedSolomon(DATA_CHUNKS)
GATEWAYS = frozenset({GATEWAY.address, OTHER_GATEWAY.address})
IDENTITY_BLOCK = 10
START_S = 1_700_000_000

SCHEMA = Schema((Field(1, "observed_s", 0, 2**32), Field(2, "pm10", 0, 1_000_000, "µg/m³", 3)))
ZK = ProjectRules(SCHEMA, proven=True, capacity=256)
PLAIN = ProjectRules(SCHEMA, proven=False)
RULES = {1: ZK, 2: PLAIN}


def devices(count: int, project: int = 1) -> list[Key]:
    return [Key.from_seed(b"device %d %d" % (project, i)) for i in range(count)]


def registered(
    keys: Sequence[Key], project: int = 1, block: int = 5
) -> dict[bytes, list[KeyChange]]:
    return {
        key.address: [KeyChange(key.address, Status.ACTIVE, project, i, key.public, block)]
        for i, key in enumerate(keys)
    }


def python_field_root(readings: Sequence[Reading], tree: FieldTree) -> int:
    """What the native engine computes, in Python."""
    return tree.root(readings)


def quick_field_root(readings: Sequence[Reading], tree: FieldTree) -> int:
    """A stand-in commitment where the tree is not what is tested: 5 ms a reading in Python is too
    slow there.
    """
    rows = b"".join(
        repr((r.device_index, r.seq, r.observed_s, r.values)).encode() for r in readings
    )
    return int.from_bytes(merkle.leaf_hash(rows + tree.capacity.to_bytes(4, "big"))[1:], "big")


@dataclass
class World:
    """Devices, their histories, and each lane's next position; makes honest groups."""

    per_project: int = 8
    projects: tuple[int, ...] = (1, 2)
    field_root: Callable[[Sequence[Reading], FieldTree], int] = quick_field_root
    histories: dict[bytes, list[KeyChange]] = field(default_factory=dict)
    positions: dict[tuple[bytes, int], int] = field(default_factory=dict)
    seqs: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.devices = {p: devices(self.per_project, p) for p in self.projects}
        for project, keys in self.devices.items():
            self.histories |= registered(keys, project)

    def history(self, device: bytes) -> Sequence[KeyChange]:
        return self.histories.get(device, ())

    def rules(self, project: int) -> ProjectRules:
        if project not in self.projects:
            raise Rejected(f"no project {project}", code="unknown-project")
        return RULES[project]

    def message(
        self,
        project: int = 1,
        device: int = 0,
        value: int = 40_000,
        key: Key | None = None,
        **over: int,
    ) -> bytes:
        speaker = self.devices[project][device]
        seq = over.get("seq", self.seqs.get(speaker.address, 0) + 1)
        self.seqs[speaker.address] = max(seq, self.seqs.get(speaker.address, 0))
        data = {1: START_S + seq, 2: value}
        aad = message.external_aad(NETWORK, project)
        return message.build(key or speaker, speaker.address, seq, START_S * 1000 + seq, data, aad)

    def group(
        self,
        count: int = 4,
        project: int = 1,
        gateway: Key = GATEWAY,
        messages: Sequence[bytes] | None = None,
        block: int = IDENTITY_BLOCK,
        first: int | None = None,
    ) -> Group:
        if messages is None:
            messages = [self.message(project, i % self.per_project) for i in range(count)]
        lane = (gateway.address, project)
        at = self.positions.get(lane, 1) if first is None else first
        self.positions[lane] = at + len(messages)
        return signed_group(gateway, project, at, messages, block)


def signed_group(
    gateway: Key, project: int, first: int, messages: Sequence[bytes], block: int = IDENTITY_BLOCK
) -> Group:
    """Sign a group over whatever the messages are, as a gateway (honest or not) can."""
    header = GroupHeader(
        NETWORK, project, gateway.address, first, len(messages), block, block + 100, bytes(32)
    )
    aad = message.external_aad(NETWORK, project)
    ids: list[bytes] = []
    for raw in messages:
        try:
            ids.append(message.message_id(message.parse(raw), aad))
        except Rejected:
            ids.append(bytes(32))
    header = replace(header, root=merkle.root(group_leaves(header, ids)))
    return Group(header, gateway.sign_recoverable(header.digest()), tuple(messages))


def sealed(
    world: World,
    bodies: Sequence[SegmentBody],
    before: BatchHeader | None = None,
    signer: Key = SEQUENCER,
    code: Code = CODE,
    **over: Any,
) -> Batched:
    """Seal bodies as an honest sequencer does, then put `over` into the header before signing
    it.
    """
    segments: list[Segment] = []
    for body in bodies:
        rules = world.rules(body.project)
        checked = check_segment(body, GATEWAYS, rules, world.history)
        root = 0 if rules.tree is None else world.field_root(checked.readings, rules.tree)
        segments.append(checked.segment(root))
    return resealed(segments, encode_body(bodies), before, signer, code, **over)


def resealed(
    segments: Sequence[Segment],
    body: bytes,
    before: BatchHeader | None = None,
    signer: Key = SEQUENCER,
    code: Code = CODE,
    **over: Any,
) -> Batched:
    """Sign a header over any segments and body."""
    header = BatchHeader(
        NETWORK,
        before.number + 1 if before else 1,
        before.hash() if before else NETWORK,
        segments_root(segments),
        code.encode(body).data_root,
        len(body),
        before.time + 1 if before else START_S,
    )
    header = replace(header, **over)
    signature = signer.sign_recoverable(header.sequence_digest())
    return Batched(header, signature, tuple(segments), body)


def chain(
    world: World, count: int, messages: int = 4, before: BatchHeader | None = None
) -> list[Batched]:
    """Seal a few honest batches that follow each other, a segment for each project."""
    found: list[Batched] = []
    for _ in range(count):
        bodies = [SegmentBody(p, (world.group(messages, p),)) for p in world.projects]
        found.append(sealed(world, bodies, found[-1].header if found else before))
    return found
