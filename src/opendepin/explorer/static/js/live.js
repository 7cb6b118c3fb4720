// One event stream for the whole page. It reconnects by itself and says whether it is there.

const listeners = new Map();
const states = new Set();
const KINDS = ["admitted", "batch", "body", "opened", "assigned", "settled", "paid", "registered", "cover", "head", "rewound"];
let source = null;
let paused = false;

export function onLive(kind, act) {
  if (!listeners.has(kind)) listeners.set(kind, []);
  listeners.get(kind).push(act);
  connect();
}

export function onState(act) {
  states.add(act);
  act(paused ? "paused" : source?.readyState === EventSource.OPEN ? "live" : "away");
}

export function pause(on) {
  paused = on;
  tell(on ? "paused" : source?.readyState === EventSource.OPEN ? "live" : "away");
}

function tell(state) {
  for (const act of states) act(paused ? "paused" : state);
}

function connect() {
  if (source) return;
  source = new EventSource("/api/v1/events");
  source.addEventListener("open", () => tell("live"));
  source.addEventListener("error", () => tell("away"));
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      if (paused) return;
      const data = JSON.parse(event.data);
      for (const act of listeners.get(kind) ?? []) act(data);
    });
  }
}

// A stream left open would hold the connection of the page that comes next.
addEventListener("pagehide", () => {
  source?.close();
  source = null;
});
addEventListener("pageshow", (event) => {
  if (event.persisted) connect();
});
