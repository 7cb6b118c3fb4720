// The settling operator against the draw, recomputed from the snapshot's members and what L1 keeps of the task.

import { Fault, abi, agree, big, domain, hex, join, keccak, number, unhex } from "./bytes.js";
import { place, proven } from "./layer1.js";
import { taskOf } from "./outcome.js";
import { header, slotOf } from "./state.js";

const DRAW = domain("draw");
// EVM code that answers with all that follows it: once to make a snapshot, once to read it.
const ANSWER = unhex("0x600b380380600b5f395ff3");
// Draws by weight, before the next places are taken in turn.
const PROBES = 8;
const MAX_MEMBERS = 64;
const MAX_TOTAL = (1n << 96n) - 1n;
const ORIGIN = [["project", 64n], ["batch", 64n], ["count", 32n], ["version", 40n], ["opened_block", 40n], ["segment_index", 16n]];
const MEMBERS = { origin: 3, seed: 5, producer: 4 };

function snapshotAddress(operators, version, words) {
  return keccak(join(Uint8Array.of(0xff), operators, big(version, 32), keccak(join(ANSWER, ANSWER, words)))).slice(12);
}

// How many candidates come before the operator's first turn; null when it has none.
function passedOver(task, draw, upto, operators, wanted) {
  let at = 0;
  for (let turn = 0; turn < PROBES + upto.length - 1; turn++) {
    if (turn < PROBES) {
      const point = number(keccak(abi(DRAW, task, unhex(draw.seed, 32), draw.attempt, turn))) % upto.at(-1);
      at = upto.findIndex((total) => total > point);
    } else at = (at + 1) % upto.length;
    if (operators[at] === wanted) return turn;
  }
  return null;
}

function pinned(c, stateRoot, task, draw) {
  const [origin, seed, duty] = Object.entries(MEMBERS).map(([member, offset]) =>
    proven(c, stateRoot, "Settlement", slotOf(place(c, "Settlement.tasks"), [task], offset), `result(${hex(task)}).${member}`),
  );
  const due = { ...draw, project: c.body.project, batch: c.batch.header.number, count: c.rows.length, segment_index: c.batch.segment_index };
  let rest = number(origin);
  for (const [name, bits] of ORIGIN) {
    agree(rest & ((1n << bits) - 1n), due[name], `L1 keeps another ${name} of the task`);
    rest >>= bits;
  }
  agree(unhex(draw.seed, 32), seed, "L1 keeps another seed of the task");
  agree(draw.attempt, (number(duty) >> 240n) & 255n, "L1 keeps another attempt");
  agree(duty.slice(12), unhex(c.task.producer, 20), "another operator stands as drawn on L1");
}

function members(c, stateRoot, draw) {
  if (draw.members.length < 1 || draw.members.length > MAX_MEMBERS) throw new Fault(`a snapshot has 1 to ${MAX_MEMBERS} members, not ${draw.members.length}`);
  let total = 0n;
  const upto = draw.members.map((member) => (total += BigInt(member.weight)));
  if (total < 1n || total > MAX_TOTAL) throw new Fault("the members' weights sum up to 0, or to more than 96 bits");
  const words = join(...draw.members.map((member, i) => join(unhex(member.operator, 20), big(upto[i], 12))));
  const value = proven(c, stateRoot, "Operators", slotOf(place(c, "Operators.snapshots"), [draw.version]), `snapshots(${draw.version})`);
  const address = snapshotAddress(unhex(c.anchor.contracts.Operators, 20), draw.version, words);
  agree(join(new Uint8Array(12), address), value, "the snapshot on L1 has other members or weights");
  return upto;
}

export function drawn(c) {
  const { producer, draw } = c.task;
  const { stateRoot } = header(c.l1.block.header);
  if (!draw) throw new Fault("the bundle leaves out what the draw is recomputed from");
  const task = taskOf(c);
  pinned(c, stateRoot, task, draw);
  const upto = members(c, stateRoot, draw);
  const before = passedOver(task, draw, upto, draw.members.map((member) => member.operator), producer);
  const from = `storage of block ${c.l1.block.number}`;
  if (before === 0) return { computed: `first candidate of ${upto.length} members`, expected: producer, from };
  if (before !== null) return { computed: `candidate ${before + 1}; those before it were not free, or had it last (not kept by L1)`, expected: producer, from };
  if (draw.attempt === 0) throw new Fault("the operator that settled the task is not in the snapshot it was drawn from", `one of ${upto.length} members`, producer);
  return { computed: `had the task before; none of ${upto.length} members was free (not kept by L1)`, expected: producer, from };
}
