// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/runtime-text/TextFiles.h"

#include <fstream>
#include <gtest/gtest.h>

namespace chimera::test {

using nlohmann::json;

const json &reference() {
  static const json made = json::parse(std::ifstream(CHIMERA_TEXT_TESTS "/reference.json"));
  return made;
}

json tokenizerFile(const std::string &model, const json &change, const json &parts) {
  json file = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", json::array()}};
  if (parts.is_object())
    file.update(parts);
  file["model"] = reference()["models"][model];
  if (change.is_object())
    file["model"].update(change);
  return file;
}

io::Result<std::unique_ptr<text::Tokenizer>> openText(const std::string &file) {
  TempFolder folder;
  folder.write("tokenizer.json", file);
  return text::Tokenizer::open(folder.path());
}

io::Result<std::unique_ptr<text::Tokenizer>> openFile(const json &file) {
  return openText(file.dump());
}

std::unique_ptr<text::Tokenizer> mustOpen(const json &file) {
  auto tokenizer = openFile(file);
  if (!tokenizer) {
    ADD_FAILURE() << tokenizer.error().message;
    std::abort();
  }
  return std::move(*tokenizer);
}

json byteParts() {
  int64_t id = int64_t(reference()["models"]["bytes"]["vocab"].size());
  json added = json::array();
  for (const char *content : {"<s>", "</s>", "<tool>"})
    added.push_back({{"id", id++},
                     {"content", content},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", std::string(content) != "<tool>"}});
  json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  return {{"added_tokens", added}, {"pre_tokenizer", bytes}, {"decoder", bytes}};
}

} // namespace chimera::test
