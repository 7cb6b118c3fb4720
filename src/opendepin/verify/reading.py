"""Read a bundle file: form, limits, and the parts that its subject needs; never truth.

In: a file's bytes. Out: a `Bundle`, or a `BundleRejected`. Promise: whatever was read can be hashed
in every form that the steps need, and nothing that binds the subject is left out.
"""

from __future__ import annotations

import msgspec

from opendepin.core.errors import DepinError
from opendepin.core.limits import MAX_ATTESTERS, MAX_BODY_BYTES, MAX_SEGMENTS_PER_BATCH
from opendepin.core.scalars import special
from opendepin.verify.errors import BundleRejected
from opendepin.verify.form import L1, Batch, Bundle

FORM = "opendepin/bundle/1"
MAX_BUNDLE_BYTES = 64 << 20
"""Largest bundle file that is read."""

SUBJECT_BYTES = {"message": 32, "device": 20, "task": 32}
"""Kind of a subject → length of its id."""


def read_bundle(data: bytes) -> Bundle:
    """Read a bundle file.

    Raises:
        BundleRejected: too large, not JSON, a part missing, of another form, or not the subject's.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleRejected(f"a bundle has at most {MAX_BUNDLE_BYTES} bytes, this has {len(data)}")
    try:
        bundle = msgspec.json.decode(data, type=Bundle, dec_hook=special)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, DepinError) as error:
        raise BundleRejected(f"not a bundle: {error}") from error
    if bundle.form != FORM:
        raise BundleRejected(f"this is of form {bundle.form[:80]!r}, here {FORM!r} is read")
    _check_subject(bundle)
    _check_lists(bundle)
    return bundle


def _check_subject(bundle: Bundle) -> None:
    """Demand the parts without which nothing in the bundle would be about its subject."""
    kind, of_message = bundle.subject.kind, bundle.subject.kind != "task"
    if SUBJECT_BYTES.get(kind) != len(bundle.subject.id):
        raise BundleRejected(f"a bundle is about a message, device or task, not {kind[:80]!r}")
    if (bundle.message is not None, bundle.receipt is not None) != (of_message, of_message):
        raise BundleRejected(f"the bundle of a {kind} has message and receipt, or neither")
    if bundle.task is not None and bundle.batch is None:
        raise BundleRejected("a task is over a batch, and the bundle holds none")


def _check_lists(bundle: Bundle) -> None:
    """Demand lists in their order, without doubles, and of bounded length."""
    devices = [bytes(history.device) for history in bundle.histories]
    if devices != sorted(set(devices)):
        raise BundleRejected("key histories come by ascending device, each once")
    if bundle.batch is not None:
        _check_batch(bundle.batch)
    if bundle.l1 is not None:
        _check_l1(bundle.l1)


def _check_batch(batch: Batch) -> None:
    attesters = [bytes(each.attester) for each in batch.attestations]
    if attesters != sorted(set(attesters)) or len(attesters) > MAX_ATTESTERS:
        raise BundleRejected(
            f"attestations come by ascending attester, each once, at most {MAX_ATTESTERS}"
        )
    if not 1 <= len(batch.segments) <= MAX_SEGMENTS_PER_BATCH:
        raise BundleRejected(f"a batch has 1..{MAX_SEGMENTS_PER_BATCH} segments")
    if batch.segment_index >= len(batch.segments):
        raise BundleRejected(f"the batch has no segment {batch.segment_index}")
    if len(batch.body) > MAX_BODY_BYTES:
        raise BundleRejected(f"a batch body has at most {MAX_BODY_BYTES} bytes")


def _check_l1(l1: L1) -> None:
    contracts = [proof.contract for proof in l1.proofs]
    if len(set(contracts)) != len(contracts):
        raise BundleRejected("the proofs of a contract stand in one place")
    for proof in l1.proofs:
        keys = {bytes(slot.key) for slot in proof.storage}
        if len(keys) != len(proof.storage):
            raise BundleRejected(f"a slot of {proof.contract} is proven twice")
