// A device in another language, written from docs/spec/message.md and encodings.md alone.
//
// In, on stdin: {network_id, project, secret, device, messages: [{seq, time_ms, data}], url?, gateway?} as JSON.
// Out: {messages: [{message, message_id, receipt?}]}. With `url` each is sent and its receipt checked.
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';

const fromHex = (text) => Uint8Array.from(Buffer.from(text.replace(/^0x/, ''), 'hex'));
const toHex = (bytes) => '0x' + Buffer.from(bytes).toString('hex');
const concat = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const utf8 = (text) => new TextEncoder().encode(text);
const same = (a, b) => toHex(a) === toHex(b);

// ------------------------------------------------------------------ CBOR, core deterministic form

function head(major, value) {
  const n = BigInt(value);
  if (n < 24n) return Uint8Array.of((major << 5) | Number(n));
  const info = n < 1n << 8n ? 0 : n < 1n << 16n ? 1 : n < 1n << 32n ? 2 : 3;
  const width = 1 << info;
  const bytes = Array.from({ length: width }, (_, i) => Number((n >> BigInt(8 * (width - 1 - i))) & 255n));
  return Uint8Array.of((major << 5) | (24 + info), ...bytes);
}

function cbor(value) {
  if (value instanceof Uint8Array) return concat(head(2, value.length), value);
  if (typeof value === 'string') return concat(head(3, utf8(value).length), utf8(value));
  if (Array.isArray(value)) return concat(head(4, value.length), ...value.map(cbor));
  if (value instanceof Map) {
    const rows = [...value].map(([k, v]) => [cbor(k), cbor(v)]);
    rows.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return concat(head(5, rows.length), ...rows.flat());
  }
  const n = BigInt(value);
  return n >= 0n ? head(0, n) : head(1, -1n - n);
}

// ------------------------------------------------------------------ message.md

export function sign({ network_id, project, secret, device }, { seq, time_ms, data }) {
  const rows = Object.entries(data).map(([key, value]) => [Number(key), value]);
  const protectedHeader = cbor(new Map([[1, -47], [4, fromHex(device)]]));
  const payload = cbor(new Map([[1, seq], [2, time_ms], [3, new Map(rows)]]));
  const aad = cbor(['opendepin/message/1', fromHex(network_id), project]);
  const id = sha256(cbor(['Signature1', protectedHeader, aad, payload]));
  const signature = secp256k1.sign(id, fromHex(secret), { prehash: false, lowS: true, format: 'compact' });
  const message = concat([0xd2], cbor([protectedHeader, new Map(), payload, signature]));
  return { message: toHex(message), message_id: toHex(id) };
}

// ------------------------------------------------------------------ encodings.md §4 and §5

const u64 = (value) => fromHex(BigInt(value).toString(16).padStart(16, '0'));
const word = (value) => fromHex((typeof value === 'string' ? value.slice(2) : BigInt(value).toString(16)).padStart(64, '0'));
const leafHash = (data) => sha256(concat([0], data));
const nodeHash = (left, right) => sha256(concat([1], left, right));

function rootOfPath(leaf, index, count, path) {
  let [at, last, reached] = [index, count - 1, leaf];
  const rest = [...path];
  if (index < 0 || index >= count) throw new Error('the position is not in the group');
  for (; last > 0; at >>= 1, last >>= 1) {
    if ((at ^ 1) > last) continue;
    if (!rest.length) throw new Error('the path is too short');
    const sibling = fromHex(rest.shift());
    reached = at & 1 ? nodeHash(sibling, reached) : nodeHash(reached, sibling);
  }
  if (rest.length) throw new Error('the path is too long');
  return reached;
}

export function checkReceipt(receipt, expected) {
  const domain = keccak_256(utf8('opendepin/group/1'));
  const names = ['network_id', 'project', 'gateway', 'first', 'count', 'identity_block', 'include_by_block', 'root'];
  const digest = keccak_256(concat(domain, ...names.map((name) => word(receipt[name]))));
  const bytes = fromHex(receipt.signature);
  const signature = secp256k1.Signature.fromBytes(bytes.slice(0, 64), 'compact').addRecoveryBit(bytes[64] - 27);
  const key = signature.recoverPublicKey(digest).toBytes(false).slice(1);
  if (!same(keccak_256(key).slice(12), fromHex(expected.gateway))) throw new Error('another key signed');
  const id = fromHex(receipt.message_id);
  const leaf = leafHash(concat(u64(receipt.position), u64(receipt.identity_block), id));
  const root = rootOfPath(leaf, receipt.position - receipt.first, receipt.count, receipt.path);
  if (!same(root, fromHex(receipt.root))) throw new Error('the path does not lead to the root');
  for (const name of ['network_id', 'project', 'gateway', 'message_id']) {
    if (receipt[name] !== expected[name]) throw new Error(`the receipt has another ${name}`);
  }
}

async function send(task, signed) {
  const url = `${task.url}/v1/projects/${task.project}/messages`;
  const headers = { 'content-type': 'application/cose' };
  const answer = await fetch(url, { method: 'POST', headers, body: fromHex(signed.message) });
  const value = await answer.json();
  if (answer.status !== 202) throw new Error(`${answer.status} ${value.code}: ${value.detail}`);
  checkReceipt(value, { ...task, message_id: signed.message_id });
  return value;
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const task = JSON.parse(Buffer.concat(chunks).toString());
const made = task.messages.map((each) => sign(task, each));
if (task.url) for (const each of made) each.receipt = await send(task, each);
process.stdout.write(JSON.stringify({ messages: made }));
