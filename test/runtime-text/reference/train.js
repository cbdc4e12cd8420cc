// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes trained.json: what the reference library (npm package tokenizers 0.23.2) learns from a few lines, and how it
// encodes texts of the same characters with that. Its trainer takes a text line by line, and learns all pairs there are.
//
//   NODE_PATH=.../node_modules node train.js > trained.json
const fs = require('fs'), os = require('os'), path = require('path');
const {Tokenizer} = require('tokenizers');

const lines = [
  'the cheapest way of looking back that suffices, for every token at every layer',
  "the router's choice isn't free: it's paid for in tokens, and they've got a price",
  'lower, lowest, newer, newest, wider, widest; the lower the newer, the newer the wider',
  'aaaa aaaaa aaaaaaaa aaab baaa abab ababab bababa abcabcabc cabcab bcabca',
  '---- ----- -------- ==== ====== ....... ...!!! ?!?!?! (((()))) ::::',
  '1 12 123 1234 12345 1234567 3.14159 2026-11-30 1,000,000 0x7fff 1000 100000',
  'tab\tand\t\ttwo tabs, two  spaces, four    spaces, a line that ends in spaces   ',
  'naïve café, Straße, Ελληνικά, русский текст, русские тексты, 你好世界你好, こんにちは, 👍👍🏽👩‍👩‍👧',
  'for (int i = 0; i < n; ++i) { sum += x[i] * y[i]; } // a loop\r',
  'return std::move(value); return std::move(other); return {}; if (!status) return status;',
  "I'M SURE THEY'LL SAY WE'VE SEEN IT'S O'NEIL'S; i'm sure they'll say we've seen it",
  '', ' ', '  leading spaces, and a word with_underscores and camelCase and kebab-case',
];
const texts = [
  'the lowest price that they have got for looking back', 'newer wider aaaaaaa ababab ------- 12345679',
  "it isn't O'Neil's;  русские  你好 👍", 'if (!status)\r\n\n  return std::move(status);\n',
];
const byteLevel = (add_prefix_space, use_regex) => ({type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex});
const llama3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const styles = {
  gpt2: byteLevel(false, true),
  llama3: {type: 'Sequence', pretokenizers: [
    {type: 'Split', pattern: {Regex: llama3}, behavior: 'Isolated', invert: false}, byteLevel(false, false)]},
};

async function learn(style) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'train-'));
  const file = name => path.join(folder, name);
  const model = {type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null,
    fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab: {}, merges: []};
  const tokenizer = Tokenizer.fromString(JSON.stringify({version: '1.0', truncation: null, padding: null, added_tokens: [],
    normalizer: null, pre_tokenizer: styles[style], post_processor: null, decoder: byteLevel(true, true), model}));
  fs.writeFileSync(file('text'), lines.map(line => line + '\n').join(''));
  tokenizer.train([file('text')]);
  tokenizer.save(file('trained'));
  const tokens = [];
  for (const text of texts)
    tokens.push((await tokenizer.encode(text)).getTokens());
  const {merges} = JSON.parse(fs.readFileSync(file('trained'))).model;
  fs.rmSync(folder, {recursive: true});
  return {merges, tokens};
}

(async () => {
  const out = {lines, texts, styles: {}};
  for (const style of Object.keys(styles))
    out.styles[style] = await learn(style);
  console.log(JSON.stringify(out));
})();
