"""Steps from the device's signature to the attested batch header."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opendepin.core import chunks, keys, merkle, message
from opendepin.core.batch import segments_root
from opendepin.core.field_tree import FieldTree
from opendepin.core.group import leaf
from opendepin.core.identity import key_at
from opendepin.core.layout import Layout
from opendepin.verify.context import Context, agree, text
from opendepin.verify.errors import StepFailed
from opendepin.verify.steps import Found


def message_form(c: Context) -> Found:
    """Parse the message; compare the device it names."""
    pair = agree(c.signed.device, bytes(c.message.device), "the message names another device")
    if c.bundle.subject.kind == "device":
        agree(c.signed.device, bytes(c.bundle.subject.id), "the bundle is about another device")
    return Found(*pair, "message.raw")


def message_id(c: Context) -> Found:
    """Hash what was signed, for this network and project."""
    same_network(c)
    expected = bytes(c.message.message_id)
    pair = agree(c.message_id, expected, "the bytes hash to another message id")
    if c.bundle.subject.kind == "message":
        agree(c.message_id, bytes(c.bundle.subject.id), "the bundle is about another message")
    return Found(*pair, "message.message_id")


def same_network(c: Context) -> None:
    """Hold the network that the bundle names against the anchor."""
    claimed, anchor = c.bundle.network, c.anchor
    agree(bytes(claimed.network_id), anchor.network_id, "the bundle is of another network")
    agree(claimed.chain_id, anchor.chain_id, "the bundle is of another chain")


def device_signature(c: Context) -> Found:
    """Check the device's signature under its key at the identity block."""
    block = c.receipt.header.identity_block
    state = key_at(c.history(c.signed.device), block, c.message.project)
    message.verify(c.signed, c.message_id, state.public)
    key = text(keys.address_of(state.public))
    return Found(f"signed by {key}", f"key at block {block}", "key history")


def receipt_signature(c: Context) -> Found:
    """Recover who signed the receipt's group header."""
    _same_members(c.bundle.network.gateways, c.anchor.gateways, "gateways")
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
    receipt, header = c.receipt, c.receipt.header
    agree(c.message_id, receipt.message_id, "the receipt is of another message")
    agree(header.project, c.message.project, "the receipt is of another project")
    start = leaf(receipt.position, header.identity_block, c.message_id)
    index = receipt.position - header.first
    found = merkle.root_of_path(start, index, header.count, receipt.path)
    pair = agree(found, header.root, "the path leads to another root")
    return Found(*pair, "receipt.root")


def body(c: Context) -> Found:
    """Check every message and group of the segment."""
    _same_members(c.bundle.network.gateways, c.anchor.gateways, "gateways")
    count = len(c.checked.messages)
    said = f"{count} messages in {len(c.body.groups)} groups"
    schema = "" if c.bundle.task is not None else "; without its schema, which a program brings"
    return Found(said, said, f"batch.body{schema}")


def segment_root(c: Context) -> Found:
    """Recompute the segment's root, count and ranges; find the subject's message in it."""
    claimed = c.segment.value()
    pair = agree(c.segment_root, claimed.root, "the messages give another segment root")
    agree(c.body.count, claimed.count, "the segment has another number of messages")
    agree(c.body.project, claimed.project, "the segment is of another project")
    agree(str(c.body.ranges()), str(claimed.ranges), "the groups cover other positions")
    if c.bundle.message is not None:
        _stands_at_receipt(c)
    return Found(*pair, "batch.segments")


def _stands_at_receipt(c: Context) -> None:
    """Demand the receipt's whole header in the body, and the message at its place there."""
    receipt, before = c.receipt, 0
    for group in c.body.groups:
        if group.header == receipt.header:
            at = receipt.position - group.header.first
            if not 0 <= at < group.header.count:
                break
            found = c.message_ids[before + at]
            agree(found, c.message_id, "another message stands where the receipt says")
            return
        before += group.header.count
    raise StepFailed("the group that the receipt is of does not stand in the segment")


def field_root_step(c: Context) -> Found:
    """Recompute the Poseidon tree over the decoded readings."""
    found = FieldTree(Layout.of(c.manifest.schema), c.manifest.capacity).root(c.checked.readings)
    pair = agree(found, int(c.segment.field_root), "the readings give another field root")
    return Found(*pair, "batch.segments")


def segments_root_step(c: Context) -> Found:
    """Hash all segments of the batch."""
    found = segments_root([segment.value() for segment in c.batch.segments])
    expected = bytes(c.batch.header.segments_root)
    return Found(*agree(found, expected, "the segments give another root"), "header.segments_root")


def data_root(c: Context) -> Found:
    """Code the body anew and take its Merkle root."""
    raw, header, code = bytes(c.batch.body), c.batch.header, c.batch.code
    agree(f"{code.k}/{code.n}", _code(c), "the bundle names another code than the network's")
    agree(len(raw), header.data_bytes, "the body has another length than the header says")
    found = chunks.encode(raw, c.anchor.data_chunks).data_root
    pair = agree(found, bytes(header.data_root), "the body's code has another root")
    return Found(*pair, "header.data_root")


def _code(c: Context) -> str:
    return f"{c.anchor.data_chunks}/{2 * c.anchor.data_chunks}"


def header_hash(c: Context) -> Found:
    """Hash the batch header."""
    same_network(c)
    header = c.batch.header.value()
    agree(header.network_id, c.anchor.network_id, "the header is of another network")
    pair = agree(header.hash(), bytes(c.batch.hash), "the header hashes to another value")
    return Found(*pair, "batch.hash; held against L1 by l1-storage")


def sequencer(c: Context) -> Found:
    """Recover who signed the order."""
    claimed = bytes(c.bundle.network.sequencer)
    agree(claimed, c.anchor.sequencer, "the bundle names another sequencer than the network's")
    digest = c.batch.header.value().sequence_digest()
    signer = keys.recover(digest, bytes(c.batch.sequencer_signature))
    pair = agree(signer, c.anchor.sequencer, "not signed by the sequencer")
    return Found(*pair, "genesis: sequencer")


def attesters(c: Context) -> Found:
    """Recover who attested; enough different members are needed, and nobody else counts."""
    _same_members(c.bundle.network.attesters, c.anchor.attesters, "attesters")
    needed, members = c.anchor.threshold, len(c.anchor.attesters)
    agree(c.bundle.network.threshold, needed, "the bundle names another threshold")
    digest = c.batch.header.value().attest_digest()
    for each in c.batch.attestations:
        signer, named = keys.recover(digest, bytes(each.signature)), bytes(each.attester)
        agree(signer, named, "an attestation is not signed by the attester it names")
        if signer not in c.anchor.attesters:
            allowed = ", ".join(text(member) for member in sorted(c.anchor.attesters))
            raise StepFailed("not an attester", computed=text(signer), expected=allowed)
    count = len({bytes(each.attester) for each in c.batch.attestations})
    if count < needed:
        raise StepFailed("too few attesters", computed=str(count), expected=str(needed))
    return Found(f"{count} of {members}", f"{needed} of {members}", "genesis: attesters")


def _same_members(claimed: Iterable[bytes], members: Iterable[bytes], role: str) -> None:
    """Hold the addresses that the bundle names for a role against the anchor's."""
    left = ", ".join(text(bytes(each)) for each in sorted(claimed))
    right = ", ".join(text(each) for each in sorted(members))
    agree(left, right, f"the bundle names other {role} than the network's")


CHECKS: dict[str, Callable[[Context], Found]] = {
    "message-form": message_form,
    "message-id": message_id,
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
