// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Tokenizer.h"

#include "runtime/io/Vocabulary.h"

#include <filesystem>

namespace chimera::run {

namespace filesystem = std::filesystem;

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
    io::Result<std::vector<int32_t>> ids = tokenizer->encode(text, {true, parseSpecial});
    if (!ids)
      return ids.error();
    for (int32_t id : *ids)
      if (id >= info.vocab_size)
        return io::Error{"the tokenizer is not this model's: it gives the token " +
                         io::quote(tokenizer->tokenOf(id).value_or("")) + " with the id " + std::to_string(id) +
                         ", and the model's vocab_size is " + std::to_string(info.vocab_size)};
    return EncodedText{std::move(*ids)};
  }

  std::unique_ptr<text::StreamDecoder> stream() const override { return tokenizer->stream({}); }

private:
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

static io::Result<std::unique_ptr<Tokenizer>> openFile(const std::string &path, const Options &options,
                                                       const chimera_model_info &info) {
  io::Result<std::unique_ptr<text::Tokenizer>> tokenizer = text::Tokenizer::open(path);
  if (!tokenizer)
    return tokenizer.error();
  return std::unique_ptr<Tokenizer>(std::make_unique<FileTokenizer>(std::move(*tokenizer), options.parseSpecial, info));
}

/// The folder of a file, or the folder itself.
static std::string folderOf(const std::string &place) {
  std::error_code ignored;
  if (filesystem::is_directory(place, ignored))
    return place;
  std::string folder = filesystem::path(place).parent_path().string();
  return folder.empty() ? "." : folder;
}

io::Result<std::unique_ptr<Tokenizer>> Tokenizer::open(const Options &options, const chimera_model_info &info) {
  const std::string source = options.jsonl ? "" : options.prompt ? "--prompt: " : "--prompt-file: ";
  if (options.tokenizer.empty()) {
    for (const std::string &place : {options.weights, options.model})
      if (std::optional<std::string> found = text::findTokenizer(folderOf(place)))
        return openFile(*found, options, info);
    if (io::Status status = io::bytesAreTokens({options.weights, options.model}, info.vocab_size); !status)
      return io::Error{source + status.error().message +
                       (options.jsonl ? " (the key tokens takes the ids)" : " (--tokens FILE takes the ids)")};
  } else if (options.tokenizer != "bytes") {
    return openFile(options.tokenizer, options, info);
  }
  if (info.vocab_size < 256)
    return io::Error{source + "bytes are tokens, which takes a vocab_size of at least 256; the model's is " +
                     std::to_string(info.vocab_size)};
  return std::unique_ptr<Tokenizer>(std::make_unique<ByteTokenizer>(info));
}

} // namespace chimera::run
