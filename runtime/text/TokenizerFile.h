// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading a tokenizer.json: vocabulary and merges, which are most of it, without a tree of JSON values.
#ifndef CHIMERA_RUNTIME_TEXT_TOKENIZERFILE_H
#define CHIMERA_RUNTIME_TEXT_TOKENIZERFILE_H

#include "runtime/io/Result.h"
#include "runtime/text/Bpe.h"

#include <nlohmann/json.hpp>

namespace chimera::text {

/// A tokenizer.json, parsed.
struct TokenizerFile {
  nlohmann::json rest; ///< All but model.vocab, if it is an object, and model.merges, if it is an array.
  bool hasVocab = false, hasMerges = false;
  BpeDescription bpe; ///< Its vocab and merges alone.
};

/// Parses `size` bytes. Not valid JSON or UTF-8, a key twice in one object, values nested deeper than 64, or a
/// vocabulary or merges of another form: an error that says where.
io::Result<TokenizerFile> parseTokenizerFile(const void *bytes, size_t size);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_TOKENIZERFILE_H
