// Deterministic CBOR (RFC 8949 §4.2.1), the part of it this network uses. Any other form of a value is refused.

import { Fault, join } from "./bytes.js";

const text = new TextDecoder("utf-8", { fatal: true });

export function decode(data, maxDepth = 4) {
  const reader = { data, at: 0 };
  const value = item(reader, maxDepth + 1);
  if (reader.at !== data.length) throw new Fault("bytes follow the CBOR item");
  return value;
}

function head(reader) {
  const { data } = reader;
  if (reader.at >= data.length) throw new Fault("CBOR ends early");
  const first = data[reader.at++];
  const major = first >> 5;
  const info = first & 31;
  if (info < 24) return [major, BigInt(info)];
  if (info > 27) throw new Fault("indefinite or reserved CBOR length");
  const width = 1 << (info - 24);
  if (reader.at + width > data.length) throw new Fault("CBOR ends early");
  let value = 0n;
  for (let i = 0; i < width; i++) value = (value << 8n) | BigInt(data[reader.at++]);
  const shortest = [24n, 256n, 65536n, 4294967296n][info - 24];
  if (value < shortest) throw new Fault("a CBOR head is longer than it needs to be");
  return [major, value];
}

function item(reader, depth) {
  if (depth < 0) throw new Fault("CBOR nests too deep");
  const [major, argument] = head(reader);
  const { data } = reader;
  const size = Number(argument);
  switch (major) {
    case 0:
      return argument;
    case 1:
      return -1n - argument;
    case 2:
    case 3: {
      if (reader.at + size > data.length) throw new Fault("a CBOR string is longer than the bytes");
      const bytes = data.slice(reader.at, (reader.at += size));
      return major === 2 ? bytes : text.decode(bytes);
    }
    case 4: {
      if (size > data.length - reader.at) throw new Fault("a CBOR array is longer than the bytes");
      return Array.from({ length: size }, () => item(reader, depth - 1));
    }
    case 5: {
      if (size > data.length - reader.at) throw new Fault("a CBOR map is longer than the bytes");
      const found = new Map();
      let before = null;
      for (let i = 0; i < size; i++) {
        const from = reader.at;
        const key = item(reader, depth - 1);
        const raw = data.slice(from, reader.at);
        if (before && compare(before, raw) >= 0) throw new Fault("the keys of a CBOR map are not in order");
        before = raw;
        found.set(key, item(reader, depth - 1));
      }
      return found;
    }
    case 7:
      if (argument === 20n) return false;
      if (argument === 21n) return true;
      if (argument === 22n) return null;
  }
  throw new Fault("a CBOR tag, float or simple value is not used here");
}

function compare(a, b) {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function start(major, argument) {
  const n = BigInt(argument);
  if (n < 24n) return Uint8Array.of((major << 5) | Number(n));
  const width = n < 256n ? 1 : n < 65536n ? 2 : n < 4294967296n ? 4 : 8;
  const found = new Uint8Array(1 + width);
  found[0] = (major << 5) | (24 + Math.log2(width));
  for (let i = width, rest = n; i > 0; i--, rest >>= 8n) found[i] = Number(rest & 255n);
  return found;
}

export function encode(value) {
  if (typeof value === "number" || typeof value === "bigint") return value >= 0 ? start(0, value) : start(1, -1n - BigInt(value));
  if (value instanceof Uint8Array) return join(start(2, value.length), value);
  if (typeof value === "string") {
    const bytes = new TextEncoder().encode(value);
    return join(start(3, bytes.length), bytes);
  }
  if (Array.isArray(value)) return join(start(4, value.length), ...value.map(encode));
  throw new Fault("a value without CBOR form here");
}
