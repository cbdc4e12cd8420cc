// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shows where a run's tokens went.
const chosen = {sequence: 0, layer: 0, token: 0};
let spans = [];
const sequence = () => data.sequences[chosen.sequence];
const count = () => sequence().ids.length;
const modeOf = (layer, token) => sequence().modes[layer].charCodeAt(token) - 48;

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

const drawMap = () => drawModeMap(find("map"), data.layers.length, count(), modeOf, chosen);

function drawToken() {
  const token = chosen.token, first = sequence().first;
  find("token").textContent = `Token ${show(first + token)} of ${show(first + count())}: ${JSON.stringify(textOf(token))}, ` +
    `id ${sequence().ids[token]}, ${modes[modeOf(chosen.layer, token)] || "no mode"} in layer ${chosen.layer}`;
  find("token-modes").replaceChildren(tokenModes(data.layers.map((_, layer) => modeOf(layer, token))));
}

function drawCaches() {
  const kind = document.querySelector("input[name=bytes]:checked").value, first = sequence().first;
  find("caches").replaceChildren(...cacheFigure(sequence().caches, kind, first, first + chosen.token + 1));
}

function drawShares() {
  const all = count();
  find("shares").replaceChildren(table("Share of the sequence's tokens in each mode", ["layer", ...modes], data.layers.map((bits, layer) => {
    const totals = [0, 0, 0, 0];
    for (let token = 0; token < all; ++token) ++totals[modeOf(layer, token)];
    return [String(layer), ...totals.map((n, mode) => bits >> mode & 1 ? `${(100 * n / all).toFixed(1)} %` : "–")];
  })));
}

function drawSummary() {
  const last = sequence().caches[sequence().caches.length - 1];
  let listed = 0;
  for (let layer = 0; layer < data.layers.length; ++layer)
    for (let token = 0; token < count(); ++token) listed += modeOf(layer, token) === 2;
  find("subtitle").textContent = data.model + (data.left ? `; ${show(data.left)} more tokens are not on this page` : "");
  find("summary").replaceChildren(...pairs([["tokens", show(count())], ["layers", show(data.layers.length)],
    ["entries of full attention", `${show(listed)} of ${show(count() * data.layers.length)}`],
    ["caches in use", bytesText(sum(last.used))], ["caches reserved", bytesText(sum(last.reserved))]]));
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
  find("legend").append(...modeLegend());
  find("layer").append(...data.layers.map((_, layer) => make("option", {value: layer}, String(layer))));
  find("sequence").append(...data.sequences.map((_, i) => make("option", {value: i}, String(i))));
  find("sequence-choice").hidden = data.sequences.length < 2;
  find("layer").addEventListener("change", event => chooseLayer(Number(event.target.value)));
  find("sequence").addEventListener("change", event => chooseSequence(Number(event.target.value)));
  find("controls").addEventListener("submit", event => event.preventDefault());
  find("text").addEventListener("click", event => { const token = spans.indexOf(event.target); if (token >= 0) chooseToken(token, false); });
  moveByKeys(find("text"), (tokens, layers) => tokens ? chooseToken(chosen.token + tokens) : chooseLayer(chosen.layer + layers));
  find("map").addEventListener("click", event => {
    const place = placeInMap(find("map"), event, data.layers.length, count());
    chooseLayer(place.layer);
    chooseToken(place.token);
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
