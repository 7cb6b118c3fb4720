// The steps of a trail (docs/spec/bundle.md), in order. Each takes the context and gives the values it compared, or
// throws why it does not hold. Nothing in the bundle is believed: a claim is only what a recomputed value is held against.

import { Absent } from "./bytes.js";
import { Context } from "./context.js";
import { drawn } from "./draw.js";
import * as layer1 from "./layer1.js";
import * as order from "./order.js";
import * as outcome from "./outcome.js";

export const STEPS = [
  ["message-form", "The message has the one canonical form", order.messageForm],
  ["message-id", "Its id is the hash of what was signed for this network and project", order.messageIdStep],
  ["key-history", "Each device's key history gives the registry's accumulator", layer1.keyHistory],
  ["device-signature", "The device's key at that time signed it", order.deviceSignature],
  ["receipt-signature", "A gateway of the network signed the receipt", order.receiptSignature],
  ["receipt-path", "The message stands where the receipt says", order.receiptPath],
  ["body", "Every message beside it is well formed, known and signed", order.body],
  ["segment-root", "The message is in the segment", order.segmentRoot],
  ["field-root", "The proof system's root commits to the same readings", order.fieldRootStep],
  ["segments-root", "The segment is in the batch", order.segmentsRoot],
  ["data-root", "The stored chunks are the code of this batch", order.dataRoot],
  ["header-hash", "The batch header commits to all of it", order.headerHash],
  ["sequencer", "The sequencer signed the order", order.sequencer],
  ["attesters", "Enough stores recomputed and attested it", order.attesters],
  ["include-by", "It came into the inbox by the block that the gateway's receipts promise", layer1.includeBy],
  ["program", "The task is this program over this segment", outcome.program],
  ["outputs", "The outputs are those of the settled result", outcome.outputs],
  ["statement", "The statement binds network, task, program, data, outputs and producer", outcome.statement],
  ["proof", "The zero-knowledge proof verifies", outcome.proof],
  ["pay-root", "Devices are paid by these outputs", outcome.payRoot],
  ["drawn", "The operator was drawn for it by stake, score and a later block", drawn],
  ["l1-block", "The L1 block is the one with this hash", layer1.l1Block],
  ["l1-storage", "Contracts hold the same hashes in that block's state", layer1.l1Storage],
];

// Run every step, whatever became of the ones before; `told` hears of each as it ends.
export async function verify(bundle, anchor, told = () => {}) {
  const context = new Context(bundle, anchor);
  const report = [];
  for (const [name, meaning, check] of STEPS) {
    await new Promise((done) => setTimeout(done));
    const begun = performance.now();
    let found;
    try {
      found = { outcome: "holds", ...check(context) };
    } catch (error) {
      if (error instanceof Absent) found = { outcome: "absent", why: error.message };
      else found = { outcome: "fails", why: error.message, computed: error.computed ?? "", expected: error.expected ?? "" };
    }
    const step = { name, meaning, ...found, ms: performance.now() - begun };
    report.push(step);
    told(step, report.length);
  }
  return report;
}
