// Bytes, hashes and the ABI's words. Every check of this folder is built on these.

import { keccak_256 } from "../../lib/noble/hashes/sha3.js";
import { sha256 as sha_256 } from "../../lib/noble/hashes/sha2.js";

export class Fault extends Error {
  // A check that does not hold: why, what was computed, what it was compared with.
  constructor(why, computed = "", expected = "") {
    super(why);
    this.computed = computed;
    this.expected = expected;
  }
}

export class Absent extends Error {}

export const keccak = (data) => keccak_256(data);
export const sha256 = (data) => sha_256(data);

export function unhex(text, size) {
  if (typeof text !== "string" || !/^0x([0-9a-f]{2})*$/.test(text)) throw new Fault(`not lower-case 0x-hex: ${String(text).slice(0, 40)}`);
  const found = new Uint8Array((text.length - 2) / 2);
  for (let i = 0; i < found.length; i++) found[i] = parseInt(text.slice(2 + 2 * i, 4 + 2 * i), 16);
  if (size !== undefined && found.length !== size) throw new Fault(`${found.length} bytes where ${size} are due`);
  return found;
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
export const hex = (data) => `0x${Array.from(data, (b) => HEX[b]).join("")}`;

export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

export function number(data) {
  let value = 0n;
  for (const byte of data) value = (value << 8n) | BigInt(byte);
  return value;
}

export function big(value, size) {
  const found = new Uint8Array(size);
  let rest = BigInt(value);
  if (rest < 0n) throw new Fault("a negative number has no unsigned form");
  for (let i = size - 1; i >= 0; i--) {
    found[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  if (rest) throw new Fault(`a number needs more than ${size} bytes`);
  return found;
}

// One ABI word: a number, or bytes (20 of an address are padded on the left, 32 stand as they are).
export function word(value) {
  if (value instanceof Uint8Array) {
    if (value.length === 32) return value;
    if (value.length === 20) return join(new Uint8Array(12), value);
    throw new Fault(`${value.length} bytes are no ABI word`);
  }
  return big(value, 32);
}

export const abi = (...values) => join(...values.map(word));
export const domain = (name) => keccak(new TextEncoder().encode(`opendepin/${name}/1`));

export function agree(computed, expected, why) {
  const [left, right] = [computed, expected].map((v) => (v instanceof Uint8Array ? hex(v) : String(v)));
  if (left !== right) throw new Fault(why, left, right);
  return { computed: left, expected: right };
}
