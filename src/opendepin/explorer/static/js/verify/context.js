// What several steps need, computed once: a value that can't be had fails every step that asks for it, with one reason.

import { Absent, Fault, agree, hex, same, unhex } from "./bytes.js";
import { addressOf, checkSignature, recover } from "./curves.js";
import { accumulate, checkSchema, groupDigest, keyAt, leaf, messageId, parseBody, parseMessage } from "./forms.js";
import { root } from "./merkle.js";

export class Context {
  constructor(bundle, anchor) {
    this.bundle = bundle;
    this.anchor = anchor;
    this.network = unhex(anchor.network_id, 32);
    this.kept = new Map();
  }

  once(name, compute) {
    if (!this.kept.has(name)) {
      try {
        this.kept.set(name, [true, compute()]);
      } catch (error) {
        this.kept.set(name, [false, error]);
      }
    }
    const [good, value] = this.kept.get(name);
    if (!good) throw value;
    return value;
  }

  part(name, why) {
    const found = this.bundle[name];
    if (!found) throw new Absent(why);
    return found;
  }

  get message() {
    return this.part("message", "this trail is of a task, not of one message");
  }

  get receipt() {
    return this.part("receipt", "this trail has no receipt");
  }

  get batch() {
    return this.part("batch", "the message is in no batch yet");
  }

  get task() {
    return this.part("task", "no proof of it is settled yet");
  }

  get l1() {
    return this.part("l1", "nothing of it is proven on L1 yet");
  }

  get segment() {
    const found = this.batch.segments[this.batch.segment_index];
    if (!found) throw new Fault("the batch has no segment of that index");
    return found;
  }

  get signed() {
    return this.once("signed", () => parseMessage(unhex(this.message.raw)));
  }

  get messageId() {
    return this.once("message id", () => messageId(this.signed, this.network, this.message.project));
  }

  get receiptGroup() {
    const r = this.receipt;
    const sizes = { gateway: 20, root: 32, signature: 65 };
    const bytes = Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, unhex(r[name], size)]));
    return { ...bytes, project: r.project, first: r.first, count: r.count, identityBlock: r.identity_block, includeBy: r.include_by_block };
  }

  history(device) {
    const found = this.bundle.histories.find((h) => h.device === hex(device));
    if (!found) throw new Fault(`the bundle has no key history of ${hex(device)}`);
    return found;
  }

  accumulator(history) {
    return this.once(`accumulator ${history.device}`, () => accumulate(history));
  }

  get body() {
    return this.once("body", () => {
      const found = parseBody(unhex(this.batch.body))[this.batch.segment_index];
      if (!found) throw new Fault("the body has no segment of that index");
      return found;
    });
  }

  get manifest() {
    return this.bundle.task?.manifest ?? this.anchor.manifests?.[String(this.segment.project)] ?? null;
  }

  // Every message of the segment with its id and place: form alone, no signature.
  get rows() {
    return this.once("rows", () =>
      this.body.groups.flatMap((group) =>
        group.messages.map((raw, i) => {
          const position = group.first + BigInt(i);
          try {
            const message = parseMessage(raw);
            return { group, position, message, id: messageId(message, this.network, group.project) };
          } catch (error) {
            throw new Fault(`message at position ${position}: ${error.message}`);
          }
        }),
      ),
    );
  }

  // What attesters check: group signatures and roots, and each message's schema, key and signature.
  get checked() {
    return this.once("checked", () => {
      for (const group of this.body.groups) {
        const signer = recover(groupDigest(group, this.network), group.signature);
        if (!same(signer, group.gateway)) throw new Fault(`the group at ${group.first} is not signed by its gateway`, hex(signer), hex(group.gateway));
        if (!this.anchor.gateways.includes(hex(signer))) throw new Fault("a group is of no gateway of this network", hex(signer), this.anchor.gateways.join(", "));
        const leaves = this.rows.filter((r) => r.group === group).map((r) => leaf(r.position, group.identityBlock, r.id));
        agree(root(leaves), group.root, `the messages give another root of the group at ${group.first}`);
      }
      for (const row of this.rows) {
        try {
          if (this.manifest) checkSchema(row.message.data, this.manifest.schema);
          const key = keyAt(this.history(row.message.device), row.group.identityBlock, row.group.project);
          checkSignature(key.public, row.id, row.message.signature);
        } catch (error) {
          throw new Fault(`message at position ${row.position}: ${error.message}`, error.computed, error.expected);
        }
      }
      return this.rows.length;
    });
  }

  get leaves() {
    return this.once("leaves", () => this.rows.map((r) => leaf(r.position, r.group.identityBlock, r.id)));
  }
}

export { addressOf };
