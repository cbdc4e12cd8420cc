// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Vocabulary.h"

#include <filesystem>
#include <system_error>

namespace chimera::io {

namespace filesystem = std::filesystem;

/// As they are called beside the weights that other programs write.
static constexpr const char *tokenizerNames[] = {
    "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
    "vocab.json",     "vocab.txt",       "merges.txt",   "tekken.json"};

std::string folderOf(const std::string &place) {
  std::error_code ignored;
  if (filesystem::is_directory(place, ignored))
    return place;
  std::string folder = filesystem::path(place).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string findTokenizer(const std::string &place) {
  std::error_code ignored;
  filesystem::path folder(folderOf(place));
  for (const char *name : tokenizerNames)
    if (filesystem::exists(folder / name, ignored))
      return (folder / name).string();
  return {};
}

Status bytesAreTokens(const std::vector<std::string> &places, int64_t vocabSize) {
  static constexpr const char *advice =
      "; give token ids in a .npy file, or --tokenizer=bytes if each byte is meant to be a token";
  for (const std::string &place : places)
    if (std::string tokenizer = findTokenizer(place); !tokenizer.empty())
      return Error{"the bytes of a text are not this model's tokens, for it has a tokenizer, " + quote(tokenizer) +
                   advice};
  if (vocabSize > mostByteVocabulary)
    return Error{"the bytes of a text are not this model's tokens, for its vocabulary has " +
                 std::to_string(vocabSize) + " of them" + advice};
  return {};
}

} // namespace chimera::io
