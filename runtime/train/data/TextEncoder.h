// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Texts into token ids, to train on.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_TEXTENCODER_H
#define CHIMERA_RUNTIME_TRAIN_DATA_TEXTENCODER_H

#include "runtime/text/Tokenizer.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace chimera::train {

/// How texts are encoded.
struct TextEncoding {
  const text::Tokenizer *tokenizer;
  int64_t vocabulary;         ///< Of the model.
  std::optional<int32_t> end; ///< The token that comes after each text, unless the tokenizer has put it there.
  bool parseSpecial = false;  ///< text::EncodeOptions
  int64_t threads = 1;        ///< Each has a file of its own.
  /// Asked between files; an error ends it.
  std::function<io::Status()> mayGoOn = {};
};

/// Encodes files, each as a whole, for where a tokenizer would cut it depends on all of it, and writes their ids in
/// their order as one file (TokenBin.h). Errors name the file: unreadable, not UTF-8, a token that the model does not
/// have.
io::Status encodeTexts(const std::vector<std::string> &paths, const TextEncoding &how, const std::string &out);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_TEXTENCODER_H
