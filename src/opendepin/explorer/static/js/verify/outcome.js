// Steps from the segment to the result: program, outputs, statement, proof, pay.

import { Fault, agree, unhex } from "./bytes.js";
import { groth16Holds, keyHash } from "./curves.js";
import * as form from "./forms.js";
import { payNode, root } from "./merkle.js";
import { R } from "./poseidon.js";

// Recomputed from the parts, so that a claimed id is never what something else is bound to.
const programOf = (c) => c.once("program", () => form.programId(form.manifestHash(c.task.manifest), unhex(c.task.circuit_hash, 32), keyHash(c.task.verification_key)));
export const taskOf = (c) =>
  c.once("task", () => form.taskId(c.network, unhex(c.anchor.contracts.BatchInbox, 20), c.batch.header.number, c.batch.segment_index, c.body.project, programOf(c)));

// The page has no text of the circuit: what is said of it here is its hash alone.
const NOT_OPENED = "task.task_id; the circuit is not opened here, its frame is not checked: `depin verify` does both";

export function program(c) {
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
  return { ...pair, from: NOT_OPENED };
}

export function outputs(c) {
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

export function statement(c) {
  const found = recomputedStatement(c);
  const pair = agree(found, c.task.statement, "the parts give another statement");
  agree(evaluationAt(c.task.outputs, found), c.task.evaluation, "the outputs give another evaluation");
  return { ...pair, from: "task.statement" };
}

export function proof(c) {
  const point = recomputedStatement(c);
  const inputs = [point, evaluationAt(c.task.outputs, point), BigInt(c.segment.field_root)];
  if (!groth16Holds(c.task.verification_key, unhex(c.task.proof, 256), inputs)) throw new Fault("the pairing equation does not hold for this statement", "not 1", "1");
  return { computed: "1", expected: "1", from: "e(A,B) = e(α,β)·e(x,γ)·e(C,δ)" };
}

export function payRoot(c) {
  const { pay_offset: offset, pay_count: count } = c.task.manifest;
  const task = taskOf(c);
  const units = c.task.outputs.slice(offset, offset + count);
  agree(units.length, count, "there are fewer outputs than devices to pay");
  agree(c.task.producer, c.task.result.producer, "another operator was paid");
  const found = root(units.map((n, i) => form.payLeaf(task, i, n)), payNode);
  return { ...agree(found, unhex(c.task.result.pay_root, 32), "the paid units give another root"), from: "result.pay_root, held against L1 below" };
}
