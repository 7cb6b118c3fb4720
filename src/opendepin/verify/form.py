"""A bundle's JSON as typed values (`docs/spec/bundle.md`). Reading checks form, never truth."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from opendepin.core.batch import BatchHeader, Range, Segment
from opendepin.core.encodings import from_hex
from opendepin.core.errors import DepinError
from opendepin.core.group import Receipt, receipt_of_json
from opendepin.core.identity import KeyChange, Status
from opendepin.core.manifest import Manifest
from opendepin.core.schema import Field, Schema
from opendepin.verify.errors import BundleRejected

FORM = "opendepin/bundle/1"
MAX_BUNDLE_BYTES = 64 << 20
"""Largest bundle file that is read."""

T = TypeVar("T")


class Hex(bytes):
    """Bytes that stand in JSON as lower-case 0x-hex."""


class Decimal(int):
    """An integer that stands in JSON as a decimal string."""


class Subject(msgspec.Struct, frozen=True):
    """What the bundle is about."""

    kind: str
    id: str


class Message(msgspec.Struct, frozen=True):
    """The subject's message."""

    raw: Hex
    message_id: Hex
    project: int
    device: Hex


class Change(msgspec.Struct, frozen=True):
    """One entry of a key history."""

    status: int
    project: int
    index: int
    public: Hex
    from_block: int


class History(msgspec.Struct, frozen=True):
    """A device's whole key history."""

    device: Hex
    accumulator: Hex
    changes: list[Change]

    def key_changes(self) -> tuple[KeyChange, ...]:
        """Return the entries as core values."""
        return tuple(
            KeyChange(
                bytes(self.device),
                Status(c.status),
                c.project,
                c.index,
                bytes(c.public),
                c.from_block,
            )
            for c in self.changes
        )


class Header(msgspec.Struct, frozen=True):
    """A batch header."""

    network_id: Hex
    number: int
    parent: Hex
    segments_root: Hex
    data_root: Hex
    data_bytes: int
    time: int

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

    gateway: Hex
    first: int
    last: int
    identity_first: int
    identity_last: int


class SegmentForm(msgspec.Struct, frozen=True):
    """A segment as the L1 sees it."""

    project: int
    root: Hex
    field_root: Decimal
    count: int
    ranges: list[RangeForm]

    def value(self) -> Segment:
        """Return the core value."""
        ranges = tuple(
            Range(bytes(r.gateway), r.first, r.last, r.identity_first, r.identity_last)
            for r in self.ranges
        )
        return Segment(self.project, bytes(self.root), self.field_root, self.count, ranges)


class Attestation(msgspec.Struct, frozen=True):
    """One store's signature."""

    attester: Hex
    signature: Hex


class Code(msgspec.Struct, frozen=True):
    """Shape of the Reed–Solomon code."""

    k: int
    n: int


class Batch(msgspec.Struct, frozen=True):
    """The batch that holds the subject."""

    header: Header
    hash: Hex
    sequencer_signature: Hex
    attestations: list[Attestation]
    inbox_block: int
    code: Code
    segments: list[SegmentForm]
    segment_index: int
    body: Hex


class ManifestForm(msgspec.Struct, frozen=True):
    """A project's manifest."""

    name: str
    version: str
    schema: list[tuple[int, str, int, int, str, int]]
    compute: str
    capacity: int
    value_field: int
    pay_offset: int
    pay_count: int

    def value(self) -> Manifest:
        """Return the core value."""
        fields = tuple(Field(k, name, lo, hi, unit, s) for k, name, lo, hi, unit, s in self.schema)
        head = (self.name, self.version, Schema(fields), self.compute, self.capacity)
        return Manifest(*head, self.value_field, self.pay_offset, self.pay_count)


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
        return b"".join((word % (1 << 256)).to_bytes(32, "big") for word in words)


class Result(msgspec.Struct, frozen=True):
    """What the settlement contract holds of a settled task."""

    outputs_hash: Hex
    pay_root: Hex
    producer: Hex
    settled_block: int
    callback_ok: bool


class Task(msgspec.Struct, frozen=True):
    """The task over the segment, with its proof."""

    task_id: Hex
    project: int
    batch: int
    segment_index: int
    kind: str
    manifest: ManifestForm
    manifest_hash: Hex
    circuit_hash: Hex
    vk_hash: Hex
    program_id: Hex
    producer: Hex
    outputs: list[Decimal]
    outputs_hash: Hex
    statement: Decimal
    evaluation: Decimal
    proof: Hex
    verification_key: VerificationKeyForm
    result: Result | None = None
    transaction: Hex | None = None
    gas_used: int | None = None


class SlotForm(msgspec.Struct, frozen=True):
    """One storage slot with its proof."""

    what: str
    key: Hex
    value: Hex
    proof: list[Hex]


class ContractForm(msgspec.Struct, frozen=True):
    """Slots of one contract with the account's proof."""

    contract: str
    address: Hex
    account_proof: list[Hex]
    storage: list[SlotForm]


class Block(msgspec.Struct, frozen=True):
    """One L1 block header."""

    number: int
    hash: Hex
    header: Hex


class L1(msgspec.Struct, frozen=True):
    """What is proven of L1's state."""

    block: Block
    proofs: list[ContractForm]


class NetworkForm(msgspec.Struct, frozen=True):
    """The network that the bundle says it is of."""

    network_id: Hex
    chain_id: int


class Bundle(msgspec.Struct, frozen=True):
    """Everything between one subject and L1; claims, all of it."""

    form: str
    subject: Subject
    network: NetworkForm
    histories: list[History]
    labels: list[str] = []
    message: Message | None = None
    receipt: dict[str, Any] | None = None
    batch: Batch | None = None
    task: Task | None = None
    l1: L1 | None = None

    def receipt_value(self) -> Receipt | None:
        """Return the receipt as a core value."""
        return None if self.receipt is None else receipt_of_json(self.receipt)


_DECIMAL = re.compile(r"0|[1-9][0-9]{0,79}")


def _special(kind: type[T], value: object) -> T:
    if kind is Hex and isinstance(value, str):
        return kind(from_hex(value))
    if kind is Decimal and isinstance(value, str) and _DECIMAL.fullmatch(value):
        return kind(value)
    raise ValueError(f"{str(value)[:60]!r} is not of the form of {kind.__name__}")


def read_bundle(data: bytes) -> Bundle:
    """Read a bundle file.

    Raises:
        BundleRejected: too large, not JSON, a part missing or of another form.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleRejected(f"a bundle has at most {MAX_BUNDLE_BYTES} bytes, this has {len(data)}")
    try:
        bundle = msgspec.json.decode(data, type=Bundle, dec_hook=_special)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, DepinError) as error:
        raise BundleRejected(f"not a bundle: {error}") from error
    if bundle.form != FORM:
        raise BundleRejected(f"this is of form {bundle.form!r}, here {FORM!r} is read")
    return bundle
