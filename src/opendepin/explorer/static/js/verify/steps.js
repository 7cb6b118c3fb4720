// The steps of a trail (docs/spec/bundle.md), in order. Each takes the context and gives the values it compared, or
// throws why it does not hold. Nothing in the bundle is believed: a claim is only what a recomputed value is held against.

import { Absent, Fault, agree, hex, same, unhex } from "./bytes.js";
import { Context } from "./context.js";
import { addressOf, checkSignature, groth16Holds, keyHash, recover } from "./curves.js";
import * as form from "./forms.js";
import { codedRoot, payNode, root, rootOfPath } from "./merkle.js";
import { R, fieldRoot } from "./poseidon.js";
import { account, header, slotOf, slotValue } from "./state.js";

const TASK_MEMBERS = { producer: 4, outputs_hash: 6, pay_root: 7 };
const SETTLED = 3n;

function messageForm(c) {
  return { ...agree(c.signed.device, unhex(c.message.device, 20), "the message names another device"), from: "the raw bytes" };
}

function messageIdStep(c) {
  const pair = agree(c.messageId, unhex(c.message.message_id, 32), "the bytes hash to another message id");
  if (c.bundle.subject.kind === "message") agree(c.messageId, c.bundle.subject.id, "the bundle is about another message");
  return { ...pair, from: "message.message_id" };
}

function keyHistory(c) {
  for (const history of c.bundle.histories) {
    agree(c.accumulator(history), unhex(history.accumulator, 32), `the key history of ${history.device} gives another accumulator`);
  }
  const count = `${c.bundle.histories.length} accumulators`;
  return { computed: count, expected: count, from: "the registry, by the L1 storage step" };
}

function deviceSignature(c) {
  const key = form.keyAt(c.history(c.signed.device), c.receipt.identity_block, c.message.project);
  checkSignature(key.public, c.messageId, c.signed.signature);
  return { computed: `signed by ${hex(addressOf(key.public))}`, expected: `key at block ${c.receipt.identity_block}`, from: "the key history" };
}

function receiptSignature(c) {
  agree(c.receipt.network_id, hex(c.network), "the receipt is of another network");
  const group = c.receiptGroup;
  const signer = recover(form.groupDigest(group, c.network), group.signature);
  if (!c.anchor.gateways.includes(hex(signer)) || !same(signer, group.gateway)) {
    throw new Fault("not signed by a gateway of this network", hex(signer), c.anchor.gateways.join(", "));
  }
  return { computed: hex(signer), expected: hex(group.gateway), from: "genesis: gateways" };
}

function receiptPath(c) {
  const r = c.receipt;
  agree(c.messageId, r.message_id, "the receipt is of another message");
  agree(r.project, c.message.project, "the receipt is of another project");
  const start = form.leaf(r.position, r.identity_block, c.messageId);
  const reached = rootOfPath(start, r.position - r.first, r.count, r.path.map((p) => unhex(p, 32)));
  return { ...agree(reached, unhex(r.root, 32), "the path leads to another root"), from: "receipt.root" };
}

function body(c) {
  const said = `${c.checked} messages in ${c.body.groups.length} groups`;
  return { computed: said, expected: said, from: "batch.body" };
}

function segmentRoot(c) {
  const pair = agree(root(c.leaves), unhex(c.segment.root, 32), "the messages give another segment root");
  agree(c.rows.length, c.segment.count, "the segment has another number of messages");
  agree(JSON.stringify(form.rangesOf(c.body.groups)), JSON.stringify(plainRanges(c.segment)), "the groups cover other positions");
  agree(c.body.project, c.segment.project, "the segment is of another project");
  if (c.bundle.message) {
    const r = c.receipt;
    const stands = c.rows.some((row) => Number(row.position) === r.position && hex(row.group.gateway) === r.gateway && same(row.id, c.messageId));
    if (!stands) throw new Fault("the message does not stand in the segment where its receipt says");
  }
  return { ...pair, from: "batch.segments" };
}

const plainRanges = (segment) => segment.ranges.map(({ gateway, first, last, identity_first, identity_last }) => ({ gateway, first, last, identity_first, identity_last }));

function fieldRootStep(c) {
  if (!c.manifest) throw new Absent("the project's manifest comes with its first settled task");
  const key = BigInt(c.manifest.value_field);
  const readings = c.rows.map(({ message, group }) => {
    const { index } = form.keyAt(c.history(message.device), group.identityBlock, group.project);
    return [index, message.seq, message.data.get(1n), message.data.get(key)];
  });
  return { ...agree(fieldRoot(readings, c.manifest.capacity), c.segment.field_root, "the readings give another field root"), from: "batch.segments" };
}

function segmentsRoot(c) {
  const found = form.segmentsRoot(c.batch.segments);
  return { ...agree(found, unhex(c.batch.header.segments_root, 32), "the segments give another root"), from: "header.segments_root" };
}

function dataRoot(c) {
  const raw = unhex(c.batch.body);
  agree(raw.length, c.batch.header.data_bytes, "the body has another length than the header says");
  const found = codedRoot(raw, c.batch.code.k);
  return { ...agree(found, unhex(c.batch.header.data_root, 32), "the body's code has another root"), from: "header.data_root" };
}

function headerHash(c) {
  agree(c.batch.header.network_id, hex(c.network), "the header is of another network");
  const found = form.headerHash(c.batch.header);
  return { ...agree(found, unhex(c.batch.hash, 32), "the header hashes to another value"), from: "batch.hash, held against L1 below" };
}

function sequencer(c) {
  const signer = recover(form.sequenceDigest(form.headerHash(c.batch.header)), unhex(c.batch.sequencer_signature, 65));
  return { ...agree(signer, unhex(c.anchor.sequencer, 20), "not signed by the sequencer"), from: "genesis: sequencer" };
}

function attesters(c) {
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

function program(c) {
  const t = c.task;
  agree(form.manifestHash(t.manifest), unhex(t.manifest_hash, 32), "the manifest hashes to another value");
  agree(keyHash(t.verification_key), unhex(t.vk_hash, 32), "the verification key hashes to another value");
  const program = form.programId(unhex(t.manifest_hash, 32), unhex(t.circuit_hash, 32), unhex(t.vk_hash, 32));
  agree(program, unhex(t.program_id, 32), "manifest, circuit and key give another program id");
  const inbox = unhex(c.anchor.contracts.BatchInbox, 20);
  const task = form.taskId(c.network, inbox, c.batch.header.number, c.batch.segment_index, c.segment.project, program);
  return { ...agree(task, unhex(t.task_id, 32), "the task is of another program or segment"), from: "task.task_id" };
}

function outputs(c) {
  const values = c.task.outputs.map(BigInt);
  if (values.some((v) => v < 0n || v >= R)) throw new Fault("an output is not below the field's modulus");
  const { pay_offset: offset, pay_count: count } = c.task.manifest;
  if (values.length < offset + count) throw new Fault("there are fewer outputs than the manifest pays for", String(values.length), String(offset + count));
  const found = form.outputsHash(values);
  agree(found, unhex(c.task.outputs_hash, 32), "the outputs hash to another value");
  return { ...agree(found, unhex(c.task.result.outputs_hash, 32), "the result is of other outputs"), from: "result.outputs_hash, held against L1 below" };
}

function recomputedStatement(c) {
  return c.once("statement", () => {
    const t = c.task;
    return form.statement({
      network: c.network,
      settlement: unhex(c.anchor.contracts.Settlement, 20),
      task: unhex(t.task_id, 32),
      program: unhex(t.program_id, 32),
      segmentRoot: unhex(c.segment.root, 32),
      fieldRoot: c.segment.field_root,
      count: c.segment.count,
      outputsHash: form.outputsHash(t.outputs),
      producer: unhex(t.producer, 20),
    });
  });
}

function evaluationAt(values, point) {
  return values.map(BigInt).reduceRight((sum, value) => ((sum + value) * point) % R, 0n);
}

function statement(c) {
  const found = recomputedStatement(c);
  const pair = agree(found, c.task.statement, "the parts give another statement");
  agree(evaluationAt(c.task.outputs, found), c.task.evaluation, "the outputs give another evaluation");
  return { ...pair, from: "task.statement" };
}

function proof(c) {
  const point = recomputedStatement(c);
  const inputs = [point, evaluationAt(c.task.outputs, point), BigInt(c.segment.field_root)];
  if (!groth16Holds(c.task.verification_key, unhex(c.task.proof, 256), inputs)) throw new Fault("the pairing equation does not hold for this statement", "not 1", "1");
  return { computed: "1", expected: "1", from: "e(A,B) = e(α,β)·e(x,γ)·e(C,δ)" };
}

function payRoot(c) {
  const { pay_offset: offset, pay_count: count } = c.task.manifest;
  const task = unhex(c.task.task_id, 32);
  const units = c.task.outputs.slice(offset, offset + count);
  const found = root(units.map((n, i) => form.payLeaf(task, i, n)), payNode);
  return { ...agree(found, unhex(c.task.result.pay_root, 32), "the paid units give another root"), from: "result.pay_root, held against L1 below" };
}

function l1Block(c) {
  const found = header(c.l1.block.header);
  agree(found.height, c.l1.block.number, "the header is of another height");
  return { ...agree(found.hash, unhex(c.l1.block.hash, 32), "the header hashes to another value"), from: "the block hash you trust: compare it with a node of your own" };
}

function expectedStorage(c) {
  const layout = c.anchor.layout;
  const need = (name) => {
    if (layout[name] === undefined) throw new Absent(`this page does not know where ${name} is kept`);
    return layout[name];
  };
  const found = [];
  for (const history of c.bundle.histories) {
    const slot = slotOf(need("Devices.history"), [unhex(history.device, 20)]);
    found.push(["Devices", slot, `history of ${history.device}`, (v) => same(v, c.accumulator(history)), () => hex(c.accumulator(history))]);
  }
  if (c.bundle.batch) {
    const { number } = c.batch.header;
    const whole = form.headerHash(c.batch.header);
    const part = form.segmentHash(c.segment);
    found.push(["BatchInbox", slotOf(need("BatchInbox.header_hash"), [number]), `header hash of batch ${number}`, (v) => same(v, whole), () => hex(whole)]);
    found.push(["BatchInbox", slotOf(need("BatchInbox.segment_hash"), [number, c.batch.segment_index]), `segment hash of batch ${number}`, (v) => same(v, part), () => hex(part)]);
  }
  if (c.bundle.task) {
    const t = c.task;
    const at = (member) => slotOf(need("Settlement.tasks"), [unhex(t.task_id, 32)], TASK_MEMBERS[member]);
    const digest = form.outputsHash(t.outputs);
    const pay = unhex(t.result.pay_root, 32);
    const producer = unhex(t.producer, 20);
    const settled = (v) => ((BigInt(hex(v)) >> 248n) & 7n) === SETTLED && same(v.slice(12), producer);
    found.push(["Settlement", at("outputs_hash"), "outputs hash of the result", (v) => same(v, digest), () => hex(digest)]);
    found.push(["Settlement", at("pay_root"), "pay root of the result", (v) => same(v, pay), () => hex(pay)]);
    found.push(["Settlement", at("producer"), "producer, settled", settled, () => `settled by ${hex(producer)}`]);
  }
  return found;
}

function l1Storage(c) {
  const { stateRoot } = header(c.l1.block.header);
  const roots = new Map();
  let proven = 0;
  for (const [contract, slot, what, holds, wanted] of expectedStorage(c)) {
    const entry = c.l1.proofs.find((p) => p.contract === contract);
    if (!entry) throw new Fault(`the bundle has no storage proof of ${contract}`);
    if (!roots.has(contract)) {
      const nodes = entry.account_proof.map((n) => unhex(n));
      roots.set(contract, account(stateRoot, unhex(c.anchor.contracts[contract], 20), nodes).storageRoot);
    }
    const row = entry.storage.find((s) => s.key === hex(slot));
    if (!row) throw new Fault(`the bundle does not prove the ${what}`, "no proof", hex(slot));
    const value = slotValue(roots.get(contract), slot, row.proof.map((n) => unhex(n)));
    if (!holds(value)) throw new Fault(`${contract} holds another ${what}`, wanted(), hex(value));
    proven++;
  }
  const count = `${proven} slots`;
  return { computed: count, expected: count, from: `state root ${hex(stateRoot)}` };
}

export const STEPS = [
  ["message-form", "The message has the one canonical form", messageForm],
  ["message-id", "Its id is the hash of what was signed for this network and project", messageIdStep],
  ["key-history", "Each device's key history gives the registry's accumulator", keyHistory],
  ["device-signature", "The device's key at that time signed it", deviceSignature],
  ["receipt-signature", "A gateway of the network signed the receipt", receiptSignature],
  ["receipt-path", "The message stands where the receipt says", receiptPath],
  ["body", "Every message beside it is well formed, known and signed", body],
  ["segment-root", "The message is in the segment", segmentRoot],
  ["field-root", "The proof system's root commits to the same readings", fieldRootStep],
  ["segments-root", "The segment is in the batch", segmentsRoot],
  ["data-root", "The stored chunks are the code of this batch", dataRoot],
  ["header-hash", "The batch header commits to all of it", headerHash],
  ["sequencer", "The sequencer signed the order", sequencer],
  ["attesters", "Enough stores recomputed and attested it", attesters],
  ["program", "The task is this program over this segment", program],
  ["outputs", "The outputs are those of the settled result", outputs],
  ["statement", "The statement binds network, task, program, data, outputs and producer", statement],
  ["proof", "The zero-knowledge proof verifies", proof],
  ["pay-root", "Devices are paid by these outputs", payRoot],
  ["l1-block", "The L1 block is the one with this hash", l1Block],
  ["l1-storage", "Contracts hold the same hashes in that block's state", l1Storage],
];

// Run every step, whatever became of the ones before; `told` hears of each as it ends.
export async function verify(bundle, anchor, told = () => {}) {
  const context = new Context(bundle, anchor);
  const report = [];
  for (const [name, meaning, check] of STEPS) {
    await new Promise((done) => setTimeout(done));
    const begun = performance.now();
    let found;
    try {
      found = { outcome: "holds", ...check(context) };
    } catch (error) {
      if (error instanceof Absent) found = { outcome: "absent", why: error.message };
      else found = { outcome: "fails", why: error.message, computed: error.computed ?? "", expected: error.expected ?? "" };
    }
    const step = { name, meaning, ...found, ms: performance.now() - begun };
    report.push(step);
    told(step, report.length);
  }
  return report;
}
