// What every page has: colours, search key, copy buttons, and the figures that move with the network.

import { onLive } from "./live.js";

const THEMES = ["auto", "dark", "light"];
const WORDS = { auto: "as the system", dark: "dark", light: "light" };

const button = document.getElementById("theme");
const name = () => {
  const text = `Colours: ${WORDS[window.theme.chosen()]}`;
  button.setAttribute("aria-label", text);
  button.title = text;
};
button.addEventListener("click", () => {
  const next = (THEMES.indexOf(window.theme.chosen()) + 1) % THEMES.length;
  window.theme.choose(THEMES[next]);
  name();
});
name();

addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    document.querySelector(".search input").focus();
  }
});

document.addEventListener("click", async (event) => {
  const from = event.target.closest("[data-copy]");
  if (!from) return;
  try {
    await navigator.clipboard.writeText(from.dataset.copy);
    from.textContent = "copied";
  } catch {
    from.textContent = "select and copy";
  }
  setTimeout(() => (from.textContent = "copy"), 1600);
});

export function show(name, text) {
  for (const place of document.querySelectorAll(`[data-live="${name}"]`)) place.textContent = text;
}

onLive("head", (head) => show("block", head.height.toLocaleString("en-GB").replaceAll(".", ",")));
