"""The stages of one message's way: Signed → Admitted → Batched → Published → Proven → Settled.

`Signed` stands in `message.py`. A station takes one stage and gives the next; a wrong order does
not type-check.
"""

from __future__ import annotations

from dataclasses import dataclass

from opendepin.core.batch import BatchHeader, Segment
from opendepin.core.group import Receipt
from opendepin.core.message import Signed

__all__ = ["Admitted", "Batched", "Proven", "Published", "Reading", "Settled", "Signed"]


@dataclass(frozen=True)
class Reading:
    """One decoded reading as a program sees it."""

    device_index: int
    seq: int
    observed_s: int
    values: tuple[int, ...]
    """Every field of the schema but `observed_s`, by ascending key, arrays flattened."""


@dataclass(frozen=True)
class Admitted:
    """A message that a gateway keeps durably and has given a receipt for."""

    message: Signed
    receipt: Receipt


@dataclass(frozen=True)
class Batched:
    """A sealed batch: signed header, segments, and the body it commits to."""

    header: BatchHeader
    signature: bytes
    """65 bytes by the sequencer over `header.sequence_digest()`."""
    segments: tuple[Segment, ...]
    body: bytes


@dataclass(frozen=True)
class Published:
    """A batch with enough attestations, accepted by the inbox contract."""

    header: BatchHeader
    signature: bytes
    segments: tuple[Segment, ...]
    attestations: tuple[bytes, ...]
    """65-byte signatures over `header.attest_digest()`, by ascending attester address."""
    inbox_block: int
    """L1 height of the transaction that the inbox accepted."""


@dataclass(frozen=True)
class Proven:
    """A task with its outputs and a proof of its statement."""

    task_id: bytes
    batch: int
    segment_index: int
    producer: bytes
    outputs: tuple[int, ...]
    kind: str
    """Proof kind, `zk` here."""
    proof: bytes


@dataclass(frozen=True)
class Settled:
    """A proven task whose state on L1 is final: paid, burned, delivered."""

    task_id: bytes
    outputs_hash: bytes
    pay_root: bytes
    transaction: bytes
    block: int
