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
const BLOCK_SHIFT = 200n;
const BLOCK_MASK = (1n << 40n) - 1n;
const CALLBACK_BIT = 251n;

function messageForm(c) {
  return { ...agree(c.signed.device, unhex(c.message.device, 20), "the message names another device"), from: "the raw bytes" };
}

// What the bundle says of its network is held against the anchor by the steps that use it.
function sameNetwork(c) {
  agree(c.bundle.network.network_id, hex(c.network), "the bundle is of another network");
  agree(c.bundle.network.chain_id, c.anchor.chain_id, "the bundle is of another chain");
}

function sameMembers(c, role) {
  const [left, right] = [c.bundle.network[role], new Set(c.anchor[role])].map((members) => [...members].sort().join(", "));
  agree(left, right, `the bundle names other ${role} than the network's`);
}

function messageIdStep(c) {
  sameNetwork(c);
  const pair = agree(c.messageId, unhex(c.message.message_id, 32), "the bytes hash to another message id");
  if (c.bundle.subject.kind === "message") agree(c.messageId, c.bundle.subject.id, "the bundle is about another message");
  return { ...pair, from: "message.message_id" };
}

function keyHistory(c) {
  for (const history of c.bundle.histories) {
    agree(c.accumulator(history), unhex(history.accumulator, 32), `the key history of ${history.device} gives another accumulator`);
  }
  if (!c.bundle.l1) throw new Absent("nothing of it is proven on L1 yet");
  const { stateRoot } = header(c.l1.block.header);
  for (const history of c.bundle.histories) {
    const slot = slotOf(place(c, "Devices.history"), [unhex(history.device, 20)]);
    const value = proven(c, stateRoot, "Devices", slot, `history(${history.device})`);
    agree(c.accumulator(history), value, `the registry holds another key history of ${history.device}`);
  }
  if (c.bundle.receipt && c.receipt.identity_block > c.l1.block.number) throw new Fault("the histories are proven at a block before the one they are judged at");
  const count = `${c.bundle.histories.length} accumulators`;
  return { computed: count, expected: count, from: `the registry's storage in block ${c.l1.block.number}` };
}

function deviceSignature(c) {
  const key = form.keyAt(c.history(c.signed.device), c.receipt.identity_block, c.message.project);
  checkSignature(key.public, c.messageId, c.signed.signature);
  return { computed: `signed by ${hex(addressOf(key.public))}`, expected: `key at block ${c.receipt.identity_block}`, from: "the key history" };
}

function receiptSignature(c) {
  sameMembers(c, "gateways");
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
  sameMembers(c, "gateways");
  const said = `${c.checked} messages in ${c.body.groups.length} groups`;
  return { computed: said, expected: said, from: "batch.body" };
}

function segmentRoot(c) {
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

function fieldRootStep(c) {
  if (!c.manifest) throw new Absent("the project's manifest comes with its first settled task");
  const { schema, capacity } = c.manifest;
  const readings = c.rows.map(({ message, group }) => {
    form.checkSchema(message.data, schema);
    const { index } = form.keyAt(c.history(message.device), group.identityBlock, group.project);
    return form.wordsOf(schema, index, message);
  });
  return { ...agree(fieldRoot(readings, capacity), c.segment.field_root, "the readings give another field root"), from: "batch.segments" };
}

function segmentsRoot(c) {
  const found = form.segmentsRoot(c.batch.segments);
  return { ...agree(found, unhex(c.batch.header.segments_root, 32), "the segments give another root"), from: "header.segments_root" };
}

function dataRoot(c) {
  const raw = unhex(c.batch.body);
  const { k, n } = c.batch.code;
  agree(`${k}/${n}`, `${c.anchor.data_chunks}/${2 * c.anchor.data_chunks}`, "the bundle names another code than the network's");
  agree(raw.length, c.batch.header.data_bytes, "the body has another length than the header says");
  const found = codedRoot(raw, c.anchor.data_chunks);
  return { ...agree(found, unhex(c.batch.header.data_root, 32), "the body's code has another root"), from: "header.data_root" };
}

function headerHash(c) {
  sameNetwork(c);
  agree(c.batch.header.network_id, hex(c.network), "the header is of another network");
  const found = form.headerHash(c.batch.header);
  return { ...agree(found, unhex(c.batch.hash, 32), "the header hashes to another value"), from: "batch.hash, held against L1 below" };
}

function sequencer(c) {
  agree(c.bundle.network.sequencer, c.anchor.sequencer, "the bundle names another sequencer than the network's");
  const signer = recover(form.sequenceDigest(form.headerHash(c.batch.header)), unhex(c.batch.sequencer_signature, 65));
  return { ...agree(signer, unhex(c.anchor.sequencer, 20), "not signed by the sequencer"), from: "genesis: sequencer" };
}

function attesters(c) {
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

// Recomputed from the parts, so that a claimed id is never what something else is bound to.
const programOf = (c) => c.once("program", () => form.programId(form.manifestHash(c.task.manifest), unhex(c.task.circuit_hash, 32), keyHash(c.task.verification_key)));
const taskOf = (c) =>
  c.once("task", () => form.taskId(c.network, unhex(c.anchor.contracts.BatchInbox, 20), c.batch.header.number, c.batch.segment_index, c.body.project, programOf(c)));

function program(c) {
  const t = c.task;
  agree(t.kind, "zk", "a proof kind that is not known here");
  agree(form.manifestHash(t.manifest), unhex(t.manifest_hash, 32), "the manifest hashes to another value");
  agree(keyHash(t.verification_key), unhex(t.vk_hash, 32), "the verification key hashes to another value");
  agree(programOf(c), unhex(t.program_id, 32), "manifest, circuit and key give another program id");
  agree(c.batch.header.number, t.batch, "the task is over another batch");
  agree(c.batch.segment_index, t.segment_index, "the task is over another segment");
  agree(c.body.project, t.project, "the task is of another project");
  const pair = agree(taskOf(c), unhex(t.task_id, 32), "the task is of another program or segment");
  if (c.bundle.subject.kind === "task") agree(taskOf(c), unhex(c.bundle.subject.id, 32), "the bundle is about another task");
  return { ...pair, from: "task.task_id" };
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
      task: taskOf(c),
      program: programOf(c),
      segmentRoot: root(c.leaves),
      fieldRoot: c.segment.field_root,
      count: c.rows.length,
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
  const task = taskOf(c);
  const units = c.task.outputs.slice(offset, offset + count);
  agree(units.length, count, "there are fewer outputs than devices to pay");
  agree(c.task.producer, c.task.result.producer, "another operator was paid");
  const found = root(units.map((n, i) => form.payLeaf(task, i, n)), payNode);
  return { ...agree(found, unhex(c.task.result.pay_root, 32), "the paid units give another root"), from: "result.pay_root, held against L1 below" };
}

function l1Block(c) {
  agree(c.bundle.network.genesis_hash, c.anchor.genesis_hash, "the bundle is of a chain with another first block");
  const found = header(c.l1.block.header);
  agree(found.height, c.l1.block.number, "the header is of another height");
  return { ...agree(found.hash, unhex(c.l1.block.hash, 32), "the header hashes to another value"), from: "the block hash you trust: compare it with a node of your own" };
}

function place(c, name) {
  const slot = c.anchor.layout[name];
  if (slot === undefined) throw new Absent(`this page does not know where ${name} is kept`);
  return slot;
}

// A slot's value, proven under the state root; what the bundle tells of it must be what is shown.
function proven(c, stateRoot, contract, slot, what) {
  const entry = c.l1.proofs.find((p) => p.contract === contract);
  if (!entry) throw new Fault(`the bundle has no storage proof of ${contract}`);
  agree(entry.address, c.anchor.contracts[contract], `the bundle proves another contract as ${contract}`);
  const found = c.once(`account ${contract}`, () => account(stateRoot, unhex(entry.address, 20), entry.account_proof.map((n) => unhex(n))));
  agree(found.codeHash, c.anchor.code_hashes[contract], `other code than the network's stands at ${contract}`);
  agree(found.codeHash, unhex(entry.code_hash, 32), `${contract} is told to have another code`);
  agree(found.storageRoot, unhex(entry.storage_hash, 32), `${contract} is told to have another storage`);
  agree(found.nonce, entry.nonce, `${contract} is told to have another nonce`);
  agree(found.balance, entry.balance, `${contract} is told to have another balance`);
  const row = entry.storage.find((s) => s.key === hex(slot));
  if (!row) throw new Fault(`the bundle does not prove ${what}`, "no proof", hex(slot));
  agree(row.what, what, `a slot of ${contract} is called by another name`);
  const value = slotValue(found.storageRoot, slot, row.proof.map((n) => unhex(n)));
  agree(value, unhex(row.value, 32), `${what} is told to be another value`);
  return value;
}

function checkDuty(c, value) {
  const duty = BigInt(hex(value));
  agree((duty >> 248n) & 7n, SETTLED, "the task is not settled on L1");
  agree(value.slice(12), unhex(c.task.producer, 20), "another operator stands as producer on L1");
  agree((duty >> BLOCK_SHIFT) & BLOCK_MASK, c.task.result.settled_block, "the task was settled in another block");
  agree((duty >> CALLBACK_BIT) & 1n, c.task.result.callback_ok ? 1 : 0, "L1 says otherwise of the call into the project's contract");
}

function expectedStorage(c) {
  const need = (name) => place(c, name);
  const found = c.bundle.histories.map((history) => {
    const slot = slotOf(need("Devices.history"), [unhex(history.device, 20)]);
    return ["Devices", slot, `history(${history.device})`, c.accumulator(history)];
  });
  if (c.bundle.batch) {
    const { number } = c.batch.header;
    const whole = form.headerHash(c.batch.header);
    const part = form.segmentHash(c.segment);
    const index = c.batch.segment_index;
    found.push(["BatchInbox", slotOf(need("BatchInbox.header_hash"), [number]), `header_hash(${number})`, whole]);
    found.push(["BatchInbox", slotOf(need("BatchInbox.segment_hash"), [number, index]), `segment_hash(${number},${index})`, part]);
  }
  if (c.bundle.task) {
    const task = taskOf(c);
    const at = (member) => slotOf(need("Settlement.tasks"), [task], TASK_MEMBERS[member]);
    const name = (member) => `result(${hex(task)}).${member}`;
    found.push(["Settlement", at("outputs_hash"), name("outputs_hash"), form.outputsHash(c.task.outputs)]);
    found.push(["Settlement", at("pay_root"), name("pay_root"), unhex(c.task.result.pay_root, 32)]);
    found.push(["Settlement", at("producer"), name("producer"), null]);
  }
  return found;
}

function l1Storage(c) {
  const { stateRoot } = header(c.l1.block.header);
  sameNetwork(c);
  for (const [name, address] of Object.entries(c.bundle.network.contracts)) {
    agree(address, c.anchor.contracts[name], `the bundle names another contract ${name}`);
  }
  let count = 0;
  for (const [contract, slot, what, wanted] of expectedStorage(c)) {
    const value = proven(c, stateRoot, contract, slot, what);
    if (wanted) agree(wanted, value, `${contract} holds another value of ${what}`);
    else checkDuty(c, value);
    count++;
  }
  const said = `${count} slots`;
  return { computed: said, expected: said, from: `state root ${hex(stateRoot)}` };
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
