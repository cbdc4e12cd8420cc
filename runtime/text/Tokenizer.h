// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokenizers of language models: text to token ids and back. What is read: docs/tokenizers.md.
#ifndef CHIMERA_RUNTIME_TEXT_TOKENIZER_H
#define CHIMERA_RUNTIME_TEXT_TOKENIZER_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::text {

/// How a text is encoded.
struct EncodeOptions {
  /// Put before and behind the text what the tokenizer's files say: the token that begins a text, most often.
  bool addSpecial = true;
  /// Take special tokens that are written in the text for those tokens. Otherwise they are text like any other: what a
  /// user typed cannot end a turn or begin another.
  bool parseSpecial = false;
  /// A character that is left out of the text after added tokens were looked for, in UTF-8; empty: none. So what would
  /// be a token is text if this stands in it, and the other tokens are those of the text without it.
  std::string_view mark = {};
};

struct DecodeOptions {
  bool skipSpecial = true; ///< Leave special tokens out.
};

/// A text that is made from ids one by one.
class StreamDecoder {
public:
  virtual ~StreamDecoder() = default;
  /// The characters that are complete with this token and were not before; well-formed UTF-8, often nothing. An id that
  /// is no token gives nothing.
  virtual io::Result<std::string> push(int64_t id) = 0;
  /// Ends the text: the rest of it, in which bytes that are no character are U+FFFD.
  virtual io::Result<std::string> flush() = 0;
};

/// A tokenizer. Threads may share it.
class Tokenizer {
public:
  /// Opens a tokenizer.json, a tokenizer.model (SentencePiece), or the folder of one; a folder with both gives its
  /// tokenizer.json. tokenizer_config.json and special_tokens_map.json beside it say whether the tokens that begin and
  /// end a text are added. The error names the file and what in it is not supported or damaged.
  static io::Result<std::unique_ptr<Tokenizer>> open(const std::string &path);

  virtual ~Tokenizer() = default;

  /// The ids of a text. The error: it is not UTF-8, or a regular expression of the file takes too long for it.
  virtual io::Result<std::vector<int32_t>> encode(std::string_view text, EncodeOptions options) const = 0;
  io::Result<std::vector<int32_t>> encode(std::string_view text) const { return encode(text, EncodeOptions()); }

  /// The text of some ids, well-formed UTF-8; what is no token gives nothing.
  io::Result<std::string> decode(const std::vector<int32_t> &ids, DecodeOptions options) const;
  io::Result<std::string> decode(const std::vector<int32_t> &ids) const { return decode(ids, DecodeOptions()); }
  /// Begins a text; the tokenizer must live longer.
  virtual std::unique_ptr<StreamDecoder> stream(DecodeOptions options) const = 0;

  /// The token with that id as the file writes it; nothing if there is none.
  virtual std::optional<std::string> tokenOf(int64_t id) const = 0;
  virtual std::optional<int32_t> idOf(const std::string &token) const = 0;
  /// The special tokens as the file writes them.
  virtual std::vector<std::string> specialTokens() const = 0;
  /// One more than the largest id. A model's vocab_size must be at least that.
  virtual int64_t vocabSize() const = 0;

  /// Fails where one of `ids`, which `encode` gave, is none of a model's.
  io::Status checkIds(const std::vector<int32_t> &ids, int64_t modelVocabSize) const;

protected:
  /// A decoding of ids that are all there.
  virtual std::unique_ptr<StreamDecoder> whole(DecodeOptions options) const = 0;
};

/// What stands in a folder that holds a tokenizer: the path of its tokenizer.json or tokenizer.model, or nothing.
std::optional<std::string> findTokenizer(const std::string &folder);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_TOKENIZER_H
