// One altered byte per step: where it is put, so that a visitor sees the step turn red and why.

const flip = (text, at) => {
  // `at` counts bytes; negative from the end. The lowest bit of that byte changes.
  const size = (text.length - 2) / 2;
  const index = at < 0 ? size + at : at;
  const from = 2 + 2 * index;
  const before = text.slice(from, from + 2);
  const after = (parseInt(before, 16) ^ 1).toString(16).padStart(2, "0");
  return [text.slice(0, from) + after + text.slice(from + 2), `byte ${index}: ${before} → ${after}`];
};

const plusOne = (text) => {
  const after = (BigInt(text) + 1n).toString();
  return [after, `${text.length > 24 ? `…${text.slice(-8)}` : text} → ${after.length > 24 ? `…${after.slice(-8)}` : after}`];
};

const SEGMENT = (b) => b.batch.segments[b.batch.segment_index];

// Each: what is altered in words, the object it stands in, its key, and how.
const PLACES = {
  "message-form": (b) => ["the message's first bytes", b.message, "raw", (t) => flip(t, 1)],
  "message-id": (b) => ["the signed value in the message", b.message, "raw", (t) => flip(t, -67)],
  "key-history": (b) => ["a device's registered key", b.histories[0].changes[0], "public", (t) => flip(t, 5)],
  "device-signature": (b) => ["the device's signature", b.message, "raw", (t) => flip(t, -1)],
  "receipt-signature": (b) => ["the gateway's signature", b.receipt, "signature", (t) => flip(t, 40)],
  "receipt-path": (b) => ["the receipt's Merkle path", b.receipt.path, 0, (t) => flip(t, 7)],
  body: (b) => ["a stored message of the batch", b.batch, "body", (t) => flip(t, -40)],
  "segment-root": (b) => ["the segment's root", SEGMENT(b), "root", (t) => flip(t, 3)],
  "field-root": (b) => ["the segment's field root", SEGMENT(b), "field_root", plusOne],
  "segments-root": (b) => ["the segments root in the header", b.batch.header, "segments_root", (t) => flip(t, 9)],
  "data-root": (b) => ["the data root in the header", b.batch.header, "data_root", (t) => flip(t, 11)],
  "header-hash": (b) => ["the batch's hash", b.batch, "hash", (t) => flip(t, 0)],
  sequencer: (b) => ["the sequencer's signature", b.batch, "sequencer_signature", (t) => flip(t, 12)],
  attesters: (b) => ["an attester's signature", b.batch.attestations[0], "signature", (t) => flip(t, 33)],
  "include-by": (b) => ["the block of the batch", b.batch, "inbox_block", (n) => [n + 1, `${n} → ${n + 1}`]],
  program: (b) => ["the circuit's hash", b.task, "circuit_hash", (t) => flip(t, 2)],
  outputs: (b) => ["the first output", b.task.outputs, 0, plusOne],
  statement: (b) => ["the statement", b.task, "statement", plusOne],
  proof: (b) => ["the proof", b.task, "proof", (t) => flip(t, -1)],
  "pay-root": (b) => ["the pay root", b.task.result, "pay_root", (t) => flip(t, 4)],
  drawn: (b) => ["a member's stake in the draw", b.task.draw.members[0], "weight", plusOne],
  "l1-block": (b) => ["the L1 block's header", b.l1.block, "header", (t) => flip(t, -5)],
  "l1-storage": (b) => ["a node of a storage proof", b.l1.proofs[0].storage[0].proof, 0, (t) => flip(t, 20)],
};

// Return an altered copy of the bundle and what was done, or null where the trail has nothing to alter.
export function altered(bundle, step) {
  const copy = structuredClone(bundle);
  try {
    const [what, holder, key, change] = PLACES[step](copy);
    const [value, how] = change(holder[key]);
    holder[key] = value;
    return { bundle: copy, what, how };
  } catch {
    return null; // the part is absent from this trail
  }
}
