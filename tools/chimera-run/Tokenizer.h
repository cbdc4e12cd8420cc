// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From text to tokens and back.
#ifndef CHIMERA_TOOLS_CHIMERARUN_TOKENIZER_H
#define CHIMERA_TOOLS_CHIMERARUN_TOKENIZER_H

#include "tools/chimera-run/Options.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace chimera::run {

/// A reversible map between texts and token ids.
class Tokenizer {
public:
  /// Bytes are tokens, where the model's vocabulary is one of bytes (runtime/io/Vocabulary.h, which looks beside the
  /// weights and the binary) or --tokenizer=bytes insists. The error says what can be done instead.
  static io::Result<std::unique_ptr<Tokenizer>> open(const Options &options, int64_t vocabSize);

  virtual ~Tokenizer() = default;
  virtual std::vector<int32_t> encode(const std::string &text) const = 0;
  /// The bytes of one token, which may be a part of a character.
  virtual std::string decode(int32_t token) const = 0;
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_TOKENIZER_H
