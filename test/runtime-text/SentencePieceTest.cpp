// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tokenizer.model: small models (reference/make-pieces.sh) against the programs of SentencePiece; damage.
#include "test/runtime-text/TextFiles.h"
#include "test/support/LongMode.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <sstream>

using namespace chimera;
using Ids = std::vector<int32_t>;

static test::Bytes modelBytes(const std::string &name) {
  std::ifstream stream(std::string(CHIMERA_TEXT_TESTS) + "/pieces-" + name + ".model", std::ios::binary);
  return test::Bytes(std::istreambuf_iterator<char>(stream), {});
}

static io::Result<std::unique_ptr<text::Tokenizer>> openModel(const test::Bytes &bytes,
                                                              const std::string &config = "") {
  test::TempFolder folder;
  folder.write("tokenizer.model", bytes);
  if (!config.empty())
    folder.write("tokenizer_config.json", config);
  return text::Tokenizer::open(folder.path());
}

TEST(SentencePieceTest, AgreesWithItsOwnPrograms) {
  for (const char *name : {"bpe", "unigram"}) {
    auto tokenizer = openModel(modelBytes(name));
    ASSERT_TRUE(bool(tokenizer)) << tokenizer.error().message;
    std::ifstream lines(std::string(CHIMERA_TEXT_TESTS) + "/pieces-" + name + ".tsv");
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      size_t first = line.find('\t'), second = line.find('\t', first + 1);
      Ids expected;
      std::istringstream numbers(line.substr(first + 1, second - first - 1));
      for (int32_t id; numbers >> id;)
        expected.push_back(id);
      auto ids = (*tokenizer)->encode(line.substr(0, first), {false, false});
      ASSERT_TRUE(bool(ids)) << ids.error().message;
      EXPECT_EQ(*ids, expected) << line;
      EXPECT_EQ(*(*tokenizer)->decode(expected), line.substr(second + 1)) << line;
    }
    EXPECT_EQ(count, 8);
  }
}

TEST(SentencePieceTest, TokensAroundAText) {
  auto idsOfA = [](const char *name, const std::string &config) {
    auto tokenizer = openModel(modelBytes(name), config);
    EXPECT_TRUE(bool(tokenizer)) << tokenizer.error().message;
    return *(*tokenizer)->encode("a");
  };
  EXPECT_EQ(idsOfA("bpe", ""), Ids({1, 262}));
  EXPECT_EQ(idsOfA("bpe", R"({"add_bos_token": false})"), Ids({262}));
  EXPECT_EQ(idsOfA("bpe", R"({"add_eos_token": true})"), Ids({1, 262, 2}));
  EXPECT_EQ(idsOfA("bpe", R"({"add_bos_token": true, "bos_token": "<turn>"})"), Ids({3, 262}));
  EXPECT_EQ(idsOfA("unigram", ""), Ids({20})); // it has no token that begins a text
}

TEST(SentencePieceTest, ControlTokensInATextAreTextUnlessAskedFor) {
  auto tokenizer = openModel(modelBytes("bpe"));
  ASSERT_TRUE(bool(tokenizer));
  Ids plain = *(*tokenizer)->encode("a<turn>a", {false, false});
  EXPECT_EQ(std::count(plain.begin(), plain.end(), 3), 0);
  EXPECT_EQ(*(*tokenizer)->decode(plain), "a<turn>a");
  Ids parsed = *(*tokenizer)->encode("a<turn>a", {false, true});
  EXPECT_EQ(parsed, Ids({262, 3, 262}));
  EXPECT_EQ(*(*tokenizer)->decode(parsed), "a a");
  EXPECT_EQ(*(*tokenizer)->decode(parsed, {false}), "a<turn> a");
  EXPECT_EQ(*(*tokenizer)->encode("a<\uE000turn>a", {false, true, "\uE000"}), plain);
  std::vector<std::string> special = (*tokenizer)->specialTokens();
  EXPECT_EQ(std::count(special.begin(), special.end(), "<turn>"), 1);
}

TEST(SentencePieceTest, AStreamGivesCompleteCharacters) {
  auto tokenizer = openModel(modelBytes("bpe"));
  ASSERT_TRUE(bool(tokenizer));
  std::string text = " né 你好 👩‍👩‍👧 end ", whole;
  auto stream = (*tokenizer)->stream({});
  Ids ids = *(*tokenizer)->encode(text);
  for (int32_t id : ids) {
    std::string part = *stream->push(id);
    EXPECT_TRUE(bool((*tokenizer)->encode(part))) << part;
    whole += part;
  }
  EXPECT_EQ(whole + *stream->flush(), text);
  EXPECT_EQ((*tokenizer)->vocabSize(), 500);
  EXPECT_EQ((*tokenizer)->tokenOf(4), "<tool>");
  EXPECT_EQ((*tokenizer)->idOf("<tool>"), 4);
  EXPECT_EQ((*tokenizer)->idOf("no such piece"), std::nullopt);
  EXPECT_EQ(*(*tokenizer)->decode({-1, 500, 200}), "\uFFFD");
}

TEST(SentencePieceTest, WhatIsNoModelIsRefused) {
  auto refused = [](const test::Bytes &bytes) {
    auto tokenizer = openModel(bytes);
    EXPECT_FALSE(bool(tokenizer));
    std::string message = tokenizer ? "" : tokenizer.error().message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
    return message.substr(std::min(message.size(), message.find("': ") + 3));
  };
  std::string other = "{\"version\": \"1.0\"}";
  EXPECT_EQ(refused({}), "not a SentencePiece model, or it is damaged");
  EXPECT_EQ(refused(test::Bytes(other.begin(), other.end())), "not a SentencePiece model, or it is damaged");
  // A charsmap whose table leads out of itself: field 3 (normalizer), field 2: size 1024, units that point far away.
  test::Bytes bytes = modelBytes("bpe"), map(4 + 1024 + 1, 0xFF);
  map[0] = 0x00, map[1] = 0x04, map[2] = map[3] = 0;
  for (size_t i = 4; i < 4 + 1024; i += 4)
    map[i + 3] = 0x7F;
  map.back() = 0;
  bytes.insert(bytes.end(), {0x1A, uint8_t(((map.size() + 3) & 0x7F) | 0x80), uint8_t((map.size() + 3) >> 7), 0x12,
                             uint8_t((map.size() & 0x7F) | 0x80), uint8_t(map.size() >> 7)});
  bytes.insert(bytes.end(), map.begin(), map.end());
  EXPECT_EQ(refused(bytes), "the table of its normalizer is damaged");
}

TEST(SentencePieceTest, ChangedBytesGiveATokenizerOrOneLine) {
  size_t step = test::longMode() ? 7 : 211;
  for (const char *name : {"bpe", "unigram"}) {
    size_t index = 0;
    test::forEachMutant(modelBytes(name), [&](const test::Bytes &mutant) {
      if (index++ % step != 0)
        return;
      auto tokenizer = openModel(mutant);
      if (!tokenizer) {
        EXPECT_EQ(tokenizer.error().message.find('\n'), std::string::npos);
        return;
      }
      auto ids = (*tokenizer)->encode("The routing ﬁnds AE <tool> 你好, 12", {true, true});
      if (ids)
        (void)(*tokenizer)->decode(*ids, {false});
    });
  }
}
