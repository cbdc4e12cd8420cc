// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Drawing where tokens went and what the caches hold, for pages of runs and of the server.
const modes = ["ssm", "swa", "full", "identity"];
const parts = ["ssm", "swa", "full", "token_conv", "route"]; // of the caches' bytes
const show = value => value.toLocaleString("en");
const sum = list => list.reduce((a, b) => a + b, 0);
function bytesText(bytes) {
  const unit = bytes >= 1 << 20 ? ["MiB", 1 << 20] : bytes >= 1024 ? ["KiB", 1024] : ["bytes", 1];
  return `${(bytes / unit[1]).toLocaleString("en", {maximumFractionDigits: 1})} ${unit[0]}`;
}
const colourOf = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const modeLegend = () => modes.map(mode => make("li", {}, make("span", {class: mode}, mode)));

// The modes of one token, layer by layer.
const tokenModes = of => make("ul", {class: "legend"}, of.map((mode, layer) =>
  make("li", {}, [`layer ${layer} `, make("span", {class: modes[mode] || "none"}, modes[mode] || "none")])));

// A row for each of `rows` layers, `all` tokens from left to right; modeOf(layer, token) says where each went. Where
// several tokens share a column, the rarest mode but identity is shown, as it would be lost otherwise.
function drawModeMap(canvas, rows, all, modeOf, chosen) {
  const width = canvas.width = Math.max(300, canvas.clientWidth);
  const height = canvas.height = Math.max(40, Math.min(240, rows * 24));
  canvas.style.height = `${height}px`;
  const brush = canvas.getContext("2d"), colours = modes.map(colourOf);
  for (let layer = 0; layer < rows && all; ++layer) {
    const totals = [0, 0, 0, 0];
    for (let token = 0; token < all; ++token) ++totals[modeOf(layer, token)];
    const rank = mode => mode === 3 ? Infinity : totals[mode];
    const top = Math.floor(layer * height / rows), bottom = Math.floor((layer + 1) * height / rows) - 1;
    for (let x = 0; x < width; ++x) {
      const from = Math.floor(x * all / width), to = Math.max(from + 1, Math.floor((x + 1) * all / width));
      let mode = modeOf(layer, from);
      for (let token = from + 1; token < Math.min(to, all); ++token) {
        const other = modeOf(layer, token);
        if (rank(other) < rank(mode)) mode = other;
      }
      brush.fillStyle = colours[mode] || "transparent";
      brush.clearRect(x, top, 1, bottom - top);
      brush.fillRect(x, top, 1, bottom - top);
    }
  }
  canvas.setAttribute("aria-label", `The modes of ${show(all)} tokens in ${rows} layers`);
  if (!all) return;
  brush.strokeStyle = colourOf("blue");
  brush.lineWidth = 2;
  brush.strokeRect(chosen.token * width / all - 1, 1, Math.max(3, width / all), height - 2);
  const top = Math.floor(chosen.layer * height / rows);
  brush.strokeRect(1, top + 1, width - 2, Math.floor(height / rows) - 2);
}

// The token and the layer at a place of the map that was clicked.
function placeInMap(canvas, event, rows, all) {
  const box = canvas.getBoundingClientRect();
  return {layer: Math.floor((event.clientY - box.top) / box.height * rows), token: Math.floor((event.clientX - box.left) / box.width * all)};
}

// Calls move(tokens, layers) for the keys that go from token to token and from layer to layer.
function moveByKeys(element, move) {
  element.addEventListener("keydown", event => {
    const steps = {ArrowLeft: -1, ArrowRight: 1, PageUp: -64, PageDown: 64, Home: -Infinity, End: Infinity};
    if (event.key in steps) move(steps[event.key], 0);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") move(0, event.key === "ArrowUp" ? -1 : 1);
    else return;
    event.preventDefault();
  });
}

// A picture of the caches' bytes over the tokens, by what they are for, on top of each other; and a table of those at
// the end. samples: {position, used[], reserved[]}, at least one; `kind` is drawn; the cursor stands at a position.
function cacheFigure(samples, kind, first, cursor) {
  const size = {width: 800, height: 260, left: 74, right: 12, top: 10, bottom: 28};
  const end = samples[samples.length - 1], last = Math.max(first + 1, end.position);
  const most = Math.max(1, ...samples.map(s => sum(s[kind])));
  const x = v => size.left + (v - first) / (last - first) * (size.width - size.left - size.right);
  const y = v => size.height - size.bottom - v / most * (size.height - size.top - size.bottom);
  const picture = svg("svg", {viewBox: `0 0 ${size.width} ${size.height}`, role: "img",
    "aria-label": `Bytes of the caches by position; at the end ${bytesText(sum(end[kind]))}`});
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
  picture.append(svg("line", {class: "cursor", x1: x(cursor), x2: x(cursor), y1: size.top, y2: size.height - size.bottom}));
  const rows = parts.map((part, k) => [part, k]).filter(([, k]) => samples.some(s => s.used[k] || s.reserved[k]));
  return [picture, make("div", {class: "scroll", tabindex: "0"}, table("Bytes at the end", ["cache", "in use", "reserved"],
    rows.map(([part, k]) => [part, bytesText(end.used[k]), bytesText(end.reserved[k])])))];
}
