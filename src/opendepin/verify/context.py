"""What the steps share: bundle, anchor, and values that several steps need, computed once.

What stands here was recomputed, or says that it is a claim. A part that the bundle does not have
raises `NotReached`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from opendepin.core import merkle, message, statement
from opendepin.core.batch import SegmentBody, decode_body, segment_leaves
from opendepin.core.encodings import sha256
from opendepin.core.group import Receipt
from opendepin.core.identity import KeyChange
from opendepin.core.journey import Signed
from opendepin.core.manifest import Manifest
from opendepin.core.readings import CheckedSegment, ProjectRules, check_segment
from opendepin.core.schema import OBSERVED, Data, Field, Schema
from opendepin.proofs.errors import ProgramRejected
from opendepin.proofs.zk.keys import VerificationKey
from opendepin.proofs.zk.opening import open_program
from opendepin.proofs.zk.program import Program
from opendepin.verify import form
from opendepin.verify.anchor import Anchor
from opendepin.verify.errors import NotReached, StepFailed

ProgramSource = Callable[[bytes], bytes | None]
"""Gives a program's text by circuit hash, None where it is not here; the text is checked."""


def agree(computed: bytes | int | str, expected: bytes | int | str, why: str) -> tuple[str, str]:
    """Return both values as text when they are equal.

    Raises:
        StepFailed: they differ; `why` says what that means.
    """
    left, right = text(computed), text(expected)
    if left != right:
        raise StepFailed(why, computed=left, expected=right)
    return left, right


def text(value: bytes | int | str) -> str:
    """Write a value as the report shows it."""
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


class AnySchema(Schema):
    """Stands for a project's schema where no program says it: nothing is checked of the data."""

    def __init__(self) -> None:
        super().__init__((Field(OBSERVED, "observed_s", 0, 0),))

    def check(self, data: object) -> Data:
        """Take any data."""
        return {}


class Context:
    """One check's working values."""

    def __init__(
        self, bundle: form.Bundle, anchor: Anchor, programs: ProgramSource = lambda _: None
    ) -> None:
        self.bundle = bundle
        self.anchor = anchor
        self._programs = programs

    @property
    def message(self) -> form.Message:
        """The subject's message."""
        if self.bundle.message is None:
            raise NotReached("the subject is a whole task, not one message")
        return self.bundle.message

    @cached_property
    def signed(self) -> Signed:
        """The subject's message, parsed."""
        return message.parse(bytes(self.message.raw))

    @cached_property
    def message_id(self) -> bytes:
        """The id of the subject's message, recomputed."""
        aad = message.external_aad(self.anchor.network_id, self.message.project)
        return message.message_id(self.signed, aad)

    @cached_property
    def receipt(self) -> Receipt:
        """The gateway's receipt, as claimed."""
        if self.bundle.receipt is None:
            raise NotReached("the subject is a whole task, not one message")
        return self.bundle.receipt.value()

    @property
    def batch(self) -> form.Batch:
        """The batch that holds the subject."""
        if self.bundle.batch is None:
            raise NotReached("admitted, but not in a batch yet")
        return self.bundle.batch

    @property
    def task(self) -> form.Task:
        """The task over the segment."""
        if self.bundle.task is None:
            raise NotReached("no proof was settled over this segment yet")
        return self.bundle.task

    @cached_property
    def histories(self) -> dict[bytes, tuple[KeyChange, ...]]:
        """Device → key history, as claimed; `key-history` and `l1-storage` hold it against L1."""
        try:
            return {bytes(h.device): h.key_changes() for h in self.bundle.histories}
        except ValueError as error:
            raise StepFailed(f"a key history has an unknown status: {error}") from error

    def history(self, device: bytes) -> tuple[KeyChange, ...]:
        """Return a device's history, empty when the bundle has none."""
        return self.histories.get(device, ())

    @cached_property
    def body(self) -> SegmentBody:
        """The groups of the subject's segment, out of the batch body."""
        batch = self.batch
        segments = decode_body(bytes(batch.body), self.anchor.network_id)
        if len(segments) != len(batch.segments):
            raise StepFailed(
                "the body has another number of segments than the batch",
                computed=str(len(segments)),
                expected=str(len(batch.segments)),
            )
        return segments[batch.segment_index]

    @property
    def segment(self) -> form.SegmentForm:
        """The subject's segment, as claimed."""
        return self.batch.segments[self.batch.segment_index]

    @cached_property
    def message_ids(self) -> tuple[bytes, ...]:
        """The id of every message of the segment, recomputed, whoever signed it."""
        aad = message.external_aad(self.anchor.network_id, self.body.project)
        raws = (raw for group in self.body.groups for raw in group.messages)
        return tuple(message.message_id(message.parse(raw), aad) for raw in raws)

    @cached_property
    def segment_root(self) -> bytes:
        """Merkle root over the segment's messages, recomputed."""
        return merkle.root(segment_leaves(self.body, self.message_ids))

    @cached_property
    def manifest(self) -> Manifest:
        """The project's manifest, as claimed; `program` holds it against the task id."""
        return self.task.manifest.value()

    @cached_property
    def checked(self) -> CheckedSegment:
        """Every message of the segment, checked; its data only when the bundle has a manifest."""
        settled = self.bundle.task is not None
        rules = (
            ProjectRules.of_manifest(self.manifest)
            if settled
            else ProjectRules(AnySchema(), proven=False)
        )
        return check_segment(self.body, self.anchor.gateways, rules, self.history)

    @cached_property
    def verification_key(self) -> VerificationKey:
        """The Groth16 key, as claimed; `program` holds it against the task id."""
        return VerificationKey(self.task.verification_key.raw())

    @cached_property
    def program_id(self) -> bytes:
        """The program of the manifest, circuit and key in the bundle."""
        circuit = bytes(self.task.circuit_hash)
        return statement.program_id(self.manifest.hash(), circuit, self.verification_key.hash)

    @cached_property
    def task_id(self) -> bytes:
        """The task of that program over the subject's segment."""
        place = (self.batch.header.number, self.batch.segment_index, self.body.project)
        network, inbox = self.anchor.network_id, self.anchor.contracts["BatchInbox"]
        return statement.task_id(network, inbox, *place, self.program_id)

    @cached_property
    def program(self) -> Program | None:
        """The program of the task's circuit hash, opened; None where its text is not here."""
        circuit = bytes(self.task.circuit_hash)
        text = self._programs(circuit)
        if text is None:
            if not self.task.circuit:
                return None
            text = self.task.circuit.encode()
        if sha256(text) != circuit:
            raise StepFailed("the text that is here for the circuit has another hash")
        try:
            return open_program(text)
        except ProgramRejected as error:
            raise StepFailed(f"the task's program cannot be opened: {error}") from error
