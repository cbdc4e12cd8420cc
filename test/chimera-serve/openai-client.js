// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The calls of OpenAI's own client library (npm package openai) against a server of the byte model with a chat template.
// Prints "ok" and the number of checks, or ends with an error.
//
//   node openai-client.js NODE_MODULES PORT KEY
const assert = require('assert');
const [modules, port, key] = process.argv.slice(2);
const {OpenAI, AuthenticationError, BadRequestError, NotFoundError} = require(modules + '/openai');
const client = new OpenAI({baseURL: `http://127.0.0.1:${port}/v1`, apiKey: key, maxRetries: 0});
const messages = [{role: 'user', content: 'Hello'}];
let checks = 0;

async function models() {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.deepStrictEqual(names, ['m']);
  assert.strictEqual((await client.models.retrieve('m')).object, 'model');
  await assert.rejects(client.models.retrieve('other'), NotFoundError);
}

async function completions() {
  const ask = {model: 'm', prompt: 'abc', max_tokens: 20, seed: 3, temperature: 3000};
  const whole = await client.completions.create(ask);
  assert.strictEqual(whole.object, 'text_completion');
  assert.strictEqual(whole.usage.completion_tokens, 20);
  assert.strictEqual(whole.choices[0].finish_reason, 'length');
  let text = '', usage = null;
  for await (const part of await client.completions.create({...ask, stream: true, stream_options: {include_usage: true}})) {
    text += part.choices.length ? part.choices[0].text : '';
    usage = part.usage || usage;
  }
  assert.strictEqual(text, whole.choices[0].text);
  assert.deepStrictEqual(usage, whole.usage);
  const guessed = await client.completions.create({...ask, speculation: 8});
  assert.strictEqual(guessed.choices[0].text, text);
  const many = await client.completions.create({...ask, prompt: ['abc', 'def'], n: 2, logprobs: 2, echo: true});
  assert.deepStrictEqual(many.choices.map(choice => choice.index), [0, 1, 2, 3]);
  assert.strictEqual(many.choices[0].text, 'abc' + text);
  assert.strictEqual(many.choices[3].logprobs.tokens.length, many.choices[3].logprobs.token_logprobs.length);
}

async function chats() {
  const ask = {model: 'm', messages, max_completion_tokens: 12, seed: 1, temperature: 2000};
  const whole = await client.chat.completions.create({...ask, logprobs: true, top_logprobs: 3});
  const choice = whole.choices[0];
  assert.strictEqual(choice.message.role, 'assistant');
  assert.ok(choice.logprobs.content.every(token => token.top_logprobs.length === 3 && token.logprob <= 0));
  let text = '', last = null;
  for await (const part of await client.chat.completions.create({...ask, stream: true})) {
    text += part.choices[0].delta.content || '';
    last = part.choices[0].finish_reason;
  }
  assert.strictEqual(text, choice.message.content);
  assert.strictEqual(last, choice.finish_reason);
}

// The helper that gathers a stream's parts into an answer.
async function runner() {
  const stream = client.chat.completions.stream({model: 'm', messages, max_tokens: 10, seed: 4, temperature: 2000});
  const deltas = [];
  stream.on('content', delta => deltas.push(delta));
  const answer = await stream.finalChatCompletion();
  assert.strictEqual(deltas.join(''), answer.choices[0].message.content);
}

async function errors() {
  const wrong = await client.completions.create({model: 'm', prompt: 'abc', temperature: -1}).then(() => null, error => error);
  assert.ok(wrong instanceof BadRequestError);
  assert.strictEqual(wrong.param, 'temperature');
  assert.strictEqual(wrong.type, 'invalid_request_error');
  await assert.rejects(client.chat.completions.create({model: 'other', messages}), NotFoundError);
  const stranger = new OpenAI({baseURL: client.baseURL, apiKey: 'wrong', maxRetries: 0});
  await assert.rejects(stranger.completions.create({model: 'm', prompt: 'abc'}), AuthenticationError);
}

async function leaving() {
  const stream = await client.completions.create({model: 'm', prompt: 'abc', max_tokens: 300000, stream: true});
  let parts = 0;
  for await (const _ of stream)
    if (++parts === 5) break; // The library ends the connection.
  assert.strictEqual(parts, 5);
  assert.strictEqual((await client.completions.create({model: 'm', prompt: 'abc', max_tokens: 1})).choices.length, 1);
}

(async () => {
  for (const check of [models, completions, chats, runner, errors, leaving]) {
    await check();
    ++checks;
  }
  console.log(`ok ${checks}`);
})().catch(error => { console.error(error); process.exit(1); });
