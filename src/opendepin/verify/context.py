"""What the steps share: bundle, anchor, and values that several steps need, computed once."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module

from opendepin.core import message
from opendepin.core.batch import SegmentBody, decode_body
from opendepin.core.errors import Rejected
from opendepin.core.group import Receipt
from opendepin.core.identity import KeyChange
from opendepin.core.journey import Signed
from opendepin.core.manifest import Manifest
from opendepin.core.readings import CheckedSegment, ProjectRules, check_segment
from opendepin.proofs.zk.rule import Rule
from opendepin.verify import form
from opendepin.verify.anchor import Anchor
from opendepin.verify.errors import StepFailed


class NotReached(Rejected):
    """The trail has not come as far as this step."""

    code = "absent"


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


class Context:
    """One check's working values; a part that is not in the bundle raises `NotReached`."""

    def __init__(self, bundle: form.Bundle, anchor: Anchor) -> None:
        self.bundle = bundle
        self.anchor = anchor

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

    @property
    def receipt(self) -> Receipt:
        """The gateway's receipt."""
        receipt = self.bundle.receipt_value()
        if receipt is None:
            raise NotReached("the subject is a whole task, not one message")
        return receipt

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
        """The groups of the subject's segment."""
        batch = self.batch
        segments = decode_body(bytes(batch.body), self.anchor.network_id)
        if len(segments) != len(batch.segments) or not 0 <= batch.segment_index < len(segments):
            raise StepFailed(
                "the body has another number of segments than the batch",
                computed=str(len(segments)),
                expected=str(len(batch.segments)),
            )
        return segments[batch.segment_index]

    @property
    def segment(self) -> form.SegmentForm:
        """The subject's segment, as claimed."""
        batch = self.batch
        if not 0 <= batch.segment_index < len(batch.segments):
            raise StepFailed(f"the batch has no segment {batch.segment_index}")
        return batch.segments[batch.segment_index]

    @cached_property
    def manifest(self) -> Manifest:
        """The project's manifest, as claimed; `program` holds it against the task id."""
        return self.task.manifest.value()

    @cached_property
    def checked(self) -> CheckedSegment:
        """Every message of the segment, checked."""
        rules = ProjectRules.of_manifest(self.manifest)
        return check_segment(self.body, self.anchor.gateways, rules, self.history)

    @cached_property
    def rule(self) -> Rule:
        """The rule that the manifest names, from the code installed here.

        Raises:
            NotReached: it is not installed, so that outputs cannot be recomputed.
        """
        module, _, name = self.manifest.compute.partition(":")
        if not module.startswith("opendepin.") or not name.isidentifier():
            raise NotReached(f"the rule {self.manifest.compute} is not one that ships here")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise NotReached(
                f"the rule {self.manifest.compute} is not installed: {error}"
            ) from error
        if not isinstance(found, Rule):
            raise NotReached(f"{self.manifest.compute} is no rule")
        return found
