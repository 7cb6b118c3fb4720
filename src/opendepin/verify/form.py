"""A bundle's JSON as typed values (`docs/spec/bundle.md`). Reading checks form, never truth.

What a bundle tells without a proof (`transaction`, `gas_used`) is not read at all.
"""

from __future__ import annotations

import msgspec

from opendepin.core.batch import BatchHeader, Range, Segment
from opendepin.core.group import GroupHeader, Receipt
from opendepin.core.identity import KeyChange, Status
from opendepin.core.manifest_form import ManifestForm
from opendepin.core.scalars import (
    Address,
    Decimal,
    Hash,
    Hex,
    PublicKey,
    Signature,
    Text,
    Uint,
    Uint8,
    Uint32,
)


class Subject(msgspec.Struct, frozen=True):
    """What the bundle is about."""

    kind: Text
    id: Hex


class NetworkForm(msgspec.Struct, frozen=True):
    """The network that the bundle says it is of."""

    network_id: Hash
    chain_id: Uint
    genesis_hash: Hash
    contracts: dict[str, Address]
    sequencer: Address
    attesters: list[Address]
    threshold: Uint
    gateways: list[Address]


class Message(msgspec.Struct, frozen=True):
    """The subject's message."""

    raw: Hex
    message_id: Hash
    project: Uint
    device: Address


class ReceiptForm(msgspec.Struct, frozen=True):
    """The gateway's receipt."""

    network_id: Hash
    project: Uint
    gateway: Address
    first: Uint
    count: Uint32
    identity_block: Uint
    include_by_block: Uint
    root: Hash
    signature: Signature
    position: Uint
    message_id: Hash
    path: list[Hash]

    def value(self) -> Receipt:
        """Return the core value."""
        header = GroupHeader(
            bytes(self.network_id),
            self.project,
            bytes(self.gateway),
            self.first,
            self.count,
            self.identity_block,
            self.include_by_block,
            bytes(self.root),
        )
        where = self.position, bytes(self.message_id)
        return Receipt(
            header, bytes(self.signature), *where, tuple(bytes(step) for step in self.path)
        )


class Change(msgspec.Struct, frozen=True):
    """One entry of a key history."""

    status: Uint8
    project: Uint
    index: Uint32
    public: PublicKey
    from_block: Uint


class History(msgspec.Struct, frozen=True):
    """A device's whole key history."""

    device: Address
    accumulator: Hash
    changes: list[Change]

    def key_changes(self) -> tuple[KeyChange, ...]:
        """Return the entries as core values.

        Raises:
            ValueError: a status that is none.
        """
        device = bytes(self.device)
        return tuple(
            KeyChange(device, Status(c.status), c.project, c.index, bytes(c.public), c.from_block)
            for c in self.changes
        )


class Header(msgspec.Struct, frozen=True):
    """A batch header."""

    network_id: Hash
    number: Uint
    parent: Hash
    segments_root: Hash
    data_root: Hash
    data_bytes: Uint
    time: Uint

    def value(self) -> BatchHeader:
        """Return the core value."""
        return BatchHeader(
            bytes(self.network_id),
            self.number,
            bytes(self.parent),
            bytes(self.segments_root),
            bytes(self.data_root),
            self.data_bytes,
            self.time,
        )


class RangeForm(msgspec.Struct, frozen=True):
    """Positions of one gateway in a segment."""

    gateway: Address
    first: Uint
    last: Uint
    identity_first: Uint
    identity_last: Uint


class SegmentForm(msgspec.Struct, frozen=True):
    """A segment as the L1 sees it."""

    project: Uint
    root: Hash
    field_root: Decimal
    count: Uint32
    ranges: list[RangeForm]

    def value(self) -> Segment:
        """Return the core value."""
        ranges = tuple(
            Range(bytes(r.gateway), r.first, r.last, r.identity_first, r.identity_last)
            for r in self.ranges
        )
        return Segment(self.project, bytes(self.root), int(self.field_root), self.count, ranges)


class Attestation(msgspec.Struct, frozen=True):
    """One store's signature."""

    attester: Address
    signature: Signature


class Code(msgspec.Struct, frozen=True):
    """Shape of the Reed–Solomon code."""

    k: Uint
    n: Uint


class Batch(msgspec.Struct, frozen=True):
    """The batch that holds the subject."""

    header: Header
    hash: Hash
    sequencer_signature: Signature
    attestations: list[Attestation]
    inbox_block: Uint
    code: Code
    segments: list[SegmentForm]
    segment_index: Uint
    body: Hex


G1 = tuple[Decimal, Decimal]
G2 = tuple[tuple[Decimal, Decimal], tuple[Decimal, Decimal]]


class VerificationKeyForm(msgspec.Struct, frozen=True):
    """A Groth16 verification key; G2 coordinates as (c0, c1) of c0 + c1·u."""

    alpha: G1
    beta: G2
    gamma: G2
    delta: G2
    ic: list[G1]
    development: bool

    def raw(self) -> bytes:
        """Return the key's bytes as `proofs.zk.keys` reads them: EIP-197 words."""
        words: list[int] = [*self.alpha]
        for (x0, x1), (y0, y1) in (self.beta, self.gamma, self.delta):
            words += [x1, x0, y1, y0]
        for point in self.ic:
            words += point
        return b"".join(word.to_bytes(32, "big") for word in words)


class Result(msgspec.Struct, frozen=True):
    """What the settlement contract holds of a settled task."""

    outputs_hash: Hash
    pay_root: Hash
    producer: Address
    settled_block: Uint
    callback_ok: bool


class DrawMember(msgspec.Struct, frozen=True):
    """An operator of a snapshot."""

    operator: Address
    weight: Decimal


class Draw(msgspec.Struct, frozen=True):
    """What the task's last draw is recomputed from."""

    version: Uint
    opened_block: Uint
    seed: Hash
    attempt: Uint
    members: list[DrawMember]


class Task(msgspec.Struct, frozen=True):
    """The task over the segment, with its proof."""

    task_id: Hash
    project: Uint
    batch: Uint
    segment_index: Uint
    kind: Text
    manifest: ManifestForm
    manifest_hash: Hash
    circuit_hash: Hash
    vk_hash: Hash
    program_id: Hash
    producer: Address
    outputs: list[Decimal]
    outputs_hash: Hash
    statement: Decimal
    evaluation: Decimal
    proof: Hex
    verification_key: VerificationKeyForm
    result: Result
    draw: Draw | None = None
    """Left out only where nothing is proven on L1; step `drawn` fails without it."""
    circuit: str = ""
    """The program's text, which an exported file carries; its hash is `circuit_hash`."""


class SlotForm(msgspec.Struct, frozen=True):
    """One storage slot with its proof."""

    what: Text
    key: Hash
    value: Hash
    proof: list[Hex]


class ContractForm(msgspec.Struct, frozen=True):
    """Slots of one contract with the account's proof."""

    contract: Text
    address: Address
    nonce: Uint
    balance: Decimal
    storage_hash: Hash
    code_hash: Hash
    account_proof: list[Hex]
    storage: list[SlotForm]


class Block(msgspec.Struct, frozen=True):
    """One L1 block header."""

    number: Uint
    hash: Hash
    header: Hex


class L1(msgspec.Struct, frozen=True):
    """What is proven of L1's state."""

    block: Block
    proofs: list[ContractForm]


class Bundle(msgspec.Struct, frozen=True):
    """Everything between one subject and L1; claims, all of it."""

    form: str
    subject: Subject
    network: NetworkForm
    histories: list[History]
    labels: list[Text] = []
    message: Message | None = None
    receipt: ReceiptForm | None = None
    batch: Batch | None = None
    task: Task | None = None
    l1: L1 | None = None
