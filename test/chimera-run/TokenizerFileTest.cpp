// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Texts through the tokenizer of a file.
#include "runtime/text/Tokenizer.h"
#include "test/chimera-run/ByteModel.h"

#include <filesystem>

using namespace chimera;
using namespace chimera::test;
using io::quote;
using nlohmann::json;

namespace {
class TokenizerFileTest : public ByteModelTest {
protected:
  /// <s>, which begins a text, is 257, <far> `far`.
  static std::string tokenizerOf(int64_t far = 258) { return tokenizerJson({{"<s>", 257}, {"<far>", far}}); }
  /// What is printed of a text's tokens and `count` new ones.
  std::string printed(std::vector<int32_t> tokens, size_t count) const {
    auto tokenizer = text::Tokenizer::open(file("t/tokenizer.json"));
    EXPECT_TRUE(bool(tokenizer));
    for (int32_t token : chosen(tokens, count, {}))
      tokens.push_back(token);
    return *(*tokenizer)->decode(tokens) + "\n";
  }
  void expectPrinted(std::vector<std::string> arguments, const std::vector<int32_t> &tokens) const {
    arguments.insert(arguments.end(), {"--max-new-tokens", "20"});
    ProcessResult result = run(arguments);
    expectSuccess(result);
    EXPECT_EQ(result.out, printed(tokens, 20));
  }
  TokenizerFileTest() {
    std::filesystem::create_directory(file("t"));
    writeFile(file("t/tokenizer.json"), tokenizerOf());
  }
};
} // namespace

TEST_F(TokenizerFileTest, AFileOrItsFolder) {
  expectPrinted({"--prompt", "then", "--tokenizer", file("t")}, {257, 256, 'e', 'n'});
  expectPrinted({"--prompt", "then", "--tokenizer", file("t/tokenizer.json")}, {257, 256, 'e', 'n'});
}

TEST_F(TokenizerFileTest, BesideTheWeightsItIsUsedUnlessBytesAreAskedFor) {
  writeFile(file("tokenizer.json"), tokenizerOf());
  expectPrinted({"--prompt", "then"}, {257, 256, 'e', 'n'});
  ProcessResult result = run({"--prompt", "then", "--tokenizer=bytes", "--max-new-tokens", "4"});
  expectSuccess(result);
  EXPECT_EQ(result.out, "then" + continuation(bytesOf("then"), 4, {}) + "\n");
}

TEST_F(TokenizerFileTest, TheModelsStartTokenIsTheTokenizersBusiness) {
  writeModel(299, json::array());
  expectPrinted({"--prompt", "then", "--tokenizer", file("t")}, {257, 256, 'e', 'n'});
}

TEST_F(TokenizerFileTest, SpecialTokensInATextAreTextUnlessAskedFor) {
  expectPrinted({"--prompt", "a<s>b", "--tokenizer", file("t")}, {257, 'a', '<', 's', '>', 'b'});
  expectPrinted({"--prompt", "a<s>b", "--tokenizer", file("t"), "--parse-special"}, {257, 'a', 257, 'b'});
}

TEST_F(TokenizerFileTest, ColoursAndSchedulesChangeNoCharacter) {
  std::vector<std::string> arguments = {"--prompt", "\u00e9\u4f60 then", "--tokenizer",
                                        file("t"),  "--max-new-tokens",  "9"};
  std::string plain = run(arguments).out;
  EXPECT_EQ(plain.rfind("\u00e9\u4f60 then", 0), 0u) << plain;
  for (const char *schedule : {"decode", "chunks:3,1"}) {
    std::vector<std::string> more = arguments;
    more.insert(more.end(), {"--schedule", schedule});
    EXPECT_EQ(run(more).out, plain) << schedule;
  }
  arguments.push_back("--color=always");
  std::string coloured = run(arguments).out;
  EXPECT_NE(coloured.find("\u00e9"), std::string::npos);
  EXPECT_NE(coloured.find("\u4f60"), std::string::npos);
}

TEST_F(TokenizerFileTest, WhatIsWrongIsOneLine) {
  std::string path = file("t/tokenizer.json");
  auto fails = [&](const std::string &prompt, const std::string &message) {
    writeFile(file("p.txt"), prompt);
    expectError(run({"--prompt-file", file("p.txt"), "--tokenizer", file("t"), "--parse-special"}), 1, message);
  };
  fails("ab\xff", quote(file("p.txt")) + ": the text is not UTF-8 at byte 2");
  writeFile(path, tokenizerOf(300));
  fails("a<far>", quote(file("p.txt")) +
                      ": the tokenizer is not this model's: it gives the token '<far>' with the id 300, "
                      "and the model's vocab_size is 300");
  writeFile(path, "{}");
  fails("a", quote(path) + ": version: is missing");
  expectError(run({"--prompt", "x", "--tokenizer", file("none.json")}), 1, quote(file("none.json")) + ": cannot open");
}

TEST_F(TokenizerFileTest, LinesOfJson) {
  json made = chosen({257, 256, 'e', 'n'}, 20, {});
  std::string text = printed({257, 256, 'e', 'n'}, 20);
  text = text.substr(4, text.size() - 5); // Without the prompt and the newline.
  writeFile(file("in"), R"({"prompt": "then"})"
                        "\n"
                        R"({"tokens": [257, 256, 101, 110]})"
                        "\n");
  ProcessResult result = run({"--jsonl", file("in"), "--tokenizer", file("t"), "--max-new-tokens", "20"});
  expectSuccess(result);
  ASSERT_EQ(countLines(result.out), 2);
  size_t newline = result.out.find('\n');
  json first = json::parse(result.out.substr(0, newline)), second = json::parse(result.out.substr(newline));
  EXPECT_EQ(first, (json{{"index", 0},
                         {"text", text},
                         {"tokens", made},
                         {"prompt_tokens", 4},
                         {"new_tokens", 20},
                         {"finish_reason", "length"}}));
  second["index"] = 0;
  EXPECT_EQ(second, first);
}
