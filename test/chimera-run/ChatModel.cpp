// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-run/ChatModel.h"

#include <iterator>

namespace chimera::test {

using nlohmann::json;

static constexpr std::pair<const char *, int32_t> specials[] = {
    {"<s>", 257}, {"</s>", 258}, {"<|im_start|>", 259}, {"<|im_end|>", 260}};

ChatModelTest::ChatModelTest() {
  writeFile(file("tokenizer.json"), tokenizerJson({std::begin(specials), std::end(specials)}));
  setTemplate(chatMl);
}

void ChatModelTest::setTemplate(const std::string &text) const {
  writeFile(file("tokenizer_config.json"), json{{"chat_template", text},
                                                {"add_bos_token", true},
                                                {"bos_token", {{"content", "<s>"}, {"special", true}}},
                                                {"eos_token", "</s>"}}
                                               .dump());
}

std::string ChatModelTest::messages(const std::vector<std::string> &rolesAndContents) const {
  json array = json::array();
  for (size_t i = 0; i < rolesAndContents.size(); i += 2)
    array.push_back({{"role", rolesAndContents[i]}, {"content", rolesAndContents[i + 1]}});
  writeFile(file("messages.json"), array.dump());
  return file("messages.json");
}

ProcessResult ChatModelTest::chat(const std::string &input, std::vector<std::string> arguments,
                                  const std::string &before) const {
  writeFile(file("input"), input);
  arguments.insert(arguments.begin(), "--chat");
  return shell(before + " \"$@\" < input", arguments);
}

std::vector<int32_t> ChatModelTest::tokensOf(const std::string &text) {
  std::vector<int32_t> tokens;
  for (size_t at = 0; at < text.size();) {
    int32_t token = uint8_t(text[at]);
    size_t length = 1;
    if (text.compare(at, 2, "th") == 0) {
      token = 256;
      length = 2;
    }
    for (auto [content, id] : specials)
      if (text.compare(at, std::string(content).size(), content) == 0) {
        token = id;
        length = std::string(content).size();
      }
    tokens.push_back(token);
    at += length;
  }
  return tokens;
}

std::string ChatModelTest::printed(const std::vector<int32_t> &tokens) {
  std::string text;
  for (int32_t token : tokens)
    text += token < 256 ? std::string(1, char(token)) : token == 256 ? "th" : "";
  return text;
}

std::string ChatModelTest::chatMlOf(const std::vector<std::string> &rolesAndContents) {
  std::string text;
  for (size_t i = 0; i < rolesAndContents.size(); i += 2)
    text += "<|im_start|>" + rolesAndContents[i] + "\n" + rolesAndContents[i + 1] + "<|im_end|>\n";
  return text + "<|im_start|>assistant\n";
}

} // namespace chimera::test
