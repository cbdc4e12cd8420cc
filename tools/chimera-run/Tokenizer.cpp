// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Tokenizer.h"

#include "runtime/io/Vocabulary.h"

namespace chimera::run {

namespace {
/// Token i is the byte i; ids above 255 have no text.
class ByteTokenizer : public Tokenizer {
public:
  std::vector<int32_t> encode(const std::string &text) const override {
    std::vector<int32_t> tokens;
    tokens.reserve(text.size());
    for (char byte : text)
      tokens.push_back(uint8_t(byte));
    return tokens;
  }

  std::string decode(int32_t token) const override {
    return token < 256 ? std::string(1, char(token)) : "<" + std::to_string(token) + ">";
  }
};
} // namespace

io::Result<std::unique_ptr<Tokenizer>> Tokenizer::open(const Options &options, int64_t vocabSize) {
  const std::string source = options.prompt ? "--prompt: " : "--prompt-file: ";
  if (!options.tokenizer.empty() && options.tokenizer != "bytes")
    return io::Error{"--tokenizer: " + io::quote(options.tokenizer) +
                     ": this build reads no tokenizer files; give bytes, or give token ids with --tokens"};
  if (options.tokenizer.empty())
    if (io::Status status = io::bytesAreTokens({options.weights, options.model}, vocabSize); !status)
      return io::Error{source + status.error().message + " (--tokens FILE takes the ids)"};
  if (vocabSize < 256)
    return io::Error{source + "bytes are tokens, which takes a vocab_size of at least 256; the model's is " +
                     std::to_string(vocabSize)};
  return std::unique_ptr<Tokenizer>(std::make_unique<ByteTokenizer>());
}

} // namespace chimera::run
