// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Encodes and decodes texts by the reference library (npm package tokenizers). For each text of TEXTS, which are ended by
// zero bytes, OUT gets a line of ids and a line with what they decode to, in hexadecimal.
//
//   node encode.js NODE_MODULES TOKENIZER_JSON TEXTS OUT
const fs = require('fs');
const [modules, file, texts, out] = process.argv.slice(2);
const {Tokenizer} = require(modules + '/tokenizers');

async function main() {
  const tokenizer = Tokenizer.fromFile(file);
  const list = fs.readFileSync(texts, 'utf8').split('\0').slice(0, -1);
  const stream = fs.openSync(out, 'w');
  for (let at = 0; at < list.length; at += 1000) {
    const encodings = await tokenizer.encodeBatch(list.slice(at, at + 1000), {addSpecialTokens: false});
    const ids = encodings.map(encoding => encoding.getIds());
    const decoded = await tokenizer.decodeBatch(ids, false);
    fs.writeSync(stream, ids.map((x, i) => x.join(' ') + '\n' + Buffer.from(decoded[i], 'utf8').toString('hex') + '\n').join(''));
  }
}
main();
