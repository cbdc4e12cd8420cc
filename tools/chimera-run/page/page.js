// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shows where a run's tokens went, from the JSON in the element "data".
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const modes = ["ssm", "swa", "full", "identity"];
const parts = ["ssm", "swa", "full", "token_conv", "route"]; // of the caches' bytes
const find = id => document.getElementById(id);
const chosen = {sequence: 0, layer: 0, token: 0};
let spans = [];
const sequence = () => data.sequences[chosen.sequence];
const count = () => sequence().ids.length;
const modeOf = (layer, token) => sequence().modes[layer].charCodeAt(token) - 48;

// Makes an element; `svg` in the name space of SVG.
function make(name, attributes = {}, children = [], space = null) {
  const element = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...[children].flat());
  return element;
}
const svg = (name, attributes, children) => make(name, attributes, children, "http://www.w3.org/2000/svg");
const show = value => value.toLocaleString("en");
function bytesText(bytes) {
  const unit = bytes >= 1 << 20 ? ["MiB", 1 << 20] : bytes >= 1024 ? ["KiB", 1024] : ["bytes", 1];
  return `${(bytes / unit[1]).toLocaleString("en", {maximumFractionDigits: 1})} ${unit[0]}`;
}

// What stands for a token: its text, or its number.
const textOf = token => sequence().texts ? sequence().texts[token] : `${sequence().ids[token]} `;

// A span for each token.
function drawText() {
  const fragment = document.createDocumentFragment();
  spans = sequence().ids.map((_, token) => {
    const span = document.createElement("span");
    span.textContent = textOf(token);
    fragment.append(span);
    return span;
  });
  find("text").replaceChildren(fragment);
}

// Colours the text by the chosen layer.
function paint() {
  const digits = sequence().modes[chosen.layer];
  for (let token = 0; token < spans.length; ++token) spans[token].className = modes[digits.charCodeAt(token) - 48] || "";
  if (spans.length) spans[chosen.token].classList.add("chosen");
}

const colourOf = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// A row for each layer, tokens from left to right. Where several tokens share a column, the rarest mode but identity of
// the sequence is shown, as it would be lost otherwise.
function drawMap() {
  const canvas = find("map"), width = canvas.width = Math.max(300, canvas.clientWidth), rows = data.layers.length;
  const height = canvas.height = Math.max(40, Math.min(240, rows * 24));
  canvas.style.height = `${height}px`;
  const brush = canvas.getContext("2d"), all = count(), colours = modes.map(colourOf);
  for (let layer = 0; layer < rows; ++layer) {
    const digits = sequence().modes[layer], totals = [0, 0, 0, 0];
    for (let token = 0; token < all; ++token) ++totals[digits.charCodeAt(token) - 48];
    const rank = mode => mode === 3 ? Infinity : totals[mode];
    const top = Math.floor(layer * height / rows), bottom = Math.floor((layer + 1) * height / rows) - 1;
    for (let x = 0; x < width; ++x) {
      const from = Math.floor(x * all / width), to = Math.max(from + 1, Math.floor((x + 1) * all / width));
      let mode = digits.charCodeAt(from) - 48;
      for (let token = from + 1; token < Math.min(to, all); ++token) {
        const other = digits.charCodeAt(token) - 48;
        if (rank(other) < rank(mode)) mode = other;
      }
      brush.fillStyle = colours[mode] || "transparent";
      brush.clearRect(x, top, 1, bottom - top);
      brush.fillRect(x, top, 1, bottom - top);
    }
  }
  brush.strokeStyle = colourOf("focus");
  brush.lineWidth = 2;
  brush.strokeRect(chosen.token * width / all - 1, 1, Math.max(3, width / all), height - 2);
  const top = Math.floor(chosen.layer * height / rows);
  brush.strokeRect(1, top + 1, width - 2, Math.floor(height / rows) - 2);
  canvas.setAttribute("aria-label", `The modes of ${show(all)} tokens in ${rows} layers`);
}

function drawToken() {
  const token = chosen.token, first = sequence().first;
  find("token").textContent = `Token ${show(first + token)} of ${show(first + count())}: ${JSON.stringify(textOf(token))}, ` +
    `id ${sequence().ids[token]}, ${modes[modeOf(chosen.layer, token)] || "no mode"} in layer ${chosen.layer}`;
  find("token-modes").replaceChildren(make("ul", {class: "legend"}, data.layers.map((_, layer) => {
    const mode = modes[modeOf(layer, token)] || "none";
    return make("li", {}, [`layer ${layer} `, make("span", {class: mode}, mode)]);
  })));
}

// The bytes of the caches over the tokens, by what they are for, on top of each other.
function drawCaches() {
  const kind = document.querySelector("input[name=bytes]:checked").value, samples = sequence().caches;
  const size = {width: 800, height: 260, left: 74, right: 12, top: 10, bottom: 28};
  const most = Math.max(1, ...samples.map(s => s[kind].reduce((a, b) => a + b, 0)));
  const first = sequence().first, last = Math.max(first + 1, samples[samples.length - 1].position);
  const x = v => size.left + (v - first) / (last - first) * (size.width - size.left - size.right);
  const y = v => size.height - size.bottom - v / most * (size.height - size.top - size.bottom);
  const end = samples[samples.length - 1][kind], total = end.reduce((a, b) => a + b, 0);
  const picture = svg("svg", {viewBox: `0 0 ${size.width} ${size.height}`, role: "img",
    "aria-label": `Bytes of the caches by position; at the end ${bytesText(total)}`});
  for (let i = 0; i <= 4; ++i) {
    picture.append(svg("line", {class: "grid", x1: size.left, x2: size.width - size.right, y1: y(most * i / 4), y2: y(most * i / 4)}),
      svg("text", {x: size.left - 6, y: y(most * i / 4) + 4, "text-anchor": "end"}, bytesText(most * i / 4)),
      svg("text", {x: x(first + (last - first) * i / 4), y: size.height - 8, "text-anchor": i === 4 ? "end" : "middle"},
        show(Math.round(first + (last - first) * i / 4))));
  }
  let floor = samples.map(() => 0);
  parts.forEach((part, k) => {
    const top = samples.map((s, i) => floor[i] + s[kind][k]);
    if (top.some((v, i) => v > floor[i])) {
      const forth = samples.map((s, i) => `${i ? "L" : "M"}${x(s.position).toFixed(1)} ${y(top[i]).toFixed(1)}`).join("");
      const back = samples.map((s, i) => `L${x(s.position).toFixed(1)} ${y(floor[i]).toFixed(1)}`).reverse().join("");
      picture.append(svg("path", {class: "area", d: forth + back + "Z", style: `fill:var(--${part})`}));
    }
    floor = top;
  });
  picture.append(svg("line", {class: "cursor", x1: x(first + chosen.token + 1), x2: x(first + chosen.token + 1), y1: size.top, y2: size.height - size.bottom}));
  const rows = parts.map((part, k) => [part, k]).filter(([, k]) => samples.some(s => s.used[k] || s.reserved[k]));
  find("caches").replaceChildren(picture, make("div", {class: "scroll", tabindex: "0"}, make("table", {}, [
    make("caption", {}, "Bytes at the end"),
    make("thead", {}, make("tr", {}, ["cache", "in use", "reserved"].map(name => make("th", {scope: "col"}, name)))),
    make("tbody", {}, rows.map(([part, k]) => make("tr", {}, [make("th", {scope: "row"}, part), ...["used", "reserved"].map(which =>
      make("td", {}, bytesText(samples[samples.length - 1][which][k])))])))])));
}

function drawShares() {
  const all = count();
  find("shares").replaceChildren(make("table", {}, [
    make("caption", {}, "Share of the sequence's tokens in each mode"),
    make("thead", {}, make("tr", {}, ["layer", ...modes].map(name => make("th", {scope: "col"}, name)))),
    make("tbody", {}, data.layers.map((bits, layer) => {
      const totals = [0, 0, 0, 0];
      for (let token = 0; token < all; ++token) ++totals[modeOf(layer, token)];
      return make("tr", {}, [make("th", {scope: "row"}, String(layer)), ...totals.map((n, mode) =>
        make("td", {}, bits >> mode & 1 ? `${(100 * n / all).toFixed(1)} %` : "–"))]);
    }))]));
}

function drawSummary() {
  const last = sequence().caches[sequence().caches.length - 1], sum = list => list.reduce((a, b) => a + b, 0);
  let listed = 0;
  for (let layer = 0; layer < data.layers.length; ++layer)
    for (let token = 0; token < count(); ++token) listed += modeOf(layer, token) === 2;
  find("subtitle").textContent = data.model + (data.left ? `; ${show(data.left)} more tokens are not on this page` : "");
  find("summary").replaceChildren(...[["tokens", show(count())], ["layers", show(data.layers.length)],
    ["entries of full attention", `${show(listed)} of ${show(count() * data.layers.length)}`],
    ["caches in use", bytesText(sum(last.used))], ["caches reserved", bytesText(sum(last.reserved))]].map(([name, value]) =>
      make("div", {}, [make("dt", {}, name), make("dd", {}, value)])));
}

function chooseToken(token, scroll = true) {
  const next = Math.max(0, Math.min(count() - 1, token));
  spans[chosen.token].classList.remove("chosen");
  chosen.token = next;
  spans[next].classList.add("chosen");
  if (scroll) spans[next].scrollIntoView({block: "nearest"});
  drawToken();
  drawMap();
  drawCaches();
}

function chooseLayer(layer) {
  chosen.layer = Math.max(0, Math.min(data.layers.length - 1, layer));
  find("layer").value = String(chosen.layer);
  paint();
  drawToken();
  drawMap();
}

function chooseSequence(index) {
  Object.assign(chosen, {sequence: index, token: 0});
  drawText();
  paint();
  drawSummary();
  drawToken();
  drawMap();
  drawCaches();
  drawShares();
}

function setUp() {
  find("legend").append(...modes.map(mode => make("li", {}, make("span", {class: mode}, mode))));
  find("layer").append(...data.layers.map((_, layer) => make("option", {value: layer}, String(layer))));
  find("sequence").append(...data.sequences.map((_, i) => make("option", {value: i}, String(i))));
  find("sequence-choice").hidden = data.sequences.length < 2;
  find("layer").addEventListener("change", event => chooseLayer(Number(event.target.value)));
  find("sequence").addEventListener("change", event => chooseSequence(Number(event.target.value)));
  find("controls").addEventListener("submit", event => event.preventDefault());
  find("text").addEventListener("click", event => { const token = spans.indexOf(event.target); if (token >= 0) chooseToken(token, false); });
  find("text").addEventListener("keydown", event => {
    const steps = {ArrowLeft: -1, ArrowRight: 1, PageUp: -64, PageDown: 64, Home: -Infinity, End: Infinity};
    if (event.key in steps) chooseToken(chosen.token + steps[event.key]);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") chooseLayer(chosen.layer + (event.key === "ArrowUp" ? -1 : 1));
    else return;
    event.preventDefault();
  });
  find("map").addEventListener("click", event => {
    const box = find("map").getBoundingClientRect();
    chooseLayer(Math.floor((event.clientY - box.top) / box.height * data.layers.length));
    chooseToken(Math.floor((event.clientX - box.left) / box.width * count()));
  });
  for (const input of document.querySelectorAll("input[name=bytes]")) input.addEventListener("change", drawCaches);
  addEventListener("resize", drawMap);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawMap);
}

if (data.sequences.length) {
  setUp();
  // The layer with the most to see: the first that routes.
  chosen.layer = Math.max(0, data.layers.findIndex(bits => bits & (bits - 1)));
  find("layer").value = String(chosen.layer);
  chooseSequence(0);
} else {
  find("subtitle").textContent = `${data.model}: no token was fed`;
  document.querySelector("main").hidden = true;
}
document.body.dataset.tokens = spans.length;
