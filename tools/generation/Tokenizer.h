// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From text to tokens and back.
#ifndef CHIMERA_TOOLS_GENERATION_TOKENIZER_H
#define CHIMERA_TOOLS_GENERATION_TOKENIZER_H

#include "runtime/abi/chimera.h"
#include "runtime/text/Tokenizer.h"
#include "tools/generation/ModelOptions.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace chimera::run {

/// A text as tokens.
struct EncodedText {
  std::vector<int32_t> tokens;
  int64_t unseen = 0; ///< The first tokens that are not printed.
};

/// A text must have a token to start from. The error does not name the text.
io::Status checkStart(const EncodedText &encoded, const chimera_model_info &info);

/// A map between texts and token ids.
class Tokenizer {
public:
  /// The tokenizer of --tokenizer; without it the one that lies beside the weights or the binary (docs/tokenizers.md);
  /// without that bytes are tokens, if the model's vocabulary is one of bytes (runtime/io/Vocabulary.h). The error says
  /// what is damaged or not supported, or what can be done instead. `info` must live longer.
  static io::Result<std::unique_ptr<Tokenizer>> open(const ModelOptions &options, const chimera_model_info &info,
                                                     const TextSource &source);

  /// A tokenizer of a file that is open already. `info` must live longer.
  static std::unique_ptr<Tokenizer> ofFile(std::shared_ptr<const text::Tokenizer> tokenizer, bool parseSpecial,
                                           const chimera_model_info &info);

  virtual ~Tokenizer() = default;
  /// The tokens of `text` with those around it: what the tokenizer's files say, or, where bytes are tokens, the model's
  /// bos_token_id. The error does not name the text.
  virtual io::Result<EncodedText> encode(const std::string &text) const = 0;
  /// The tokens of a text that a chat template made. It has the special tokens written in it, so that none are added
  /// but, where bytes are tokens, the model's bos_token_id. `mark`: see text::EncodeOptions.
  virtual io::Result<std::vector<int32_t>> encodeRendered(const std::string &text, const std::string &mark) const = 0;
  /// Whether `encodeRendered` finds special tokens in a text.
  virtual io::Result<bool> hasSpecial(const std::string &text, const std::string &mark) const = 0;
  /// The special tokens as they are written in a text.
  virtual std::vector<std::string> specialTokens() const = 0;
  virtual std::optional<std::string> tokenOf(int64_t id) const = 0;
  virtual std::optional<int32_t> idOf(const std::string &token) const = 0;
  /// Begins a text that is made from tokens. Where bytes are tokens, a part may end within a character.
  virtual std::unique_ptr<text::StreamDecoder> stream() const = 0;
};

/// The file or folder of the tokenizer that `Tokenizer::open` takes; nothing where bytes are tokens.
std::optional<std::string> findTokenizer(const ModelOptions &options);

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_TOKENIZER_H
