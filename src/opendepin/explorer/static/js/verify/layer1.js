// Steps that hold the recomputed hashes against Layer 1's state, under one trusted block hash.

import { sameNetwork } from "./anchor.js";
import { Absent, Fault, agree, hex, unhex } from "./bytes.js";
import * as form from "./forms.js";
import { taskOf } from "./outcome.js";
import { account, header, slotOf, slotValue } from "./state.js";

const TASK_MEMBERS = { producer: 4, outputs_hash: 6, pay_root: 7 };
const SETTLED = 3n;
const BLOCK_SHIFT = 200n;
const BLOCK_MASK = (1n << 40n) - 1n;
const CALLBACK_BIT = 251n;

export function keyHistory(c) {
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

export function l1Block(c) {
  agree(c.bundle.network.genesis_hash, c.anchor.genesis_hash, "the bundle is of a chain with another first block");
  const found = header(c.l1.block.header);
  agree(found.height, c.l1.block.number, "the header is of another height");
  return { ...agree(found.hash, unhex(c.l1.block.hash, 32), "the header hashes to another value"), from: "the block hash you trust: compare it with a node of your own" };
}

export function place(c, name) {
  const slot = c.anchor.layout[name];
  if (slot === undefined) throw new Absent(`this page does not know where ${name} is kept`);
  return slot;
}

// A slot's value, proven under the state root; what the bundle tells of it must be what is shown.
export function proven(c, stateRoot, contract, slot, what) {
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

// The block in which the inbox took the batch, against what the gateway signed: the receipt, or every group of a task's
// segment. A later block is proof of a promise that was not kept, and touches nothing else.
export function includeBy(c) {
  const { number } = c.batch.header;
  const blocks = c.bundle.message ? [c.receipt.include_by_block] : c.body.groups.map((group) => Number(group.includeBy));
  const due = Math.min(...blocks);
  const { stateRoot } = header(c.l1.block.header);
  const slot = slotOf(place(c, "BatchInbox.inbox_block"), [number]);
  const block = Number(BigInt(hex(proven(c, stateRoot, "BatchInbox", slot, `inbox_block(${number})`))));
  agree(block, c.batch.inbox_block, "the inbox took the batch in another block");
  if (block === 0) throw new Fault("the inbox took no such batch", "0", `by block ${due}`);
  const found = { computed: `block ${block}`, expected: `by block ${due}`, from: `the inbox's storage in block ${c.l1.block.number}` };
  if (block <= due) return found;
  return { ...found, outcome: "late", why: `${block - due} blocks late: evidence of a promise not kept` };
}

export function l1Storage(c) {
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
