// The first page: map, live feed, figures that move.

import { show } from "./app.js";
import { onLive, onState, pause } from "./live.js";

const place = document.getElementById("map");
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const scale = 10 ** Number(place.dataset.scale || 0);
window.perf = { idle: false };

const SHADES = {
  dark: { water: "#0a0e14", land: "#17212d", edge: "#2c3b4d", coast: "#22303f", country: "#8fa3b8", town: "#7d92a8", halo: "#101822", ring: "#8fa3b8", stroke: "#0a0e14" },
  light: { water: "#dbe6ef", land: "#fbfcfd", edge: "#b4c3d1", coast: "#c4d1dd", country: "#5a6e82", town: "#6d8093", halo: "#ffffff", ring: "#6d8093", stroke: "#ffffff" },
};
// The colour steps at the limit, so that an exceedance is seen and not guessed.
const COLOUR = ["interpolate", ["linear"], ["get", "value"], 0, "#2dd4a7", 20, "#9bd770", 36, "#f2c14e", 50, "#f59e42", 50.001, "#ff5f57", 120, "#d946ef"];
const EUROPE = [[-10, 36], [30, 60]];

function boundsOf(collection) {
  const places = collection.features.map((f) => f.geometry.coordinates);
  if (!places.length) return EUROPE;
  const ends = (axis) => [Math.min(...places.map((p) => p[axis])), Math.max(...places.map((p) => p[axis]))];
  const [[west, east], [south, north]] = [ends(0), ends(1)];
  return [[west, south], [east, north]];
}

function style(shade) {
  const c = SHADES[shade];
  const layer = (id, type, from, paint, more = {}) => ({ id, type, source: "base", "source-layer": from, paint, ...more });
  const label = (id, from, colour, size, more) =>
    layer(id, "symbol", from, { "text-color": colour, "text-halo-color": c.halo, "text-halo-width": 1.2 }, {
      layout: { "text-field": ["get", "name"], "text-size": size, "text-font": ["Inter"], "text-padding": 6,
        "symbol-sort-key": more.sort ?? 0, "text-anchor": from === "town" ? "top" : "center", "text-offset": [0, from === "town" ? 0.5 : 0] },
      ...(more.minzoom ? { minzoom: more.minzoom } : {}), ...(more.maxzoom ? { maxzoom: more.maxzoom } : {}) });
  return {
    version: 8,
    sources: {
      base: { type: "vector", tiles: [`${location.origin}/tiles/${place.dataset.version}/{z}/{x}/{y}`], maxzoom: 6 },
      stations: { type: "geojson", data: { type: "FeatureCollection", features: [] } },
    },
    layers: [
      { id: "water", type: "background", paint: { "background-color": c.water } },
      layer("land", "fill", "land", { "fill-color": c.land, "fill-outline-color": c.coast }),
      layer("border", "line", "border", { "line-color": c.edge, "line-width": ["interpolate", ["linear"], ["zoom"], 2, 0.4, 7, 1.4] }),
      label("towns", "town", c.town, ["interpolate", ["linear"], ["zoom"], 4, 10, 8, 12.5], { minzoom: 4.6, sort: ["-", ["get", "people"]] }),
      label("countries", "country", c.country, ["interpolate", ["linear"], ["zoom"], 2, 11, 6, 14], { maxzoom: 7.5 }),
      { id: "silent", type: "circle", source: "stations", filter: ["!", ["has", "value"]],
        paint: { "circle-radius": 4, "circle-color": "rgba(0,0,0,0)", "circle-stroke-color": c.ring, "circle-stroke-width": 1.5 } },
      { id: "glow", type: "circle", source: "stations", filter: ["has", "value"],
        paint: { "circle-radius": ["interpolate", ["linear"], ["zoom"], 4, 12, 8, 24], "circle-color": COLOUR, "circle-blur": 1, "circle-opacity": shade === "dark" ? 0.42 : 0.3 } },
      { id: "stations", type: "circle", source: "stations", filter: ["has", "value"],
        paint: { "circle-radius": ["interpolate", ["linear"], ["zoom"], 4, ["case", ["get", "exceeds"], 6, 5], 8, ["case", ["get", "exceeds"], 11, 9]],
          "circle-color": COLOUR, "circle-stroke-color": c.stroke, "circle-stroke-width": 1.4 } },
      { id: "values", type: "symbol", source: "stations", filter: ["has", "value"], minzoom: 7,
        layout: { "text-field": ["number-format", ["get", "value"], { "max-fraction-digits": 0 }], "text-size": 12, "text-font": ["Inter"], "text-offset": [0, 1.5] },
        paint: { "text-color": c.country, "text-halo-color": c.halo, "text-halo-width": 1.4 } },
    ],
  };
}

let stations = { type: "FeatureCollection", features: [] };
const byDevice = new Map();

// A null in GeoJSON counts as present, so silent stations carry no value at all.
function tidy(collection) {
  for (const feature of collection.features) {
    if (feature.properties.value === null) delete feature.properties.value;
    byDevice.set(feature.properties.device, feature);
  }
  return collection;
}

const day = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function popup(p) {
  const value = p.value === undefined || p.value === null ? "<span>silent</span>" : `<span class="value">${escape(p.value)}</span> µg/m³`;
  const when = p.observed_s && p.observed_s !== "null" ? `observed ${day(Number(p.observed_s))}` : "has not reported";
  const trail = p.message && p.message !== "null" ? ` · <a href="/messages/${escape(p.message)}">proof trail</a>` : "";
  return `<b>${escape(p.name)}</b> <span class="muted">${escape(p.region)}</span><br>${value}<br><span class="muted">${when}</span><br><a href="/devices/${escape(p.device)}">station</a>${trail}`;
}

function startMap() {
  if (!window.maplibregl) return;
  const shade = () => document.documentElement.dataset.shade;
  const narrow = innerWidth <= 820;
  const padding = narrow ? { top: 70, bottom: 30, left: 24, right: 24 } : { top: 44, bottom: 44, left: 60, right: 340 };
  const map = new maplibregl.Map({
    container: place, style: style(shade()), bounds: boundsOf(stations), fitBoundsOptions: { padding }, minZoom: 2, maxZoom: 11,
    attributionControl: false, cooperativeGestures: narrow, dragRotate: false, pitchWithRotate: false, fadeDuration: still ? 0 : 200,
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), narrow ? "top-right" : "bottom-left");
  place.removeAttribute("aria-hidden");
  map.getCanvas().setAttribute("aria-label", "Map of the stations; the table below lists the same stations");
  window.map = map;

  const fill = () => map.getSource("stations")?.setData(stations);
  map.on("style.load", fill);
  map.once("idle", () => (window.perf.idle = true));
  addEventListener("shade", () => map.setStyle(style(shade()), { diff: false }));

  const open = new maplibregl.Popup({ offset: 14, closeButton: true, focusAfterOpen: false, maxWidth: "280px" });
  for (const id of ["stations", "silent"]) {
    map.on("click", id, (event) => {
      const feature = event.features[0];
      open.setLngLat(feature.geometry.coordinates).setHTML(popup(feature.properties)).addTo(map);
    });
    map.on("mouseenter", id, () => (map.getCanvas().style.cursor = "pointer"));
    map.on("mouseleave", id, () => (map.getCanvas().style.cursor = ""));
  }

  let dirty = false;
  setInterval(() => {
    if (dirty) fill();
    dirty = false;
  }, 700);
  onLive("admitted", ({ readings }) => {
    for (const reading of readings) {
      const feature = byDevice.get(reading.device);
      if (!feature || reading.value === null) continue;
      const value = reading.value / scale;
      Object.assign(feature.properties, { value, exceeds: value > 50, observed_s: reading.observed_s, message: reading.message });
      dirty = true;
      pulse(map, feature);
    }
  });
}

const waiting = [];
function pulse(map, feature) {
  if (still || document.hidden || waiting.length > 80) return;
  waiting.push(feature);
  if (waiting.length > 1) return;
  const step = () => {
    for (const one of waiting.splice(0, 6)) {
      const ring = document.createElement("div");
      ring.className = "pulse";
      ring.dataset.hot = one.properties.exceeds;
      const marker = new maplibregl.Marker({ element: ring }).setLngLat(one.geometry.coordinates).addTo(map);
      setTimeout(() => marker.remove(), 1400);
    }
    if (waiting.length) setTimeout(step, 90);
  };
  step();
}

const feed = document.getElementById("feed");
const GLYPHS = {};
for (const glyph of document.querySelectorAll("template[data-glyph]")) GLYPHS[glyph.dataset.glyph] = glyph.innerHTML;
const FEED_ROWS = 14;
const tokens = (wei) => {
  const text = BigInt(wei).toString().padStart(19, "0");
  return `${text.slice(0, -18)}.${text.slice(-18)}`.replace(/\.?0+$/, "");
};
const short = (text) => (text ? `${text.slice(0, 8)}…${text.slice(-4)}` : "");
const plural = (n, one, many) => `${n} ${n === 1 ? one : many}`;
const SAY = {
  admitted: (e) => [plural(e.readings.length, "reading admitted", "readings admitted"), `/messages/${e.readings[0].message}`, "receipts signed", e.readings[0].message],
  batch: (e) => [`Batch ${e.number} accepted`, `/batches/${e.number}`, `block ${e.height}`, e.header_hash],
  assigned: (e) => ["Operator drawn", `/tasks/${e.task}`, `block ${e.height}`, e.task],
  settled: (e) => ["Proof verified, settled", `/tasks/${e.task}`, `block ${e.height}`, e.task],
  paid: (e) => [plural(e.claims, "claim paid", "claims paid"), `/tasks/${e.task}`, `${tokens(e.amount)} ODP, block ${e.height}`, e.task],
  registered: (e) => [plural(e.devices, "device changed", "devices changed"), "/devices", `block ${e.height}`, ""],
  cover: (e) => [{ PayoutDue: "Payout due", PayoutTaken: "Payout taken", PayoutShort: "Cover too short" }[e.name], "/cover", `block ${e.height}`, e.tx],
};

function row(kind, data) {
  const [what, href, where, subject] = SAY[kind](data);
  const item = document.createElement("li");
  item.dataset.kind = kind;
  item.className = still ? "" : "fresh";
  const part = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.textContent = text;
    return made;
  };
  const glyph = part("span", "glyph", "");
  glyph.innerHTML = GLYPHS[kind] ?? "";
  const link = part("a", "what", what);
  link.href = href;
  const when = part("span", "when", "now");
  when.dataset.time = String(Math.floor(Date.now() / 1000));
  const sub = part("span", "sub", "");
  sub.append(part("span", "", where), part("span", "mono", short(subject)));
  item.append(glyph, link, when, sub);
  if (kind === "admitted") item.dataset.count = String(data.readings.length);
  feed.prepend(item);
  while (feed.children.length > FEED_ROWS) feed.lastElementChild.remove();
}
// Readings come in small groups: while nothing else happens they are one line that counts on.
function countOn(data) {
  const top = feed.firstElementChild;
  if (!top?.dataset.count) return false;
  const count = Number(top.dataset.count) + data.readings.length;
  top.dataset.count = String(count);
  top.querySelector(".what").textContent = plural(count, "reading admitted", "readings admitted");
  top.querySelector(".when").dataset.time = String(Math.floor(Date.now() / 1000));
  return true;
}

for (const kind of Object.keys(SAY)) {
  onLive(kind, (data) => {
    if (kind === "admitted" && countOn(data)) return;
    if (kind !== "cover" || data.name.startsWith("Payout")) row(kind, data);
  });
}

setInterval(() => {
  const now = Date.now() / 1000;
  for (const when of feed.querySelectorAll(".when[data-time]")) {
    const age = now - Number(when.dataset.time);
    if (!when.dataset.time || age > 3600 || age < 0) continue;
    when.textContent = age < 2 ? "now" : age < 90 ? `${Math.round(age)} s` : `${Math.round(age / 60)} min`;
  }
}, 1000);

const live = document.querySelector(".live");
onState((state) => {
  live.dataset.state = state;
  live.querySelector(".text").textContent = { live: "live", away: "reconnecting", paused: "paused" }[state];
});
const stop = document.getElementById("pause");
stop.addEventListener("click", () => {
  const on = stop.getAttribute("aria-pressed") !== "true";
  stop.setAttribute("aria-pressed", String(on));
  stop.setAttribute("aria-label", on ? "Resume live updates" : "Pause live updates");
  pause(on);
});

const group = (n) => n.toLocaleString("en-US");
let asked = false;
async function refresh() {
  if (asked) return;
  asked = true;
  setTimeout(async () => {
    asked = false;
    const answer = await fetch("/api/v1/stats");
    if (!answer.ok) return;
    const found = await answer.json();
    for (const [name, figure] of Object.entries(found)) {
      if (figure && typeof figure === "object" && "value" in figure && figure.value !== null) {
        show(name, typeof figure.value === "number" ? group(figure.value) : figure.value);
      }
    }
    if (found.observed_s) show("observed", day(found.observed_s));
  }, 900);
}
for (const kind of ["admitted", "body", "settled", "paid", "rewound"]) onLive(kind, refresh);

stations = tidy(await (await fetch("/api/v1/map")).json());
startMap();
