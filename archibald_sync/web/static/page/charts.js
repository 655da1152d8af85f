// Draws the charts of the overview with uPlot: bars with the colour of each outcome, and a tip.
// Styles are set through the object model only, which the policy of the page permits.
import { language } from "./data.js";
import { clock } from "./times.js";

const HEIGHT = 192;
const LEAST = 0.03; // of the longest bar: a run that failed at once has a colour to show, too
const KIND_COLOURS = ["--good", "--busy", "--bad", "--warn"];
const drawn = new Map();

draw();
addEventListener("resize", draw);
document.addEventListener("theme", draw);
document.addEventListener("renewed", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

function draw() {
  for (const element of document.querySelectorAll("[data-chart]")) {
    const state = [element.dataset.keep, element.clientWidth, colour("--text")].join();
    const known = drawn.get(element.dataset.chart);
    if (known?.element === element && known.state === state && element.firstChild) continue;
    element.replaceChildren();
    const values = JSON.parse(element.dataset.values);
    (element.dataset.chart === "runs" ? drawRuns : drawChanges)(element, values);
    drawn.set(element.dataset.chart, { element, state });
  }
}

function drawRuns(element, { at, ms, outcome, names, tones }) {
  const seconds = ms.map((one) => one / 1000);
  const fill = outcome.map((one) => colour(`--${tones[one]}`));
  const series = { width: 0, paths: bars(fill), points: { show: false } };
  const label = (i) => `${clock(at[i])} · ${number(seconds[i])} s · ${names[outcome[i]]}`;
  const xs = at.map((_, i) => i);
  const least = LEAST * seconds.reduce((most, one) => Math.max(most, one), 0);
  const heights = seconds.map((one) => Math.max(one, least));
  plot(element, [xs, heights], [series], (i) => (at[i] ? clock(at[i]) : ""), "s", label);
}

function drawChanges(element, { days, kinds }) {
  // Stacked: the first kind on top is drawn first, over its whole height.
  const sums = kinds.map((_, k) =>
    days.map((_, i) => kinds.slice(0, k + 1).reduce((sum, one) => sum + one.values[i], 0)),
  );
  const stack = sums.map((values, k) => {
    const fill = days.map(() => colour(KIND_COLOURS[k]));
    return { values, series: { width: 0, paths: bars(fill), points: { show: false } } };
  }).reverse();
  const label = (i) =>
    `${day(days[i])} · ${kinds.map((one) => `${number(one.values[i])} ${one.name}`).join(", ")}`;
  const data = [days.map((_, i) => i), ...stack.map((one) => one.values)];
  const series = stack.map((one) => one.series);
  plot(element, data, series, (i) => (days[i] ? day(days[i]) : ""), "", label);
}

function plot(element, data, series, tick, unit, label) {
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  new uPlot({
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: (_, low, high) => [low - 0.6, Math.max(high, 7) + 0.6] },
      y: { range: (_, low, high) => [0, (high || 1) * 1.1] },
    },
    axes: [
      { ...axis, size: 28, gap: 6, grid: { show: false }, space: 110, values: (_, at) => at.map((i) => (Number.isInteger(i) ? tick(i) : "")) },
      { ...axis, size: 56, values: (_, at) => at.map((one) => `${number(one)} ${unit}`.trim()) },
    ],
    series: [{}, ...series],
    hooks: { setCursor: [(chart) => point(chart, tip, label)] },
  }, data, element);
  element.append(tip);
}

function point(chart, tip, label) {
  const { idx, left } = chart.cursor;
  tip.hidden = idx == null || left < 0;
  if (tip.hidden) return;
  tip.textContent = label(idx);
  const most = chart.root.clientWidth - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(left + 56 - tip.offsetWidth / 2, most))}px`;
}

function bars(fill) {
  // uPlot colours bar by bar only where both are given.
  const each = { unit: 3, values: () => fill };
  return uPlot.paths.bars({ size: [0.8, 24], disp: { fill: each, stroke: each } });
}

function number(value) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: value < 10 ? 2 : 0 }).format(value);
}

function day(iso) {
  const format = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
  return format.format(new Date(iso));
}

// A token as the browser has it now: only a computed colour knows the theme.
function colour(token) {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(${token})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
