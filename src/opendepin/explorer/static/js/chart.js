// A station's readings over the observed days, with the limit as a line.

const place = document.getElementById("chart");
const [times, values] = JSON.parse(place.dataset.series);
const unit = place.dataset.unit;
const limit = Number(place.dataset.limit) || null;
const probe = document.body.appendChild(Object.assign(document.createElement("i"), { hidden: true }));
let chart = null;

// A canvas takes plain colours, so the style says what a name is in the scheme that is shown.
function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function draw() {
  chart?.destroy();
  if (!window.uPlot || !times.length) {
    place.textContent = times.length ? "" : "no reading yet";
    return;
  }
  const [text, line, accent, bad] = ["--muted", "--line", "--accent", "--bad"].map(colour);
  const dates = (_, marks) => marks.map((s) => new Date(s * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }));
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: "12px Inter" };
  chart = new uPlot(
    {
      width: place.clientWidth - 20,
      height: 280,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      scales: { y: { range: (_, __, high) => [0, Math.max(high * 1.12, limit ? limit * 1.3 : 1)] } },
      axes: [{ ...axis, values: dates }, { ...axis, label: unit, labelSize: 22, labelFont: "12px Inter" }],
      series: [
        { label: "Observed", value: (_, s) => (s === null ? "–" : new Date(s * 1000).toISOString().slice(0, 10)) },
        { label: unit, stroke: accent, width: 2, points: { show: times.length < 120, size: 6, fill: accent },
          fill: (u) => {
            const { top, height } = u.bbox;
            if (!Number.isFinite(top + height) || !height) return "transparent";
            const shade = u.ctx.createLinearGradient(0, top, 0, top + height);
            shade.addColorStop(0, `color-mix(in srgb, ${accent} 34%, transparent)`);
            shade.addColorStop(1, "transparent");
            return shade;
          } },
      ],
      hooks: {
        draw: [
          (u) => {
            if (!limit) return;
            const y = u.valToPos(limit, "y", true);
            u.ctx.save();
            u.ctx.strokeStyle = bad;
            u.ctx.fillStyle = bad;
            u.ctx.setLineDash([6, 5]);
            u.ctx.beginPath();
            u.ctx.moveTo(u.bbox.left, y);
            u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
            u.ctx.stroke();
            u.ctx.font = `${12 * devicePixelRatio}px Inter`;
            u.ctx.textAlign = "right";
            u.ctx.fillText(`limit ${limit}`, u.bbox.left + u.bbox.width - 6, y - 6 * devicePixelRatio);
            u.ctx.restore();
          },
        ],
      },
    },
    [times, values],
    place,
  );
}

addEventListener("shade", draw);
new ResizeObserver(() => chart?.setSize({ width: place.clientWidth - 20, height: 280 })).observe(place);
await document.fonts.ready;
draw();
