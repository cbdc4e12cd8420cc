// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/generation/Tokenizer.h"

#include "runtime/io/Vocabulary.h"

namespace chimera::run {

namespace {
/// Token i is the byte i; ids above 255 have no text.
class ByteTokenizer : public Tokenizer {
public:
  explicit ByteTokenizer(const chimera_model_info &info) : info(info) {}

  io::Result<EncodedText> encode(const std::string &text) const override {
    EncodedText encoded;
    encoded.tokens.reserve(text.size() + 1);
    if (info.bos_token_id >= 0) {
      encoded.tokens.push_back(int32_t(info.bos_token_id));
      encoded.unseen = 1;
    }
    for (char byte : text)
      encoded.tokens.push_back(uint8_t(byte));
    return encoded;
  }

  io::Result<std::vector<int32_t>> encodeRendered(const std::string &text, const std::string &) const override {
    return std::move(encode(text)->tokens);
  }
  io::Result<bool> hasSpecial(const std::string &, const std::string &) const override { return false; }
  std::vector<std::string> specialTokens() const override { return {}; }
  std::optional<std::string> tokenOf(int64_t) const override { return std::nullopt; }
  std::optional<int32_t> idOf(const std::string &) const override { return std::nullopt; }

  std::unique_ptr<text::StreamDecoder> stream() const override { return std::make_unique<Stream>(); }

private:
  struct Stream : text::StreamDecoder {
    io::Result<std::string> push(int64_t id) override {
      return id < 256 ? std::string(1, char(id)) : "<" + std::to_string(id) + ">";
    }
    io::Result<std::string> flush() override { return std::string(); }
  };

  const chimera_model_info &info;
};

/// The tokenizer of a file.
class FileTokenizer : public Tokenizer {
public:
  FileTokenizer(std::unique_ptr<text::Tokenizer> tokenizer, bool parseSpecial, const chimera_model_info &info)
      : tokenizer(std::move(tokenizer)), parseSpecial(parseSpecial), info(info) {}

  io::Result<EncodedText> encode(const std::string &text) const override {
    io::Result<std::vector<int32_t>> ids = encode(text, {true, parseSpecial});
    if (!ids)
      return ids.error();
    return EncodedText{std::move(*ids)};
  }

  io::Result<std::vector<int32_t>> encodeRendered(const std::string &text, const std::string &mark) const override {
    return encode(text, {false, true, mark});
  }

  io::Result<bool> hasSpecial(const std::string &text, const std::string &mark) const override {
    io::Result<std::vector<int32_t>> parsed = tokenizer->encode(text, {false, true, mark});
    if (!parsed)
      return parsed.error();
    io::Result<std::vector<int32_t>> plain = tokenizer->encode(text, {false, false, mark});
    if (!plain)
      return plain.error();
    return *parsed != *plain;
  }

  std::vector<std::string> specialTokens() const override { return tokenizer->specialTokens(); }
  std::optional<std::string> tokenOf(int64_t id) const override { return tokenizer->tokenOf(id); }
  std::optional<int32_t> idOf(const std::string &token) const override { return tokenizer->idOf(token); }
  std::unique_ptr<text::StreamDecoder> stream() const override { return tokenizer->stream({}); }

private:
  io::Result<std::vector<int32_t>> encode(const std::string &text, const text::EncodeOptions &how) const {
    io::Result<std::vector<int32_t>> ids = tokenizer->encode(text, how);
    if (!ids)
      return ids.error();
    if (io::Status status = tokenizer->checkIds(*ids, info.vocab_size); !status)
      return status.error();
    return ids;
  }

  std::unique_ptr<text::Tokenizer> tokenizer;
  bool parseSpecial;
  const chimera_model_info &info;
};
} // namespace

io::Status checkStart(const EncodedText &encoded, const chimera_model_info &info) {
  if (!encoded.tokens.empty())
    return {};
  return io::Error{std::string("the text is empty and ") +
                   (info.bos_token_id >= 0 ? "the tokenizer adds no token" : "the model has no bos_token_id") +
                   " to start from"};
}

static io::Result<std::unique_ptr<Tokenizer>> openFile(const std::string &path, const ModelOptions &options,
                                                       const chimera_model_info &info) {
  io::Result<std::unique_ptr<text::Tokenizer>> tokenizer = text::Tokenizer::open(path);
  if (!tokenizer)
    return tokenizer.error();
  return std::unique_ptr<Tokenizer>(std::make_unique<FileTokenizer>(std::move(*tokenizer), options.parseSpecial, info));
}

std::optional<std::string> findTokenizer(const ModelOptions &options) {
  if (!options.tokenizer.empty())
    return options.tokenizer == "bytes" ? std::nullopt : std::optional(options.tokenizer);
  for (const std::string &place : {options.weights, options.model})
    if (std::optional<std::string> found = text::findTokenizer(io::folderOf(place)))
      return found;
  return std::nullopt;
}

io::Result<std::unique_ptr<Tokenizer>> Tokenizer::open(const ModelOptions &options, const chimera_model_info &info,
                                                       const TextSource &source) {
  if (std::optional<std::string> found = findTokenizer(options))
    return openFile(*found, options, info);
  if (options.tokenizer.empty())
    if (io::Status status = io::bytesAreTokens({options.weights, options.model}, info.vocab_size); !status)
      return io::Error{source.prefix + status.error().message + source.otherwise};
  if (info.vocab_size < 256)
    return io::Error{source.prefix + "bytes are tokens, which takes a vocab_size of at least 256; the model's is " +
                     std::to_string(info.vocab_size) + source.otherwise};
  return std::unique_ptr<Tokenizer>(std::make_unique<ByteTokenizer>(info));
}

} // namespace chimera::run
