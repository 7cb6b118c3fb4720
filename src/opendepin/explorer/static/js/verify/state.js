// The L1's state: RLP, Merkle–Patricia proofs, and where Vyper keeps a map's values.

import { Fault, abi, hex, join, keccak, number, same, unhex, word } from "./bytes.js";

export function decodeRlp(data) {
  const [value, end] = rlpItem(data, 0);
  if (end !== data.length) throw new Fault("bytes follow the RLP item");
  return value;
}

function rlpItem(data, at) {
  if (at >= data.length) throw new Fault("RLP ends early");
  const first = data[at];
  if (first < 0x80) return [data.slice(at, at + 1), at + 1];
  const list = first >= 0xc0;
  let size = first - (list ? 0xc0 : 0x80);
  let from = at + 1;
  if (size > 55) {
    const width = size - 55;
    size = Number(number(data.slice(from, from + width)));
    from += width;
    if (size < 56) throw new Fault("an RLP length is longer than it needs to be");
  }
  const end = from + size;
  if (end > data.length) throw new Fault("RLP ends early");
  if (!list) {
    if (size === 1 && data[from] < 0x80) throw new Fault("an RLP byte is longer than it needs to be");
    return [data.slice(from, end), end];
  }
  const found = [];
  while (from < end) {
    const [value, next] = rlpItem(data, from);
    found.push(value);
    from = next;
  }
  if (from !== end) throw new Fault("an RLP list ends inside an item");
  return [found, end];
}

const nibbles = (data) => Array.from(data).flatMap((b) => [b >> 4, b & 15]);

// The value under a key that hashed nodes lead to from a root; null when they prove that there is none.
export function trieValue(rootHash, key, nodes) {
  const path = nibbles(keccak(key));
  let [at, wanted, used] = [0, rootHash, 0];
  let node = null;
  for (;;) {
    if (wanted instanceof Uint8Array) {
      if (used >= nodes.length) throw new Fault("the state proof ends early");
      const raw = nodes[used++];
      if (!same(keccak(raw), wanted)) throw new Fault("a node of the state proof has another hash", hex(keccak(raw)), hex(wanted));
      node = decodeRlp(raw);
    } else node = wanted;
    if (node.length === 17) {
      if (at === path.length) return ended(node[16], used, nodes);
      const next = node[path[at++]];
      if (next.length === 0) return ended(null, used, nodes);
      wanted = next;
      continue;
    }
    if (node.length !== 2 || !(node[0] instanceof Uint8Array) || !node[0].length) throw new Fault("a node of the state proof has a wrong form");
    const steps = nibbles(node[0]);
    const leaf = (steps[0] & 2) === 2;
    const rest = steps.slice(steps[0] & 1 ? 1 : 2);
    const matches = rest.every((n, i) => path[at + i] === n);
    if (leaf) return ended(matches && at + rest.length === path.length ? node[1] : null, used, nodes);
    if (!matches) return ended(null, used, nodes);
    at += rest.length;
    wanted = node[1];
  }
}

function ended(value, used, nodes) {
  if (used !== nodes.length) throw new Fault("the state proof has nodes that lead nowhere");
  return value && value.length ? value : null;
}

export function account(stateRoot, address, nodes) {
  const data = trieValue(stateRoot, address, nodes);
  if (!data) throw new Fault("the contract does not stand in this state");
  const fields = decodeRlp(data);
  if (fields.length !== 4) throw new Fault("an account has four fields");
  return { nonce: number(fields[0]), balance: number(fields[1]), storageRoot: fields[2], codeHash: fields[3] };
}

export function slotValue(storageRoot, slot, nodes) {
  const data = trieValue(storageRoot, slot, nodes);
  if (!data) return new Uint8Array(32);
  const value = decodeRlp(data);
  return join(new Uint8Array(32 - value.length), value);
}

// keccak(slot ‖ key) per level of the map, then the member's offset.
export function slotOf(start, keys, offset = 0) {
  let slot = word(start);
  for (const key of keys) slot = keccak(join(slot, word(key)));
  return word((number(slot) + BigInt(offset)) % (1n << 256n));
}

export function header(text) {
  const raw = unhex(text);
  const fields = decodeRlp(raw);
  if (!Array.isArray(fields) || fields.length < 15) throw new Fault("a block header has fifteen fields at least");
  return { hash: keccak(raw), stateRoot: fields[3], height: Number(number(fields[8])) };
}

export { abi };
