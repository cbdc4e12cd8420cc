// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Asks the server that this page came from, and shows where the tokens go while they do.
let model = null, tokens = [], spans = [], samples = [], messages = [], running = null, drawn = 0;
const chosen = {layer: 0, token: 0};
const layers = () => model ? model.layers.length : 0;
const modeOf = (layer, token) => tokens[token].modes.charCodeAt(layer) - 48;
const textOf = token => token.text === undefined ? `${token.id} ` : token.text;
const isChat = () => document.querySelector("input[name=kind]:checked").value === "chat";
const first = () => tokens.length ? tokens[0].position : 0;

function tell(text, wrong = false) {
  find("state").textContent = text;
  find("state").classList.toggle("wrong", wrong);
}

// Asks with the key; an error is what the server says of it.
async function ask(path, options = {}) {
  const headers = {"Content-Type": "application/json"};
  if (find("key").value) headers.Authorization = `Bearer ${find("key").value}`;
  const reply = await fetch(path, {...options, headers});
  if (reply.ok) return reply;
  if (reply.status === 401) find("key-choice").hidden = false;
  const body = await reply.json().catch(() => null);
  throw new Error(body && body.error ? body.error.message : `the server answers with status ${reply.status}`);
}

async function readModel() {
  model = (await (await ask("/v1/models")).json()).data[0];
  find("subtitle").textContent = `${model.id}, ${show(layers())} layers, at most ${show(model.max_context)} tokens`;
  find("layer").replaceChildren(...model.layers.map((_, layer) => make("option", {value: layer}, String(layer))));
  chosen.layer = Math.max(0, model.layers.findIndex(names => names.length > 1)); // the first that routes
  find("layer").value = String(chosen.layer);
  const chat = document.querySelector("input[value=chat]");
  chat.disabled = !model.chat;
  chat.checked = model.chat;
  chooseKind();
}

function drawToken() {
  const token = tokens[chosen.token];
  find("token").textContent = token ? `Token ${show(token.position)}: ${JSON.stringify(textOf(token))}, id ${token.id}, ` +
    `${modes[modeOf(chosen.layer, chosen.token)] || "no mode"} in layer ${chosen.layer}` : "";
  find("token-modes").replaceChildren(...token ? [tokenModes(model.layers.map((_, layer) => modeOf(layer, chosen.token)))] : []);
}

function paint(token) {
  spans[token].className = modes[modeOf(chosen.layer, token)] || "";
  spans[token].classList.toggle("made", tokens[token].made);
  spans[token].classList.toggle("chosen", token === chosen.token);
}

function drawPictures() {
  drawModeMap(find("map"), layers(), tokens.length, modeOf, chosen);
  const kind = document.querySelector("input[name=bytes]:checked").value;
  find("caches").replaceChildren(...samples.length ? cacheFigure(samples, kind, first(), first() + chosen.token + 1) : []);
}

function chooseToken(token) {
  const last = chosen.token;
  chosen.token = Math.max(0, Math.min(tokens.length - 1, token));
  for (const one of [last, chosen.token]) if (spans[one]) paint(one);
  if (spans[chosen.token]) spans[chosen.token].scrollIntoView({block: "nearest"});
  drawToken();
  drawPictures();
}

function chooseLayer(layer) {
  chosen.layer = Math.max(0, Math.min(layers() - 1, layer));
  find("layer").value = String(chosen.layer);
  spans.forEach((_, token) => paint(token));
  drawToken();
  drawPictures();
}

function chooseKind() {
  find("messages").hidden = find("clear").hidden = !isChat();
  find("prompt-label").textContent = isChat() ? "Message" : "Text";
}

function drawMessages() {
  find("messages").replaceChildren(...messages.map(({role, content}) => make("li", {class: role}, [make("b", {}, role), content])));
}

// Halves the samples where there are more than a picture shows.
function addSample(cache) {
  samples.push({position: cache.position, used: parts.map(part => cache.used[part]), reserved: parts.map(part => cache.reserved[part])});
  if (samples.length > 1024) samples = samples.filter((_, i) => i % 2 === 0 || i === samples.length - 1);
}

function addTokens(routing) {
  routing.tokens.forEach((id, i) => {
    const position = routing.position + i;
    tokens.push({id, position, text: routing.texts && routing.texts[i], modes: routing.modes[i], made: position >= routing.prompt_tokens});
    spans.push(make("span", {}, textOf(tokens[tokens.length - 1])));
    paint(spans.length - 1);
    find("text").append(spans[spans.length - 1]);
  });
  addSample(routing.cache);
  find("text").scrollTop = find("text").scrollHeight;
}

// What is drawn of all tokens is drawn a few times a second.
function drawProgress(answer, end) {
  const now = performance.now();
  if (!end && now - drawn < 200) return;
  drawn = now;
  const made = tokens.filter(token => token.made).length, last = samples[samples.length - 1];
  const seconds = (answer.last - answer.first) / 1000, entries = [["tokens of the prompt", show(answer.prompt)], ["new tokens", show(answer.usage ? answer.usage.completion_tokens : made)]];
  if (answer.times > 1 && seconds > 0) entries.push(["tokens/s", show(Math.round((answer.times - 1) / seconds * 10) / 10)]);
  if (first()) entries.push(["tokens kept from before", show(first())]);
  if (last) entries.push(["caches in use", bytesText(sum(last.used))], ["caches reserved", bytesText(sum(last.reserved))]);
  const details = answer.usage && answer.usage.completion_tokens_details;
  if (details) entries.push(["guesses right", `${show(details.accepted_prediction_tokens)} of ${show(details.accepted_prediction_tokens + details.rejected_prediction_tokens)}`]);
  find("summary").replaceChildren(...pairs(entries));
  drawToken();
  drawPictures();
}

function takeEvent(event, answer) {
  if (event.error) throw new Error(event.error.message);
  if (event.usage) answer.usage = event.usage;
  for (const choice of event.choices) {
    const text = choice.delta ? choice.delta.content || "" : choice.text;
    if (choice.routing) {
      addTokens(choice.routing);
      answer.prompt = choice.routing.prompt_tokens;
      const made = choice.routing.tokens.filter((_, i) => choice.routing.position + i >= answer.prompt).length;
      if (made) {
        answer.last = performance.now();
        if (!answer.times) answer.first = answer.last;
        answer.times += made;
      }
    }
    answer.text += text;
    if (choice.finish_reason) answer.finish = choice.finish_reason;
  }
}

// Reads server-sent events, each as it comes.
async function readEvents(reply, take) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const {value, done} = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) if (event !== "data: [DONE]") take(JSON.parse(event.slice(6)));
  }
}

function requestOf(chat) {
  const request = {stream: true, stream_options: {include_usage: true}, routing: true, max_tokens: Number(find("tokens").value) || 200};
  for (const [field, id] of [["temperature", "temperature"], ["seed", "seed"], ["speculation", "guesses"]])
    if (find(id).value !== "") request[field] = Number(find(id).value);
  if (chat) request.messages = messages;
  else request.prompt = find("prompt").value;
  return request;
}

// What was chosen last was fed to nobody, so it has no mode; it is part of the text all the same.
function addRest(answer) {
  const made = tokens.filter(token => token.made && token.text !== undefined).map(token => token.text).join("");
  if (answer.text.length > made.length && answer.text.startsWith(made))
    find("text").append(make("span", {class: "made", title: "not fed, so it has no mode"}, answer.text.slice(made.length)));
}

function clearTokens() {
  [tokens, spans, samples] = [[], [], []];
  chosen.token = 0;
  find("text").replaceChildren();
  find("summary").replaceChildren();
}

async function send() {
  if (running) return;
  const chat = isChat(), answer = {text: "", prompt: 0, times: 0, first: 0, last: 0, usage: null, finish: ""};
  running = new AbortController();
  find("send").disabled = true;
  find("stop").disabled = false;
  tell("The model reads and writes.");
  if (chat) {
    messages.push({role: "user", content: find("prompt").value});
    drawMessages();
  }
  clearTokens();
  try {
    if (!model) await readModel();
    const reply = await ask(chat ? "/v1/chat/completions" : "/v1/completions",
      {method: "POST", body: JSON.stringify(requestOf(chat)), signal: running.signal});
    if (chat) find("prompt").value = "";
    await readEvents(reply, event => { takeEvent(event, answer); drawProgress(answer, false); });
    tell(answer.finish === "length" ? "The end: as many tokens as were asked for." : "The end.");
  } catch (error) {
    tell(error.name === "AbortError" ? "Stopped." : error.message, error.name !== "AbortError");
    if (chat && !answer.text) messages.pop(); // It can be sent again.
  }
  if (chat && answer.text) messages.push({role: "assistant", content: answer.text});
  drawMessages();
  addRest(answer);
  drawProgress(answer, true);
  running = null;
  find("send").disabled = false;
  find("stop").disabled = true;
  document.body.dataset.ended = tokens.length;
}

function setUp() {
  find("legend").append(...modeLegend());
  find("ask").addEventListener("submit", event => { event.preventDefault(); send(); });
  find("stop").addEventListener("click", () => running && running.abort());
  find("clear").addEventListener("click", () => { messages = []; drawMessages(); clearTokens(); find("prompt").focus(); });
  addEventListener("keydown", event => {
    if (event.key === "Escape" && running) running.abort();
    if (event.key === "Enter" && event.ctrlKey) send();
  });
  for (const input of document.querySelectorAll("input[name=kind]")) input.addEventListener("change", chooseKind);
  for (const input of document.querySelectorAll("input[name=bytes]")) input.addEventListener("change", drawPictures);
  find("key").addEventListener("change", () => readModel().then(() => tell(""), error => tell(error.message, true)));
  find("layer").addEventListener("change", event => chooseLayer(Number(event.target.value)));
  find("text").addEventListener("click", event => { const token = spans.indexOf(event.target); if (token >= 0) chooseToken(token); });
  moveByKeys(find("text"), (steps, rows) => { if (tokens.length) steps ? chooseToken(chosen.token + steps) : chooseLayer(chosen.layer + rows); });
  find("map").addEventListener("click", event => {
    if (!tokens.length) return;
    const place = placeInMap(find("map"), event, layers(), tokens.length);
    chooseLayer(place.layer);
    chooseToken(place.token);
  });
  addEventListener("resize", drawPictures);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawPictures);
}

setUp();
readModel().catch(error => tell(error.message, true)).finally(() => { document.body.dataset.ready = layers(); });
