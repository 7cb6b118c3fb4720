// Merkle trees of RFC 9162 §2.1 (SHA-256), the Keccak tree of device pay, and the Reed–Solomon code under a data root.

import { Fault, join, keccak, sha256 } from "./bytes.js";

export const leafHash = (data) => sha256(join(Uint8Array.of(0), data));
const node = (left, right) => sha256(join(Uint8Array.of(1), left, right));
export const payNode = (left, right) => keccak(join(left, right));

export function root(leaves, combine = node) {
  let level = leaves;
  if (!level.length) throw new Fault("a tree without leaves");
  while (level.length > 1) {
    const next = [];
    for (let i = 0; i + 1 < level.length; i += 2) next.push(combine(level[i], level[i + 1]));
    if (level.length % 2) next.push(level[level.length - 1]);
    level = next;
  }
  return level[0];
}

export function rootOfPath(leaf, index, count, siblings) {
  if (!(index >= 0 && index < count)) throw new Fault(`no leaf ${index} among ${count}`);
  let [at, last, reached, used] = [index, count - 1, leaf, 0];
  while (last > 0) {
    if ((at ^ 1) <= last) {
      if (used >= siblings.length) throw new Fault("the Merkle path is too short");
      const sibling = siblings[used++];
      reached = at & 1 ? node(sibling, reached) : node(reached, sibling);
    }
    at >>= 1;
    last >>= 1;
  }
  if (used !== siblings.length) throw new Fault("the Merkle path is too long");
  return reached;
}

const POWER = new Uint8Array(510);
const LOG = new Uint8Array(256);
for (let exponent = 0, value = 1; exponent < 255; exponent++) {
  POWER[exponent] = POWER[exponent + 255] = value;
  LOG[value] = exponent;
  value = (value << 1) ^ (value & 0x80 ? 0x11d : 0);
}
const point = (index) => (index ? POWER[index - 1] : 0);

// k data chunks become 2k: byte b of the chunks is the polynomial of degree < k through the points of GF(2^8).
export function codedRoot(body, k) {
  const size = Math.ceil(body.length / k);
  const data = new Uint8Array(size * k);
  data.set(body);
  const chunks = Array.from({ length: k }, (_, i) => data.subarray(i * size, (i + 1) * size));
  for (let wanted = k; wanted < 2 * k; wanted++) {
    const at = point(wanted);
    const chunk = new Uint8Array(size);
    for (let j = 0; j < k; j++) {
      let exponent = 0;
      for (let m = 0; m < k; m++) if (m !== j) exponent += LOG[at ^ point(m)] - LOG[point(j) ^ point(m)];
      const log = ((exponent % 255) + 255) % 255;
      const source = chunks[j];
      for (let b = 0; b < size; b++) if (source[b]) chunk[b] ^= POWER[LOG[source[b]] + log];
    }
    chunks.push(chunk);
  }
  return root(chunks.map(leafHash));
}
