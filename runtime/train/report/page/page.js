// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Draws the curves of a training run.
const modes = [["ssm", "--blue", ""], ["swa", "--orange", "6 3"], ["full", "--green", "2 2"], ["identity", "--grey", "8 3 2 3"]];

const colour = name => `var(${name})`;
function show(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return typeof value === "string" ? value : JSON.stringify(value);
  if (value === 0 || Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size >= 1000 ? Math.round(value).toLocaleString("en") : size < 1e-3 ? value.toExponential(2) : value.toPrecision(4);
}

// A number beside an axis.
function tickText(value) {
  const round = Number(value.toPrecision(6)) || 0, size = Math.abs(round);
  return size >= 1e5 || (size && size < 1e-2) ? round.toExponential().replace("e+", "e") : round.toLocaleString("en");
}

// Round numbers that divide low .. high into about `count` parts.
function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= raw * 0.999) || power * 10;
  const list = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; ++k) list.push(k * step);
  return list;
}

const size = {width: 400, height: 220, left: 46, right: 8, top: 8, bottom: 24};
const plotWidth = size.width - size.left - size.right, plotHeight = size.height - size.top - size.bottom;

// Scales from data to the picture.
function scales(xs, low, high) {
  const first = Math.min(...xs, 0), last = Math.max(...xs, first + 1);
  if (!(high > low)) [low, high] = [low - (Math.abs(low) || 1) * 0.1, low + (Math.abs(low) || 1) * 0.1];
  return {first, last, low, high,
    x: v => size.left + (v - first) / (last - first) * plotWidth,
    y: v => size.top + (high - v) / (high - low) * plotHeight};
}

function axes(picture, s) {
  for (const v of ticks(s.low, s.high, 4)) {
    picture.append(svg("line", {class: "grid", x1: size.left, x2: size.width - size.right, y1: s.y(v), y2: s.y(v)}),
      svg("text", {x: size.left - 5, y: s.y(v) + 4, "text-anchor": "end"}, tickText(v)));
  }
  for (const v of ticks(s.first, s.last, 4)) {
    picture.append(svg("text", {x: Math.min(s.x(v), size.width - 18), y: size.height - 6, "text-anchor": "middle"}, tickText(v)));
  }
}

function legend(series) {
  return make("ul", {class: "legend"}, series.map(line => make("li", {}, [
    svg("svg", {viewBox: "0 0 26 10", "aria-hidden": "true"}, svg("line", {x1: 0, x2: 26, y1: 5, y2: 5,
      stroke: colour(line.colour), "stroke-width": 3, "stroke-dasharray": line.dash || "none"})), " " + line.name])));
}

// The values as a table, at most 24 rows of them.
function valueTable(title, series) {
  const steps = [...new Set(series.flatMap(line => line.points.map(p => p[0])))].sort((a, b) => a - b);
  const every = Math.max(1, Math.ceil(steps.length / 24));
  const rows = steps.filter((_, i) => i % every === 0 || i === steps.length - 1);
  const maps = series.map(line => new Map(line.points));
  return make("details", {}, [make("summary", {}, "Values"), make("div", {class: "scroll", tabindex: "0"},
    table(title, ["step", ...series.map(l => l.name)], rows.map(step => [show(step), ...maps.map(map => show(map.get(step)))])))]);
}

// Shows the values under the pointer.
function readout(picture, s, series, box) {
  const cursor = svg("line", {class: "cursor", y1: size.top, y2: size.height - size.bottom, visibility: "hidden"});
  picture.append(cursor);
  picture.addEventListener("pointermove", event => {
    const frame = picture.getBoundingClientRect();
    const at = s.first + ((event.clientX - frame.left) / frame.width * size.width - size.left) / plotWidth * (s.last - s.first);
    const near = line => line.points.reduce((best, p) => Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best);
    const found = series.map(near);
    const step = found.reduce((best, p) => Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best)[0];
    cursor.setAttribute("x1", s.x(step)); cursor.setAttribute("x2", s.x(step));
    cursor.setAttribute("visibility", "visible");
    box.textContent = `step ${show(step)}: ` + series.map((line, i) => `${line.name} ${show(found[i][1])}`).join(", ");
  });
  picture.addEventListener("pointerleave", () => { cursor.setAttribute("visibility", "hidden"); box.textContent = ""; });
}

function frame(title, series, draw, s) {
  const last = series.map(line => `${line.name} ${show(line.points[line.points.length - 1][1])}`).join(", ");
  const picture = svg("svg", {viewBox: `0 0 ${size.width} ${size.height}`, role: "img", "aria-label": `${title} by step; at the end ${last}`});
  axes(picture, s);
  draw(picture);
  const box = make("div", {class: "readout", "aria-hidden": "true"});
  readout(picture, s, series, box);
  return make("figure", {}, [make("h3", {}, title), legend(series), picture, box, valueTable(title, series)]);
}

// Keeps lines with points that are numbers.
function usable(series) {
  return series.map(line => ({...line, points: line.points.filter(p => Number.isFinite(p[1]))})).filter(line => line.points.length);
}

// A chart of lines {name, colour, dash, points: [[step, value]]}; nothing without points.
function lines(parent, title, wanted, range = {}) {
  const series = usable(wanted);
  if (!series.length) return;
  const all = series.flatMap(line => line.points), values = all.map(p => p[1]);
  const s = scales(all.map(p => p[0]), range.low ?? Math.min(...values), range.high ?? Math.max(...values));
  parent.append(frame(title, series, picture => {
    for (const line of series) {
      const path = line.points.map((p, i) => `${i ? "L" : "M"}${s.x(p[0]).toFixed(1)} ${s.y(p[1]).toFixed(1)}`).join("");
      const dot = line.points.length === 1 ? "h0.01" : "";
      picture.append(svg("path", {class: "curve", d: path + dot, stroke: colour(line.colour), "stroke-dasharray": line.dash || "none",
        "stroke-linecap": dot ? "round" : "butt"}));
    }
  }, s));
}

// A chart of shares that sum to one, on top of each other.
function areas(parent, title, wanted) {
  const series = usable(wanted);
  if (!series.length) return;
  const s = scales(series[0].points.map(p => p[0]), 0, 1);
  parent.append(frame(title, series, picture => {
    let floor = series[0].points.map(() => 0);
    for (const line of series) {
      const top = line.points.map((p, i) => floor[i] + p[1]), x = line.points.map(p => s.x(p[0]));
      if (x.length === 1) { x.push(x[0] + 4); top.push(top[0]); floor.push(floor[0]); }
      const forth = top.map((v, i) => `${i ? "L" : "M"}${x[i].toFixed(1)} ${s.y(v).toFixed(1)}`).join("");
      const back = floor.map((v, i) => `L${x[i].toFixed(1)} ${s.y(v).toFixed(1)}`).reverse().join("");
      picture.append(svg("path", {class: "area curve", d: forth + back + "Z", style: `fill:${colour(line.colour)}`}));
      floor = top.slice(0, line.points.length);
    }
  }, s));
}

const points = (records, value) => records.map(r => [r.step, value(r)]);
const steps = data.steps, evaluations = data.evaluations;
const routed = steps.length && steps[0].layers ? steps[0].layers.map(l => l.layer) : [];
const used = i => modes.map((m, k) => k).filter(k => steps.some(r => ["wanted", "admitted", "p"].some(name => r.layers[i][name][k] > 0)));

function drawLearning() {
  const parent = find("learning-charts"), soft = evaluations.filter(e => e.soft);
  lines(parent, "Loss (nats a token)", [
    {name: "training", colour: "--grey", points: points(steps, r => r.loss)},
    {name: "held out, hard", colour: "--blue", points: points(evaluations, e => e.hard.loss)},
    {name: "held out, soft", colour: "--orange", dash: "6 3", points: points(soft, e => e.soft.loss)}]);
  lines(parent, "Accuracy", [
    {name: "training", colour: "--grey", points: points(steps, r => r.accuracy)},
    {name: "held out, hard", colour: "--blue", points: points(evaluations, e => e.hard.accuracy)},
    {name: "held out, soft", colour: "--orange", dash: "6 3", points: points(soft, e => e.soft.accuracy)},
    {name: "gap", colour: "--red", dash: "2 2", points: points(soft, e => e.gap)}], {low: 0, high: 1});
  lines(parent, "Learning rate", [{name: "learning rate", colour: "--blue", points: points(steps, r => r.lr)}], {low: 0});
  lines(parent, "Norm of the gradient", [{name: "before clipping", colour: "--blue", points: points(steps, r => r.norm)}], {low: 0});
  lines(parent, "Speed (tokens/s)", [{name: "tokens/s", colour: "--blue", points: points(steps, r => r.tokens_per_second)}], {low: 0});
}

function drawShares() {
  const measure = document.querySelector("input[name=measure]:checked").value;
  const parent = find("share-charts");
  parent.replaceChildren();
  routed.forEach((layer, i) => areas(parent, `Layer ${layer}: share of tokens (${measure})`, used(i).map(k => (
    {name: modes[k][0], colour: modes[k][1], points: points(steps, r => r.layers[i][measure][k])}))));
}

function drawRouters() {
  const parent = find("router-charts");
  lines(parent, "Schedule", [
    {name: "hard share", colour: "--blue", points: points(steps, r => r.hard_share)},
    {name: "temperature", colour: "--orange", dash: "6 3", points: points(steps, r => r.temperature)},
    {name: "cap", colour: "--green", dash: "2 2", points: points(steps, r => r.cap)}], {low: 0});
  const palette = ["--blue", "--orange", "--green", "--purple", "--red", "--grey"];
  const byLayer = value => routed.map((layer, i) => ({name: `layer ${layer}`, colour: palette[i % 6],
    dash: ["", "6 3", "2 2"][Math.floor(i / 6) % 3], points: points(steps, r => value(r.layers[i]))}));
  lines(parent, "Entropy of p (nats)", byLayer(l => l.entropy), {low: 0});
  if (steps.some(r => r.layers.some(l => l.refused > 0))) lines(parent, "Share refused", byLayer(l => l.refused), {low: 0});
  routed.forEach((layer, i) => lines(parent, `Layer ${layer}: balancer's bias`, used(i).map(k => (
    {name: modes[k][0], colour: modes[k][1], dash: modes[k][2], points: points(steps, r => r.layers[i].bias[k])}))));
}

// Where the tokens of each class of positions go, at the last evaluation.
function drawClasses() {
  const last = evaluations[evaluations.length - 1];
  if (!last || !last.classes) return;
  find("classes").append(make("div", {class: "scroll", tabindex: "0"}, table(
    `Share of the held-out tokens admitted to each mode, by kind of position, after step ${show(last.step)}`,
    ["layer", "positions", "tokens", ...modes.map(m => m[0])],
    last.classes.map(c => [show(c.layer), c.positions, show(c.tokens), ...c.shares.map(v => v.toFixed(3))]))));
}

function drawSummary() {
  const step = steps[steps.length - 1], evaluation = evaluations[evaluations.length - 1], total = data.run.steps;
  find("subtitle").textContent = data.finished ? "The run has ended." : "The run goes on.";
  if (!step) return;
  const entries = [["step", total ? `${show(step.step)} of ${show(total)}` : show(step.step)], ["loss", show(step.loss)], ["tokens/s", show(step.tokens_per_second)]];
  if (evaluation) entries.push(["held-out accuracy, hard", show(evaluation.hard.accuracy)]);
  if (evaluation && evaluation.soft) entries.push(["held-out accuracy, soft", show(evaluation.soft.accuracy)], ["gap", show(evaluation.gap)]);
  find("summary").append(...pairs(entries));
}

function drawSettings() {
  const list = find("settings-list");
  for (const [name, value] of Object.entries(data.run))
    if (name !== "kind" && name !== "step") list.append(make("dt", {}, name), make("dd", {}, show(value)));
}

// Reloading is a choice kept in the address, which also works for files.
function setUpRefresh() {
  const box = find("refresh");
  box.checked = location.hash === "#refresh";
  box.disabled = data.finished;
  let timer = 0;
  const arm = () => { clearTimeout(timer); if (box.checked && !data.finished) timer = setTimeout(() => location.reload(), 30000); };
  box.addEventListener("change", () => { history.replaceState(null, "", box.checked ? "#refresh" : "#"); arm(); });
  arm();
}

drawSummary();
drawLearning();
if (routed.length) {
  drawShares();
  drawRouters();
  drawClasses();
  for (const input of document.querySelectorAll("input[name=measure]")) input.addEventListener("change", drawShares);
} else {
  find("routing-section").hidden = true;
}
drawSettings();
setUpRefresh();
document.body.dataset.drawn = document.querySelectorAll("path.curve").length;
