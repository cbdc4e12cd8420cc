// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Asks the reference library (npm package tokenizers 0.23.2) what it takes each code point for: its regular
// expressions, its normalizers and its pre-tokenizers each bring Unicode tables of their own. Node's own tables
// (Unicode 17 in Node 20.20) say which code points a newer library could normalise although the reference leaves them.
//
//   NODE_PATH=.../node_modules node unicode-probe.js > probe.json; then unicode-delta.py
const {Tokenizer} = require('tokenizers');

const properties = ('L M N P S Z C Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co ' +
  'Cn Alphabetic Uppercase Lowercase Han Hiragana Katakana Hangul Latin Cyrillic Greek Arabic Hebrew Thai Lao Khmer ' +
  'Myanmar Tibetan Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Georgian ' +
  'Armenian Ethiopic Mongolian Bopomofo Common Inherited').split(' ');

const points = [];
for (let c = 0; c < 0x110000; ++c)
  if (c < 0xd800 || c >= 0xe000) points.push(c);

function tokenizer(parts) {
  const model = {type: 'BPE', vocab: {a: 0}, merges: []};
  return Tokenizer.fromString(JSON.stringify({version: '1.0', added_tokens: [], model, ...parts}));
}

function ranges(list) {
  const out = [];
  for (const c of list)
    if (out.length && out[out.length - 1][1] + 1 === c) out[out.length - 1][1] = c;
    else out.push([c, c]);
  return out;
}

// The code points that a regular expression for one character matches.
function matched(regex) {
  const split = {type: 'Split', pattern: {Regex: regex}, behavior: 'Removed', invert: true};
  const pre = tokenizer({pre_tokenizer: split}).getPreTokenizer();
  const out = [];
  for (let at = 0; at < points.length; at += 4096)
    for (const [text] of pre.preTokenizeString(String.fromCodePoint(...points.slice(at, at + 4096))))
      for (const character of text) out.push(character.codePointAt(0));
  return ranges(out);
}

// The code points that `pre` keeps together with letters around them, or not.
function joined(pre, pieces) {
  const part = tokenizer({pre_tokenizer: pre}).getPreTokenizer();
  return ranges(points.filter(c => part.preTokenizeString('aa' + String.fromCodePoint(c) + 'aa').length === pieces));
}

const out = {properties: {}};
for (const name of properties) out.properties[name] = matched('\\p{' + name + '}');
for (const regex of ['\\s', '\\w', '[\\w]', '\\d', '\\h', '[[:word:]]', '[[:punct:]]']) out[regex] = matched(regex);
out.word = joined({type: 'Whitespace'}, 1);
out.numeric = joined({type: 'Digits', individual_digits: true}, 3);
out.punctuation = joined({type: 'Punctuation', behavior: 'Isolated'}, 3);

const normal = type => { const part = tokenizer({normalizer: {type}}).getNormalizer(); return s => part.normalizeString(s); };
const lower = normal('Lowercase'), strip = normal('StripAccents');
out.lower = points.map(c => [c, lower(String.fromCodePoint(c))]).filter(([c, s]) => s !== String.fromCodePoint(c))
  .map(([c, s]) => [c, [...s].map(x => x.codePointAt(0))]);
out.mark = ranges(points.filter(c => strip(String.fromCodePoint(c)) === ''));
const forms = ['NFC', 'NFD', 'NFKC', 'NFKD'].map(form => [form, normal(form)]);
// What Node normalises, alone or among marks of classes 1 and 240, and the reference does not.
out.inert = ranges(points.filter(c => {
  const s = String.fromCodePoint(c);
  return forms.some(([form, ours]) =>
    [s, 'a' + s + '\u0334', 'a\u0345' + s].some(text => text.normalize(form) !== ours(text)));
}));
console.log(JSON.stringify(out));
