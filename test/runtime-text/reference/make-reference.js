// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes reference.json: what the reference library (npm package tokenizers 0.23.2) makes of texts with each normalizer,
// pre-tokenizer and decoder, and with small tokenizers trained here.
//
//   NODE_PATH=.../node_modules node make-reference.js > reference.json
const {Tokenizer} = require('tokenizers');

const texts = [
  '', ' ', 'Hello world', '  two  spaces ', "I'm sure they've said we'LL don't, it's O'Neil's", 'a\n\nb\r\n\tc \n',
  'x += 12345; // 3.14 and 1,000', 'naïve café Å e\u0301 a\u0323\u0307 \u1e9b\u0323', 'ﬁ ½ ② Ⅳ ㎏ ｶﾞ ①②③ ٣٤ २३',
  'Straße İstanbul ΟΔΥΣΣΕΥΣ \u017f\u212a Ǆ', '你好，世界！ こんにちは 안녕', 'नमस्ते สวัสดี مرحبا שלום Ещё', '👩‍👩‍👧 🇩🇪 👍🏽 e\u200db',
  'a\u00a0b\u2003c\u3000d\u180ee\u0085f\u2028g\u200b', '<s>Hello</s> [X] word[X]y <mask>  z  <mask>z', 'A<|end|>B<|end|>',
  '\u0000\u0001\u001f\u007f', '...?!—“quoted”¡¿‰€$+<=>|~^`', 'foo_bar fooBar HTTPServer2x  ²³¹ ¼½¾ Ⅷ ৴', '▁under ▁▁ x▁y',
  '\u0897\u{1c89}\u{2ebf0}\u{105c9}\u{11f42}\u{16d6a}\u{1e030}x\u0307', 'tab\tand  end  \n  ', 'ss ſs ß ẞ st ﬆ kelvin \u212a',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab',
  'lower lowest newer newest widest the the the then there, HELLO hello',
];

const split = (pattern, behavior, invert = false) => ({type: 'Split', pattern, behavior, invert});
const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'];
const gpt4 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const gpt4o = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" +
  '\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const deepseek = '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|' +
  ' ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+';
// Where Oniguruma and PCRE2 differ, and what a translation can get wrong.
const regexes = [gpt4, gpt4o, deepseek, gpt4.replace('{1,3}', ''), '[一-龥぀-ゟ゠-ヿ]+', '\\p{N}{1,3}+', 'o{2}?', 'o{,2}l', 'a{3,}', 'l{1,2}?',
  '\\h+', '[\\h-]+', '\\v', '[\\s&&[^\\n]]+', '[a-z&&[^aeiou]]+', '[^a-z&&[^aeiou]]', '[a[xyz]]+', '[^[a-m]\\d]+', '^.', '.$', 'a(?i)B|HELLO',
  'x(?m:.)y|(?m).b', '\\bf\\w+\\b', '\\B.', '\\w+', '[\\w]+', '\\W', '[^\\W]+', '[\\W\\d]', '\\S+', '[^\\S]', '[\\S ]+', '\\D+', '[[:alpha:]]+', '[[:space:][:digit:]]',
  '\\p{Han}+|\\p{Hiragana}+', '\\p{Greek}', '\\P{L}+', '\\p{^L}+', '[\\P{L}&&\\S]', '(?<!\\s)\\s', '(?<=o)\\w', '(?>a+)b', 'a++b', '\\p{M}', '\\p{Mn}', '[\\p{Mc}\\p{Mn}]',
  '\\p{Cn}', '\\p{Lu}\\p{Ll}*', '\\p{Alphabetic}+', '(?<name>l)o', '(?#comment)e', '\\x{48}|\\x65|\\u006c', '\\t|\\e|\\a|\\f', '\\/|\\-|\\.', '(?i:k)', '(?i:S)', '(?i:[rstk]e)', 'b|', '', 'x*', '(?=e)',
  '(?i)[a-f]+', '[a\\-z]+', '[]x]'.replace(']x', 'x'), '(?:l|o)+?', '\\Aa|\\z', '[^\\r\\n]+\\Z', 'e\\b', '(?-i:A)|(?i-m:b)', '{x}|x{|}', '[\\n\\t]'];

const normalizers = [
  ...['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'ByteLevel'].map(type => ({type})),
  {type: 'Prepend', prepend: '▁'},
  ...[[true, true], [true, false], [false, true], [false, false]].map(([l, r]) => ({type: 'Strip', strip_left: l, strip_right: r})),
  {type: 'Replace', pattern: {String: ' '}, content: '▁'}, {type: 'Replace', pattern: {String: 'll'}, content: ''},
  {type: 'Replace', pattern: {Regex: '\\s+'}, content: ' '}, {type: 'Replace', pattern: {Regex: ' {2,}|l*'}, content: '<>'},
  {type: 'Sequence', normalizers: []},
  {type: 'Sequence', normalizers: [{type: 'NFD'}, {type: 'StripAccents'}, {type: 'Lowercase'}, {type: 'NFC'}]},
];
const preTokenizers = [
  ...[true, false].flatMap(space => [true, false].map(regex => ({type: 'ByteLevel', add_prefix_space: space, trim_offsets: true, use_regex: regex}))),
  {type: 'ByteLevel', add_prefix_space: false, trim_offsets: false}, {type: 'Whitespace'}, {type: 'WhitespaceSplit'}, {type: 'BertPreTokenizer'},
  ...behaviors.map(behavior => ({type: 'Punctuation', behavior})), {type: 'Punctuation'},
  {type: 'Digits', individual_digits: true}, {type: 'Digits', individual_digits: false},
  ...['always', 'first', 'never'].flatMap(s => [true, false].map(split => ({type: 'Metaspace', replacement: '▁', prepend_scheme: s, split}))),
  {type: 'Metaspace', replacement: '_', add_prefix_space: true},
  ...behaviors.flatMap(b => [false, true].flatMap(i => [split({String: 'l'}, b, i), split({Regex: '\\s+|o'}, b, i)])),
  ...regexes.map(r => split({Regex: r}, 'Isolated')), split({String: ''}, 'Isolated'),
  {type: 'Sequence', pretokenizers: [split({Regex: '\\p{N}{1,3}'}, 'Isolated'), split({Regex: deepseek}, 'Isolated'), {type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false}]},
  {type: 'Sequence', pretokenizers: [{type: 'WhitespaceSplit'}, {type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true}, {type: 'Digits', individual_digits: true}]},
  {type: 'Sequence', pretokenizers: [{type: 'Punctuation', behavior: 'Removed'}, {type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true}]},
];
const tokenLists = [
  ['a'], ['▁Hello', '▁wor', 'ld'], ['▁', '▁a'], ['<0xE4>', '<0xBD>', '<0xA0>', 'x'], ['x', '<0xE4>', '<0xBD>', 'y', '<0xFF>', '<0x41>'],
  ['<0x41>', '<0xC3>'], ['<0x+F>', '<0xG0>', '<0xc3>', '<0xa9>'], ['Ġth', 'e', 'Ã', '©', 'ä', '½'], ['ä', '½', 'ł', 'Ġ', 'ÿ', 'a', 'Ã'], ['ð', 'Ł', 'ĺ', 'x', 'ð', 'Ł', 'ĺ', 'Ģ'],
  ['plain text', 'Ġ', 'é', '你'], ['  a  ', ' b ', '  '], ['a ', ' ', ' '], ['ll', 'l', 'lo', 'l'],
];
const decoders = [
  {type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true}, {type: 'ByteFallback'}, {type: 'Fuse'},
  {type: 'Strip', content: ' ', start: 1, stop: 0}, {type: 'Strip', content: ' ', start: 0, stop: 1},
  {type: 'Replace', pattern: {String: '▁'}, content: ' '}, {type: 'Replace', pattern: {Regex: 'l+'}, content: 'L'},
  ...['always', 'first', 'never'].map(s => ({type: 'Metaspace', replacement: '▁', prepend_scheme: s, split: true})),
  {type: 'Sequence', decoders: [{type: 'Replace', pattern: {String: '▁'}, content: ' '}, {type: 'ByteFallback'}, {type: 'Fuse'}, {type: 'Strip', content: ' ', start: 1, stop: 0}]},
  {type: 'Sequence', decoders: [{type: 'ByteFallback'}, {type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true}]},
  {type: 'Sequence', decoders: [{type: 'Fuse'}, {type: 'Strip', content: ' ', start: 0, stop: 2}]},
  {type: 'Sequence', decoders: [{type: 'Fuse'}, {type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true}]},
  {type: 'Sequence', decoders: [{type: 'Fuse'}, {type: 'Replace', pattern: {String: 'll'}, content: 'L'}]},
  {type: 'Sequence', decoders: [{type: 'Fuse'}, {type: 'ByteFallback'}]},
];

// Learns merges from words (arrays of tokens): each time those of the most frequent pair, the first of equals.
function train(words, vocab, count, prefix = '') {
  const merges = [];
  while (merges.length < count) {
    const pairs = new Map();
    for (const word of words)
      for (let i = 0; i + 1 < word.length; ++i) {
        const key = JSON.stringify([word[i], word[i + 1]]);
        pairs.set(key, (pairs.get(key) || 0) + 1);
      }
    let best = null;
    for (const [key, number] of pairs) if (!best || number > pairs.get(best)) best = key;
    if (!best) break;
    const [a, b] = JSON.parse(best), joined = a + b.slice(prefix.length);
    merges.push([a, b]);
    if (!(joined in vocab)) vocab[joined] = Object.keys(vocab).length;
    for (const word of words)
      for (let i = 0; i + 1 < word.length; ++i)
        if (word[i] === a && word[i + 1] === b) word.splice(i, 2, joined);
  }
  return merges;
}

const numbered = list => Object.fromEntries([...new Set(list)].map((token, i) => [token, i]));
const bare = {version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null};
const part = parts => Tokenizer.fromString(JSON.stringify({...bare, model: {type: 'BPE', vocab: {a: 0}, merges: []}, ...parts}));
const corpus = texts.filter(t => t.length < 80 && !t.includes('▁')).join(' ').replace(/\u0000/g, '');

function models() {
  const pieces = part({pre_tokenizer: preTokenizers[2]}).getPreTokenizer().preTokenizeString(corpus).map(([t]) => [...t]);
  const letters = [];
  for (let b = 0; b < 256; ++b) letters.push(part({normalizer: {type: 'ByteLevel'}}).getNormalizer().normalizeString(String.fromCodePoint(b)));
  const bytes = numbered([...letters.slice(0, 128).join('') + letters.slice(128).join('')].concat([...'ðÎÐØÙàâãåçèêëìíîïñóôõöøùúûüýþÿ', 'Ā']));
  for (const [t] of part({pre_tokenizer: preTokenizers[2]}).getPreTokenizer().preTokenizeString('\u07ff\uffff\u{10ffff}'))
    for (const c of t) if (!(c in bytes)) bytes[c] = Object.keys(bytes).length;
  for (const word of pieces) for (const c of word) if (!(c in bytes)) bytes[c] = Object.keys(bytes).length;
  const byteMerges = train(pieces, bytes, 90);

  const hex = [...Array(256).keys()].map(b => '<0x' + b.toString(16).toUpperCase().padStart(2, '0') + '>');
  const some = [...'▁abcdefghijklmnopqrstuvwxyzHELOWRD\'.,你好é<>s/'];
  const words = () => corpus.split(' ').map(w => [...('▁' + w)].filter(c => some.includes(c)));
  const fallback = numbered(['<unk>', '<s>', '</s>', ...hex, ...some]);
  const fallbackMerges = train(words(), fallback, 60);
  const unknown = numbered(['<unk>', ...some]);
  const unknownMerges = train(words(), unknown, 40);
  const marked = numbered(['<unk>', ...'abcdefghijklmnopqrstuvwxyzHELOWRD', ...[...'abcdefghijklmnopqrstuvwxyz'].flatMap(c => ['##' + c, '##' + c + '</w>', c + '</w>'])]);
  const markedWords = corpus.split(' ').map(w => [...w].map((c, i, a) => (i ? '##' : '') + c + (i + 1 === a.length ? '</w>' : ''))).filter(w => w.every(c => c in marked));
  const markedMerges = train(markedWords, marked, 30, '##');
  return {
    bytes: {type: 'BPE', vocab: bytes, merges: byteMerges},
    fallback: {type: 'BPE', unk_token: '<unk>', fuse_unk: true, byte_fallback: true, vocab: fallback, merges: fallbackMerges},
    unknown: {type: 'BPE', unk_token: '<unk>', vocab: unknown, merges: unknownMerges},
    marked: {type: 'BPE', unk_token: '<unk>', continuing_subword_prefix: '##', end_of_word_suffix: '</w>', vocab: marked, merges: markedMerges},
  };
}

const token = (id, content, flags = '') => ({id, content, single_word: flags.includes('w'), lstrip: flags.includes('l'),
  rstrip: flags.includes('r'), normalized: flags.includes('n'), special: flags.includes('s')});
const template = (single, ids) => ({type: 'TemplateProcessing', single: single.map(s => s === 'A' ? {Sequence: {id: 'A', type_id: 0}} : {SpecialToken: {id: s, type_id: 0}}),
  pair: [{Sequence: {id: 'A', type_id: 0}}, {Sequence: {id: 'B', type_id: 1}}],
  special_tokens: Object.fromEntries(Object.entries(ids).map(([id, number]) => [id, {id, ids: [number], tokens: [id]}]))});

// Tokenizers: a model, changes to it, and the other parts. MAX stands for the first id behind the vocabulary.
function tokenizers(all) {
  const byteLevel = preTokenizers[2], decoder = decoders[0], llama = decoders[10];
  const size = name => Object.keys(all[name].vocab).length, n = size('bytes'), f = size('fallback');
  const spaces = {type: 'Sequence', normalizers: [{type: 'Prepend', prepend: '▁'}, {type: 'Replace', pattern: {String: ' '}, content: '▁'}]};
  const regexThenBytes = r => ({type: 'Sequence', pretokenizers: [split({Regex: r}, 'Isolated'), preTokenizers[3]]});
  const kinds = [token(n, '<s>', 's'), token(n + 1, '<mask>', 'ls'), token(n + 2, '[X]', 'w'), token(n + 3, '<|end|>', 'r'), token(n + 4, 'HELLO', 'n')];
  return [
    {model: 'bytes', pre_tokenizer: byteLevel, decoder},
    {model: 'bytes', pre_tokenizer: preTokenizers[0], decoder, post_processor: {type: 'RobertaProcessing', sep: ['a', 1], cls: ['b', 2], trim_offsets: true, add_prefix_space: true}},
    {model: 'bytes', change: {ignore_merges: true}, pre_tokenizer: regexThenBytes(gpt4), decoder},
    {model: 'bytes', pre_tokenizer: regexThenBytes(gpt4o), decoder, normalizer: {type: 'NFC'}},
    {model: 'bytes', pre_tokenizer: preTokenizers[3], decoder},
    {model: 'bytes', pre_tokenizer: byteLevel, decoder, added_tokens: kinds, normalizer: {type: 'Lowercase'}},
    {model: 'bytes', pre_tokenizer: byteLevel, decoder, added_tokens: kinds.map(t => ({...t, normalized: true, lstrip: true, rstrip: true})),
      post_processor: {type: 'Sequence', processors: [{type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true}, template(['<s>', 'A', '<mask>'], {'<s>': n, '<mask>': n + 1})]}},
    {model: 'fallback', normalizer: spaces, decoder: llama, post_processor: template(['<s>', 'A'], {'<s>': 1}), added_tokens: [token(0, '<unk>', 's'), token(1, '<s>', 's'), token(2, '</s>', 's')]},
    {model: 'fallback', change: {byte_fallback: false}, normalizer: spaces, decoder: llama},
    {model: 'fallback', change: {byte_fallback: false, fuse_unk: false}, normalizer: spaces, decoder: llama},
    {model: 'fallback', change: {byte_fallback: false, unk_token: null}, pre_tokenizer: preTokenizers[14], decoder: decoders[7]},
    {model: 'fallback', pre_tokenizer: {type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false}, decoder: decoders[8],
      added_tokens: [token(1, '<s>', 's'), token(f, '[X]', ''), token(f + 1, 'word', 'wn')], post_processor: {type: 'BertProcessing', sep: ['</s>', 2], cls: ['<s>', 1]}},
    {model: 'unknown', pre_tokenizer: {type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true}, decoder: decoders[7]},
    {model: 'unknown', pre_tokenizer: {type: 'WhitespaceSplit'}},
    {model: 'marked', pre_tokenizer: {type: 'WhitespaceSplit'}},
    {model: 'marked', change: {fuse_unk: true}, pre_tokenizer: {type: 'Whitespace'}, decoder: {type: 'Fuse'}},
  ];
}

// The pieces of a text; 0 where it stays whole.
function pieces(step, text) {
  const list = step.preTokenizeString(text).map(([piece]) => piece);
  return list.join('\0') === text ? 0 : list;
}

async function main() {
  const out = {texts, normalizers: [], preTokenizers: [], tokenLists, decoders: [], models: models(), tokenizers: []};
  for (const spec of normalizers) {
    const step = part({normalizer: spec}).getNormalizer();
    out.normalizers.push({spec, results: texts.map(t => step.normalizeString(t))});
  }
  for (const spec of preTokenizers) {
    const step = part({pre_tokenizer: spec}).getPreTokenizer();
    out.preTokenizers.push({spec, results: texts.map(t => pieces(step, t))});
  }
  for (const spec of decoders) {
    const step = part({decoder: spec}).getDecoder();
    out.decoders.push({spec, results: tokenLists.map(t => step.decode(t))});
  }
  for (const {model, change, ...parts} of tokenizers(out.models)) {
    const tokenizer = Tokenizer.fromString(JSON.stringify({...bare, ...parts, model: {...out.models[model], ...change}}));
    const ids = [], decoded = [];
    for (const text of texts) {
      ids.push((await tokenizer.encode(text, null, {addSpecialTokens: true})).getIds());
      decoded.push([await tokenizer.decode(ids[ids.length - 1], true), await tokenizer.decode(ids[ids.length - 1], false)]);
    }
    out.tokenizers.push({model, change: change || {}, parts, ids, decoded});
  }
  // One result a line.
  const lines = value => '[\n' + value.map(v => JSON.stringify(v)).join(',\n') + '\n]';
  console.log('{\n' + Object.entries(out).map(([k, v]) => JSON.stringify(k) + ': ' + (Array.isArray(v) ? lines(v) : JSON.stringify(v))).join(',\n') + '\n}');
}
main();
