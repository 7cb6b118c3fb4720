// "Verify in this browser": runs the steps over the trail's bundle and shows each with the values it compared.

import { altered } from "./alter.js";
import { STEPS, verify } from "./steps.js";
import { verdictOf } from "./verdict.js";

const card = document.getElementById("verifier");
const run = document.getElementById("run-verify");
const MARKS = { holds: "✓", fails: "✗", late: "!", absent: "–", waits: "" };
const VERDICT_MARKS = { holds: "✓", partial: "–", fails: "✗", running: "…" };
const WORDS = { holds: "holds", fails: "does not hold", late: "shows a broken promise", absent: "not reached", waits: "waits" };

let pristine = null;
let anchor = null;

const make = (tag, name, text) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
};

function pair(list, name, value) {
  if (!value) return;
  list.append(make("dt", "", name), make("dd", "mono", value));
}

function detail(step, onAlter) {
  const box = make("div", "detail");
  const list = make("dl", "pair");
  if (step.why) {
    list.append(make("dt", "", "Why"), make("dd", "", step.why));
  }
  pair(list, "Computed", step.computed);
  pair(list, "Compared", step.expected);
  if (step.from) list.append(make("dt", "", "From"), make("dd", "", step.from));
  box.append(list);
  if (onAlter && altered(pristine, step.name)) {
    const button = make("button", "button", "Alter a byte here");
    button.type = "button";
    button.dataset.alter = step.name;
    button.addEventListener("click", () => onAlter(step.name));
    const row = make("div");
    row.append(button);
    box.append(row);
  }
  return box;
}

function item(step, onAlter) {
  const row = make("li");
  row.dataset.outcome = step.outcome;
  row.dataset.step = step.name;
  const fold = make("details");
  fold.open = step.outcome === "fails";
  const summary = make("summary");
  const mark = make("span", "mark", MARKS[step.outcome]);
  mark.setAttribute("aria-hidden", "true");
  const title = make("span", "title", step.meaning);
  title.append(make("span", "visually-hidden", `: ${WORDS[step.outcome]}`));
  if (step.why) title.append(make("small", "", step.why));
  summary.append(mark, title, make("span", "ms", step.ms === undefined ? "" : `${step.ms < 1 ? "<1" : Math.round(step.ms)} ms`));
  fold.append(summary, detail(step, onAlter));
  row.append(fold);
  return row;
}

function verdict(kind, text, small) {
  const box = card.querySelector(".verdict");
  box.hidden = false;
  box.dataset.verdict = kind;
  box.replaceChildren();
  const words = make("span", "", text);
  if (small) words.append(make("small", "", small));
  box.append(make("span", "", VERDICT_MARKS[kind]), words);
}

async function show(bundle, change) {
  run.disabled = true;
  card.querySelector(".intro").hidden = true;
  card.querySelector(".altered-row")?.remove();
  verdict("running", "Recomputing…");
  const list = card.querySelector(".steps");
  list.hidden = false;
  list.replaceChildren(...STEPS.map(([name, meaning]) => item({ name, meaning, outcome: "waits" })));
  const begun = performance.now();
  const report = await verify(bundle, anchor, (step, count) => {
    list.replaceChild(item(step, alter), list.children[count - 1]);
    verdict("running", `Recomputing… ${count} of ${STEPS.length}`);
  });
  const seconds = `${((performance.now() - begun) / 1000).toFixed(1)} s`;
  const whole = verdictOf(report, bundle.subject.kind);
  if (whole.kind === "fails") verdict("fails", whole.text, whole.small);
  else {
    const block = bundle.l1 ? `down to L1 block hash ${bundle.l1.block.hash.slice(0, 18)}…, which you should compare with a node of your own` : "";
    verdict(whole.kind, `${whole.text}, recomputed here in ${seconds}`, [block, whole.small].filter(Boolean).join("; "));
  }
  if (!change) {
    const hint = "Open a step to see the values it compared. There you can alter a byte and watch it turn red.";
    const row = make("div", "altered-row body");
    row.append(make("p", "muted small", hint));
    card.insertBefore(row, list);
  } else {
    const box = make("div", "altered");
    const undo = make("button", "button", "Restore the true bytes");
    undo.type = "button";
    undo.id = "restore";
    undo.addEventListener("click", () => show(pristine));
    box.append(make("span", "", `You altered ${change.what}, ${change.how}.`), undo);
    const wrap = make("div", "altered-row body");
    wrap.append(box);
    card.insertBefore(wrap, list);
  }
  run.disabled = false;
  run.textContent = "Verify again";
  card.dataset.done = String(Number(card.dataset.done ?? 0) + 1);
  return report;
}

async function alter(step) {
  const change = altered(pristine, step);
  if (!change) return;
  await show(change.bundle, change);
  card.scrollIntoView({ block: "start" });
  card.querySelector(`[data-step="${step}"] summary`)?.focus({ preventScroll: true });
}

run.addEventListener("click", async () => {
  run.disabled = true;
  verdict("running", "Fetching the raw bytes…");
  try {
    const [trail, network] = await Promise.all([card.dataset.trail, "/api/v1/network"].map((url) => fetch(url)));
    if (!trail.ok || !network.ok) throw new Error(`the server answered ${trail.status} and ${network.status}`);
    pristine = (await trail.json()).bundle;
    anchor = await network.json();
    await show(pristine);
  } catch (error) {
    verdict("fails", "The trail could not be fetched", error.message);
    run.disabled = false;
  }
});

// The button waits for this script: a click before it would be lost.
run.disabled = false;
