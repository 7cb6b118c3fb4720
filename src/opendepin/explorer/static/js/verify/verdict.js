// What a report says as a whole, as `depin verify` says it of the same steps.

const BINDING = { message: "message-id", device: "message-form", task: "program" };
// Steps about one message, which the trail of a whole task does not have.
const OF_MESSAGE = ["message-form", "message-id", "device-signature", "receipt-signature", "receipt-path"];

// `fails`; `partial` when nothing fails but a step that belongs to the trail is absent; `holds` when every one holds. A
// `late` step holds for the trail: it proves a promise that was not kept, which touches nothing else.
export function verdictOf(report, kind) {
  const failed = report.filter((step) => step.outcome === "fails");
  const due = report.filter((step) => kind !== "task" || !OF_MESSAGE.includes(step.name));
  const held = due.filter((step) => step.outcome === "holds" || step.outcome === "late");
  const late = due.find((step) => step.outcome === "late");
  const missing = due.filter((step) => step.outcome === "absent");
  const bound = report.find((step) => step.name === BINDING[kind])?.outcome === "holds";
  if (failed.length) {
    const [{ meaning, why }] = failed;
    return { kind: "fails", text: `${failed.length} of ${report.length} steps do not hold`, small: `first: ${meaning.toLowerCase()}. ${why}.` };
  }
  if (!bound) return { kind: "fails", text: "This trail is not bound to what it is said to be about", small: "the step that binds its subject's id is absent" };
  if (missing.length || held.length !== due.length) {
    const text = `What there is of the trail holds: ${held.length} of ${due.length} steps`;
    return { kind: "partial", text, small: `${due.length - held.length} not reached: ${missing[0]?.why ?? "they were not run"}` };
  }
  if (late) return { kind: "holds", text: `All ${held.length} steps were recomputed, one shows a broken promise`, small: `${late.name}: ${late.why}` };
  return { kind: "holds", text: `All ${held.length} steps hold`, small: "" };
}
