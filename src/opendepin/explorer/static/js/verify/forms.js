// The network's own forms: messages, groups, bodies, segments, headers, histories (docs/spec/encodings.md).

import { Fault, abi, domain, hex, join, keccak, sha256, big, unhex, same } from "./bytes.js";
import { decode, encode } from "./cbor.js";
import { leafHash } from "./merkle.js";

const DOMAIN = Object.fromEntries(
  ["group", "segment", "header", "sequence", "attest", "key-history", "program", "task", "statement", "pay"].map((n) => [n, domain(n)]),
);
const isBytes = (value, size) => value instanceof Uint8Array && (size === undefined || value.length === size);
const isUint = (value) => typeof value === "bigint" && value >= 0n;

export function parseMessage(raw) {
  if (!raw.length || raw.length > 4096) throw new Fault("a message has 1 to 4,096 bytes");
  if (raw[0] !== 0xd2) throw new Fault("a message starts with the COSE_Sign1 tag 0xd2", hex(raw.slice(0, 1)), "0xd2");
  const parts = decode(raw.slice(1));
  if (!Array.isArray(parts) || parts.length !== 4) throw new Fault("COSE_Sign1 is an array of four");
  const [protectedHeader, unprotected, payload, signature] = parts;
  if (!isBytes(protectedHeader) || !isBytes(payload) || !isBytes(signature)) throw new Fault("protected header, payload and signature are byte strings");
  if (!(unprotected instanceof Map) || unprotected.size) throw new Fault("the unprotected header is the empty map");
  const about = decode(protectedHeader);
  if (!(about instanceof Map) || about.size !== 2 || about.get(1n) !== -47n) throw new Fault("the algorithm is not ES256K");
  const device = about.get(4n);
  if (!isBytes(device, 20)) throw new Fault("the device id has 20 bytes");
  const fields = decode(payload);
  const data = fields instanceof Map ? fields.get(3n) : null;
  if (!(data instanceof Map) || fields.size !== 3 || !isUint(fields.get(1n)) || !isUint(fields.get(2n))) throw new Fault("the payload has exactly seq, time_ms and data");
  return { device, seq: fields.get(1n), timeMs: fields.get(2n), data, protectedHeader, payload, signature };
}

export function messageId(message, networkId, project) {
  const aad = encode(["opendepin/message/1", networkId, project]);
  return sha256(encode(["Signature1", message.protectedHeader, aad, message.payload]));
}

export function checkSchema(data, schema) {
  for (const [key, name, low, high, , , length] of schema) {
    const value = data.get(BigInt(key));
    if (length > 1 && !(Array.isArray(value) && value.length === length)) throw new Fault(`field ${name} is missing or no array of ${length}`);
    for (const each of length > 1 ? value : [value]) {
      if (typeof each !== "bigint") throw new Fault(`field ${name} is missing or no integer`);
      if (each < BigInt(low) || each > BigInt(high)) throw new Fault(`field ${name} = ${each} is out of its bounds`);
    }
  }
  if (data.size !== schema.length) throw new Fault("the data has a field the schema does not know");
}

// A reading as words (docs/spec/encodings.md §4): lanes of fixed widths, low bits first, none split over two words.
const WORD_BITS = 248;

export function wordsOf(schema, index, message) {
  const lanes = [[BigInt(index), 20], [message.data.get(1n), 40], [message.seq, 53]];
  for (const [key, , low, high] of schema.slice(1)) {
    const bits = Math.max(1, (BigInt(high) - BigInt(low)).toString(2).length);
    for (const value of [message.data.get(BigInt(key))].flat()) lanes.push([value - BigInt(low), bits]);
  }
  const words = [0n];
  let shift = 0;
  for (const [value, bits] of lanes) {
    if (value < 0n || value >> BigInt(bits)) throw new Fault("a value does not fit its lane", String(value), `below 2^${bits}`);
    if (shift + bits > WORD_BITS) {
      words.push(0n);
      shift = 0;
    }
    words[words.length - 1] |= value << BigInt(shift);
    shift += bits;
  }
  return words;
}

export function groupDigest(g, networkId) {
  return keccak(abi(DOMAIN.group, networkId, g.project, g.gateway, g.first, g.count, g.identityBlock, g.includeBy, g.root));
}

export const leaf = (position, identityBlock, id) => leafHash(join(big(position, 8), big(identityBlock, 8), id));

export function parseBody(raw) {
  const segments = decode(raw, 5);
  if (!Array.isArray(segments) || !segments.length) throw new Fault("a body holds segments");
  return segments.map((segment) => {
    if (!Array.isArray(segment) || segment.length !== 2 || !Array.isArray(segment[1]) || !segment[1].length) throw new Fault("a segment is a project and its groups");
    return { project: segment[0], groups: segment[1].map((row) => parseGroup(row, segment[0])) };
  });
}

function parseGroup(row, project) {
  if (!Array.isArray(row) || row.length !== 9) throw new Fault("a group is an array of nine");
  const [owner, gateway, first, count, identityBlock, includeBy, root, signature, messages] = row;
  const good = [owner, first, count, identityBlock, includeBy].every(isUint) && isBytes(gateway, 20) && isBytes(root, 32) && isBytes(signature, 65);
  if (!good || !Array.isArray(messages) || !messages.every((m) => isBytes(m))) throw new Fault("a group has a wrong form");
  if (owner !== project || BigInt(messages.length) !== count) throw new Fault("a group is of another project or holds another number of messages");
  return { project: owner, gateway, first, count, identityBlock, includeBy, root, signature, messages };
}

export function rangesOf(groups) {
  const found = [];
  for (const g of groups) {
    const before = found[found.length - 1];
    const last = g.first + g.count - 1n;
    if (before && same(before.gateway, g.gateway) && before.last + 1n === g.first) {
      before.last = last;
      before.identityLast = g.identityBlock;
    } else found.push({ gateway: g.gateway, first: g.first, last, identityFirst: g.identityBlock, identityLast: g.identityBlock });
  }
  return found.map((r) => ({ gateway: hex(r.gateway), first: Number(r.first), last: Number(r.last), identity_first: Number(r.identityFirst), identity_last: Number(r.identityLast) }));
}

export function segmentHash(s) {
  const rows = s.ranges.map((r) => abi(unhex(r.gateway, 20), r.first, r.last, r.identity_first, r.identity_last));
  return keccak(join(abi(DOMAIN.segment, s.project, unhex(s.root, 32), s.field_root, s.count, 192, rows.length), ...rows));
}

export const segmentsRoot = (segments) => keccak(join(abi(32, segments.length), ...segments.map(segmentHash)));

export function headerHash(h) {
  const roots = [h.segments_root, h.data_root].map((r) => unhex(r, 32));
  return keccak(abi(DOMAIN.header, unhex(h.network_id, 32), h.number, unhex(h.parent, 32), ...roots, h.data_bytes, h.time));
}

export const sequenceDigest = (hash) => keccak(abi(DOMAIN.sequence, hash));
export const attestDigest = (hash) => keccak(abi(DOMAIN.attest, hash));

export function accumulate(history) {
  const device = unhex(history.device, 20);
  return history.changes.reduce((before, c) => {
    const key = unhex(c.public, 64);
    const head = abi(DOMAIN["key-history"], before, device, c.status, c.project, c.index);
    return keccak(join(head, abi(key.slice(0, 32), key.slice(32), c.from_block)));
  }, new Uint8Array(32));
}

// The state of a device that may speak for a project at a block.
export function keyAt(history, block, project) {
  const state = (history?.changes ?? []).filter((c) => BigInt(c.from_block) <= BigInt(block)).pop();
  if (!state) throw new Fault("the device was not registered at the identity block");
  if (BigInt(state.project) !== BigInt(project)) throw new Fault("the device belongs to another project");
  if (state.status !== 1) throw new Fault(state.status === 2 ? "the device was suspended then" : "the device was revoked then");
  return { index: state.index, public: unhex(state.public, 64) };
}

export const outputsHash = (outputs) => keccak(join(abi(32, outputs.length), ...outputs.map((o) => big(o, 32))));
export const schemaHash = (schema) => keccak(encode(schema));

export function manifestHash(m) {
  return keccak(encode([m.name, m.version, schemaHash(m.schema), m.compute, m.capacity, m.pay_offset, m.pay_count]));
}

export const programId = (manifest, circuit, key) => keccak(abi(DOMAIN.program, manifest, circuit, key));
export const taskId = (network, inbox, batch, segment, project, program) => keccak(abi(DOMAIN.task, network, inbox, batch, segment, project, program));
export const payLeaf = (task, index, units) => keccak(abi(DOMAIN.pay, task, index, units));

export function statement(s) {
  const words = abi(DOMAIN.statement, s.network, s.settlement, s.task, s.program, s.segmentRoot, s.fieldRoot, s.count, s.outputsHash, s.producer);
  return BigInt(hex(keccak(words))) >> 8n;
}
