// Steps from the device's signature to the attested batch header.

import { sameMembers, sameNetwork } from "./anchor.js";
import { Absent, Fault, agree, hex, same, unhex } from "./bytes.js";
import { addressOf, checkSignature, recover } from "./curves.js";
import * as form from "./forms.js";
import { codedRoot, root, rootOfPath } from "./merkle.js";
import { fieldRoot } from "./poseidon.js";

export function messageForm(c) {
  return { ...agree(c.signed.device, unhex(c.message.device, 20), "the message names another device"), from: "the raw bytes" };
}

export function messageIdStep(c) {
  sameNetwork(c);
  const pair = agree(c.messageId, unhex(c.message.message_id, 32), "the bytes hash to another message id");
  if (c.bundle.subject.kind === "message") agree(c.messageId, c.bundle.subject.id, "the bundle is about another message");
  return { ...pair, from: "message.message_id" };
}

export function deviceSignature(c) {
  const key = form.keyAt(c.history(c.signed.device), c.receipt.identity_block, c.message.project);
  checkSignature(key.public, c.messageId, c.signed.signature);
  return { computed: `signed by ${hex(addressOf(key.public))}`, expected: `key at block ${c.receipt.identity_block}`, from: "the key history" };
}

export function receiptSignature(c) {
  sameMembers(c, "gateways");
  agree(c.receipt.network_id, hex(c.network), "the receipt is of another network");
  const group = c.receiptGroup;
  const signer = recover(form.groupDigest(group, c.network), group.signature);
  if (!c.anchor.gateways.includes(hex(signer)) || !same(signer, group.gateway)) {
    throw new Fault("not signed by a gateway of this network", hex(signer), c.anchor.gateways.join(", "));
  }
  return { computed: hex(signer), expected: hex(group.gateway), from: "genesis: gateways" };
}

export function receiptPath(c) {
  const r = c.receipt;
  agree(c.messageId, r.message_id, "the receipt is of another message");
  agree(r.project, c.message.project, "the receipt is of another project");
  const start = form.leaf(r.position, r.identity_block, c.messageId);
  const reached = rootOfPath(start, r.position - r.first, r.count, r.path.map((p) => unhex(p, 32)));
  return { ...agree(reached, unhex(r.root, 32), "the path leads to another root"), from: "receipt.root" };
}

export function body(c) {
  sameMembers(c, "gateways");
  const said = `${c.checked} messages in ${c.body.groups.length} groups`;
  return { computed: said, expected: said, from: "batch.body" };
}

export function segmentRoot(c) {
  const pair = agree(root(c.leaves), unhex(c.segment.root, 32), "the messages give another segment root");
  agree(c.rows.length, c.segment.count, "the segment has another number of messages");
  agree(JSON.stringify(form.rangesOf(c.body.groups)), JSON.stringify(plainRanges(c.segment)), "the groups cover other positions");
  agree(c.body.project, c.segment.project, "the segment is of another project");
  if (c.bundle.message) standsAtReceipt(c);
  return { ...pair, from: "batch.segments" };
}

// The receipt's whole signed header stands in the body, and the message at its place there: a gateway that signed two
// headers for one position is caught here. Headers are equal when what is signed of them is.
function standsAtReceipt(c) {
  const receipt = hex(form.groupDigest(c.receiptGroup, unhex(c.receipt.network_id, 32)));
  const digests = c.body.groups.map((group) => hex(form.groupDigest(group, c.network)));
  const group = c.body.groups[digests.indexOf(receipt)];
  if (!group) throw new Fault("the group that the receipt is of does not stand in the segment", digests.join(", "), receipt);
  const row = c.rows.find((each) => each.group === group && each.position === BigInt(c.receipt.position));
  if (!row) throw new Fault("the receipt's group has no such position", String(c.receipt.position), `${group.first} and ${group.count - 1n} after it`);
  agree(row.id, c.messageId, "another message stands where the receipt says");
}

const plainRanges = (segment) => segment.ranges.map(({ gateway, first, last, identity_first, identity_last }) => ({ gateway, first, last, identity_first, identity_last }));

export function fieldRootStep(c) {
  if (!c.manifest) throw new Absent("the project's manifest comes with its first settled task");
  const key = BigInt(c.manifest.value_field);
  const readings = c.rows.map(({ message, group }) => {
    const { index } = form.keyAt(c.history(message.device), group.identityBlock, group.project);
    return [index, message.seq, message.data.get(1n), message.data.get(key)];
  });
  return { ...agree(fieldRoot(readings, c.manifest.capacity), c.segment.field_root, "the readings give another field root"), from: "batch.segments" };
}

export function segmentsRoot(c) {
  const found = form.segmentsRoot(c.batch.segments);
  return { ...agree(found, unhex(c.batch.header.segments_root, 32), "the segments give another root"), from: "header.segments_root" };
}

export function dataRoot(c) {
  const raw = unhex(c.batch.body);
  const { k, n } = c.batch.code;
  agree(`${k}/${n}`, `${c.anchor.data_chunks}/${2 * c.anchor.data_chunks}`, "the bundle names another code than the network's");
  agree(raw.length, c.batch.header.data_bytes, "the body has another length than the header says");
  const found = codedRoot(raw, c.anchor.data_chunks);
  return { ...agree(found, unhex(c.batch.header.data_root, 32), "the body's code has another root"), from: "header.data_root" };
}

export function headerHash(c) {
  sameNetwork(c);
  agree(c.batch.header.network_id, hex(c.network), "the header is of another network");
  const found = form.headerHash(c.batch.header);
  return { ...agree(found, unhex(c.batch.hash, 32), "the header hashes to another value"), from: "batch.hash, held against L1 below" };
}

export function sequencer(c) {
  agree(c.bundle.network.sequencer, c.anchor.sequencer, "the bundle names another sequencer than the network's");
  const signer = recover(form.sequenceDigest(form.headerHash(c.batch.header)), unhex(c.batch.sequencer_signature, 65));
  return { ...agree(signer, unhex(c.anchor.sequencer, 20), "not signed by the sequencer"), from: "genesis: sequencer" };
}

export function attesters(c) {
  sameMembers(c, "attesters");
  agree(c.bundle.network.threshold, c.anchor.threshold, "the bundle names another threshold");
  const digest = form.attestDigest(form.headerHash(c.batch.header));
  const signers = new Set();
  for (const { attester, signature } of c.batch.attestations) {
    const signer = hex(recover(digest, unhex(signature, 65)));
    if (signer !== attester) throw new Fault("a signature is not that of the attester it is said to be of", signer, attester);
    if (!c.anchor.attesters.includes(signer)) throw new Fault("a signature is of no attester of this network", signer, c.anchor.attesters.join(", "));
    signers.add(signer);
  }
  if (signers.size < c.anchor.threshold) throw new Fault("too few attesters", String(signers.size), String(c.anchor.threshold));
  const members = c.anchor.attesters.length;
  return { computed: `${signers.size} of ${members}`, expected: `${c.anchor.threshold} of ${members} at least`, from: "genesis: attesters" };
}
