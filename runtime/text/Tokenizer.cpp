// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/Tokenizer.h"

#include "runtime/io/File.h"
#include "runtime/text/SentencePiece.h"
#include "runtime/text/SpecialTokens.h"
#include "runtime/text/TokenizerJson.h"

#include <filesystem>

namespace chimera::text {

namespace fs = std::filesystem;

static constexpr const char *jsonName = "tokenizer.json";
static constexpr const char *modelName = "tokenizer.model";

std::optional<std::string> findTokenizer(const std::string &folder) {
  std::error_code ignored;
  for (const char *name : {jsonName, modelName})
    if (std::string path = (fs::path(folder) / name).string(); fs::exists(path, ignored))
      return path;
  return std::nullopt;
}

io::Result<std::unique_ptr<Tokenizer>> Tokenizer::open(const std::string &path) {
  std::error_code ignored;
  std::string name = path;
  if (fs::is_directory(path, ignored)) {
    std::optional<std::string> found = findTokenizer(path);
    if (!found)
      return io::Error{io::quote(path) + ": holds neither " + jsonName + " nor " + modelName};
    name = *found;
  }
  io::Result<std::string> file = io::readWhole(name);
  if (!file)
    return file.error();
  fs::path folder = fs::path(name).parent_path();
  io::Result<SpecialTokens> special = SpecialTokens::read(folder.empty() ? "." : folder.string());
  if (!special)
    return special.error();
  bool isModel = fs::path(name).extension() == ".model";
  auto tokenizer = isModel ? makeSentencePiece(file->data(), file->size(), *special)
                           : makeTokenizer(file->data(), file->size(), *special);
  if (!tokenizer)
    return io::Error{io::quote(name) + ": " + tokenizer.error().message};
  return tokenizer;
}

io::Status Tokenizer::checkIds(const std::vector<int32_t> &ids, int64_t modelVocabSize) const {
  for (int32_t id : ids)
    if (id >= modelVocabSize)
      return io::Error{"the tokenizer is not this model's: it gives the token " + io::quote(tokenOf(id).value_or("")) +
                       " with the id " + std::to_string(id) + ", and the model's vocab_size is " +
                       std::to_string(modelVocabSize)};
  return {};
}

io::Result<std::string> Tokenizer::decode(const std::vector<int32_t> &ids, DecodeOptions options) const {
  std::unique_ptr<StreamDecoder> decoder = whole(options);
  std::string text;
  for (int32_t id : ids) {
    io::Result<std::string> part = decoder->push(id);
    if (!part)
      return part.error();
    text += *part;
  }
  io::Result<std::string> rest = decoder->flush();
  if (!rest)
    return rest.error();
  return text + *rest;
}

} // namespace chimera::text
