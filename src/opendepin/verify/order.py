"""Steps from the device's signature to the attested batch header."""

from __future__ import annotations

from collections.abc import Callable

from opendepin.core import chunks, keys, message
from opendepin.core.batch import segments_root
from opendepin.core.group import check_group_signature
from opendepin.core.identity import accumulate, key_at
from opendepin.core.poseidon import field_leaf, field_root, field_tree_root
from opendepin.proofs.zk.rule import lanes
from opendepin.verify.context import Context, NotReached, agree, text
from opendepin.verify.errors import StepFailed
from opendepin.verify.steps import Found


def message_form(c: Context) -> Found:
    """Parse the message; compare the device it names."""
    signed = c.signed
    pair = agree(signed.device, bytes(c.message.device), "the message names another device")
    return Found(*pair, "message.raw")


def message_id(c: Context) -> Found:
    """Hash what was signed, for this network and project."""
    expected = bytes(c.message.message_id)
    pair = agree(c.message_id, expected, "the bytes hash to another message id")
    if c.bundle.subject.kind == "message":
        agree(c.message_id, c.bundle.subject.id, "the bundle is about another message")
    return Found(*pair, "message.message_id")


def key_history(c: Context) -> Found:
    """Fold every device's history."""
    for history in c.bundle.histories:
        found = accumulate(c.history(bytes(history.device)))
        why = f"the key history of {text(bytes(history.device))} gives another accumulator"
        agree(found, bytes(history.accumulator), why)
    if not c.bundle.histories:
        raise NotReached("no device speaks here")
    count = f"{len(c.bundle.histories)} accumulators"
    return Found(count, count, "histories; held against L1 by l1-storage")


def device_signature(c: Context) -> Found:
    """Check the device's signature under its key at the identity block."""
    block = c.receipt.header.identity_block
    state = key_at(c.history(c.signed.device), block, c.message.project)
    message.verify(c.signed, c.message_id, state.public)
    key = text(keys.address_of(state.public))
    return Found(f"signed by {key}", f"key at block {block}", "key history")


def receipt_signature(c: Context) -> Found:
    """Recover who signed the receipt's group header."""
    header = c.receipt.header
    agree(header.network_id, c.anchor.network_id, "the receipt is of another network")
    signer = keys.recover(header.digest(), c.receipt.signature)
    if signer not in c.anchor.gateways or signer != header.gateway:
        gateways = ", ".join(text(each) for each in sorted(c.anchor.gateways))
        raise StepFailed(
            "not signed by a gateway of this network", computed=text(signer), expected=gateways
        )
    return Found(text(signer), text(header.gateway), "genesis: gateways")


def receipt_path(c: Context) -> Found:
    """Walk the receipt's path from the recomputed message id."""
    receipt = c.receipt
    agree(c.message_id, receipt.message_id, "the receipt is of another message")
    agree(receipt.header.project, c.message.project, "the receipt is of another project")
    receipt.check(receipt.header.gateway)
    return Found(text(receipt.header.root), text(receipt.header.root), "receipt.root")


def body(c: Context) -> Found:
    """Check every message and group of the segment."""
    checked = c.checked
    for group in c.body.groups:
        check_group_signature(group.header, group.signature, group.header.gateway)
    said = f"{len(checked.messages)} messages in {len(c.body.groups)} groups"
    return Found(said, said, "batch.body")


def segment_root(c: Context) -> Found:
    """Recompute the segment's root, count and ranges; find the subject's message in it."""
    checked, claimed = c.checked, c.segment.value()
    pair = agree(checked.root, claimed.root, "the messages give another segment root")
    agree(c.body.count, claimed.count, "the segment has another number of messages")
    if c.body.ranges() != claimed.ranges or c.body.project != claimed.project:
        raise StepFailed(
            "the groups cover other positions or another project",
            computed=str(c.body.ranges()),
            expected=str(claimed.ranges),
        )
    if c.bundle.message is not None and not _stands_at_receipt(c):
        raise StepFailed("the message does not stand in the segment where its receipt says")
    return Found(*pair, "batch.segments")


def _stands_at_receipt(c: Context) -> bool:
    receipt = c.receipt
    positions = (
        (group.header.gateway, group.header.first + i)
        for group in c.body.groups
        for i in range(group.header.count)
    )
    wanted = (receipt.header.gateway, receipt.position)
    return any(
        at == wanted and each.message_id == c.message_id
        for at, each in zip(positions, c.checked.messages, strict=True)
    )


def field_root_step(c: Context) -> Found:
    """Recompute the Poseidon tree over the decoded readings."""
    depth = c.manifest.capacity.bit_length() - 1
    leaves = [field_leaf(*lanes(reading)) for reading in c.checked.readings]
    found = field_root(field_tree_root(leaves, depth), len(leaves))
    pair = agree(found, int(c.segment.field_root), "the readings give another field root")
    return Found(*pair, "batch.segments")


def segments_root_step(c: Context) -> Found:
    """Hash all segments of the batch."""
    found = segments_root([segment.value() for segment in c.batch.segments])
    expected = bytes(c.batch.header.segments_root)
    return Found(*agree(found, expected, "the segments give another root"), "header.segments_root")


def data_root(c: Context) -> Found:
    """Code the body anew and take its Merkle root."""
    raw, header = bytes(c.batch.body), c.batch.header
    agree(len(raw), header.data_bytes, "the body has another length than the header says")
    found = chunks.encode(raw, c.anchor.data_chunks).data_root
    pair = agree(found, bytes(header.data_root), "the body's code has another root")
    return Found(*pair, "header.data_root")


def header_hash(c: Context) -> Found:
    """Hash the batch header."""
    header = c.batch.header.value()
    agree(header.network_id, c.anchor.network_id, "the header is of another network")
    pair = agree(header.hash(), bytes(c.batch.hash), "the header hashes to another value")
    return Found(*pair, "batch.hash; held against L1 by l1-storage")


def sequencer(c: Context) -> Found:
    """Recover who signed the order."""
    digest = c.batch.header.value().sequence_digest()
    signer = keys.recover(digest, bytes(c.batch.sequencer_signature))
    pair = agree(signer, c.anchor.sequencer, "not signed by the sequencer")
    return Found(*pair, "genesis: sequencer")


def attesters(c: Context) -> Found:
    """Recover who attested; enough different members are needed, and nobody else counts."""
    digest = c.batch.header.value().attest_digest()
    signers = {keys.recover(digest, bytes(a.signature)) for a in c.batch.attestations}
    claimed = {bytes(a.attester) for a in c.batch.attestations}
    if signers != claimed or not signers <= c.anchor.attesters:
        raise StepFailed(
            "a signature is not that of the attester it is said to be of, or of no attester",
            computed=", ".join(text(each) for each in sorted(signers)),
            expected=", ".join(text(each) for each in sorted(c.anchor.attesters)),
        )
    if len(signers) < c.anchor.threshold:
        raise StepFailed(
            "too few attesters", computed=str(len(signers)), expected=str(c.anchor.threshold)
        )
    members = len(c.anchor.attesters)
    return Found(
        f"{len(signers)} of {members}", f"{c.anchor.threshold} of {members}", "genesis: attesters"
    )


CHECKS: dict[str, Callable[[Context], Found]] = {
    "message-form": message_form,
    "message-id": message_id,
    "key-history": key_history,
    "device-signature": device_signature,
    "receipt-signature": receipt_signature,
    "receipt-path": receipt_path,
    "body": body,
    "segment-root": segment_root,
    "field-root": field_root_step,
    "segments-root": segments_root_step,
    "data-root": data_root,
    "header-hash": header_hash,
    "sequencer": sequencer,
    "attesters": attesters,
}
