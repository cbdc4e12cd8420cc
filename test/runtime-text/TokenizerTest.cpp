// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interface: special tokens, streams, folders, the files beside a tokenizer.
#include "test/runtime-text/TextFiles.h"

#include <algorithm>
#include <future>
#include <gtest/gtest.h>

using namespace chimera;
using nlohmann::json;
using Ids = std::vector<int32_t>;

namespace {
class TokenizerTest : public ::testing::Test {
protected:
  TokenizerTest() : tokenizer(test::mustOpen(test::tokenizerFile("bytes", {}, test::byteParts()))) {
    begin = *tokenizer->idOf("<s>");
    tool = *tokenizer->idOf("<tool>");
  }
  Ids encode(const std::string &text, bool parseSpecial = false) {
    auto ids = tokenizer->encode(text, {true, parseSpecial});
    EXPECT_TRUE(bool(ids)) << ids.error().message;
    return *ids;
  }
  std::unique_ptr<text::Tokenizer> tokenizer;
  int32_t begin = -1, tool = -1;
};
} // namespace

TEST_F(TokenizerTest, SpecialTokensInATextAreTextUnlessAskedFor) {
  Ids plain = encode("a<s>b");
  EXPECT_EQ(std::count(plain.begin(), plain.end(), begin), 0);
  EXPECT_EQ(*tokenizer->decode(plain), "a<s>b");
  Ids parsed = encode("a<s>b", true);
  ASSERT_EQ(parsed.size(), 3u);
  EXPECT_EQ(parsed[1], begin);
  EXPECT_EQ(*tokenizer->decode(parsed), "ab");
  EXPECT_EQ(*tokenizer->decode(parsed, {false}), "a<s>b");
}

TEST_F(TokenizerTest, AddedTokensThatAreNotSpecialAreAlwaysFound) {
  Ids ids = encode("a<tool>b");
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_EQ(ids[1], tool);
  EXPECT_EQ(*tokenizer->decode(ids), "a<tool>b");
}

TEST_F(TokenizerTest, NamesAndSizes) {
  EXPECT_EQ(tokenizer->vocabSize(), tool + 1);
  EXPECT_EQ(tokenizer->tokenOf(tool), "<tool>");
  EXPECT_EQ(tokenizer->tokenOf(tool + 1), std::nullopt);
  EXPECT_EQ(tokenizer->tokenOf(-1), std::nullopt);
  EXPECT_EQ(tokenizer->tokenOf(int64_t(1) << 40), std::nullopt);
  EXPECT_EQ(tokenizer->idOf("no such token"), std::nullopt);
  for (int32_t id = 0; id <= tool; ++id)
    if (auto token = tokenizer->tokenOf(id)) {
      EXPECT_EQ(tokenizer->idOf(*token), id);
    }
}

TEST_F(TokenizerTest, AMarkKeepsWhatItStandsInFromBeingAToken) {
  const std::string mark = "\uE000";
  for (auto [marked, plain, parsed] : {std::tuple("a<\uE000s>b", "a<s>b", ""), std::tuple("<s>a", "", "<s>a"),
                                       std::tuple("th\uE000e", "the", ""), std::tuple("\uE000", "", "")}) {
    auto ids = tokenizer->encode(marked, {false, true, mark});
    ASSERT_TRUE(bool(ids));
    EXPECT_EQ(*ids, *tokenizer->encode(*parsed ? parsed : plain, {false, *parsed != 0})) << marked;
  }
  Ids ids = *tokenizer->encode("<\uE000s></s>", {false, true, mark}), text = *tokenizer->encode("<s>", {false, false});
  text.push_back(*tokenizer->idOf("</s>"));
  EXPECT_EQ(ids, text);
}

/// Special tokens that are looked for in normalized text, and a normalizer that makes characters of bytes.
TEST(TokenizerMarkTest, NormalizersKeepTheMark) {
  for (const json &normalizer : {json{{"type", "ByteLevel"}}, json{{"type", "NFKC"}}}) {
    json file = test::tokenizerFile("bytes", {}, test::byteParts());
    file["normalizer"] = normalizer;
    if (normalizer["type"] == "ByteLevel")
      file["pre_tokenizer"] = nullptr;
    for (json &token : file["added_tokens"])
      token["normalized"] = true;
    auto tokenizer = test::mustOpen(file);
    Ids parsed = *tokenizer->encode("x<s>y", {false, true}), plain = *tokenizer->encode("x<s>y", {false, false});
    EXPECT_NE(parsed, plain);
    EXPECT_EQ(*tokenizer->encode("x<\uE000s>y", {false, true, "\uE000"}), plain);
    plain.push_back(*tokenizer->idOf("<s>"));
    plain.push_back(*tokenizer->idOf("y"));
    EXPECT_EQ(*tokenizer->encode("x<\uE000s>y<s>y", {false, true, "\uE000"}), plain);
  }
}

TEST_F(TokenizerTest, SpecialTokensAreNamed) {
  std::vector<std::string> tokens = tokenizer->specialTokens();
  std::sort(tokens.begin(), tokens.end());
  EXPECT_EQ(tokens, (std::vector<std::string>{"</s>", "<s>"}));
}

TEST_F(TokenizerTest, WhatIsNoTokenDecodesToNothing) {
  EXPECT_EQ(*tokenizer->decode({-1, tool + 7, encode("x")[0], 1 << 30}), "x");
}

TEST_F(TokenizerTest, TextThatIsNotUtf8IsAnError) {
  for (const char *text : {"ab\xFF", "ab\xC3", "ab\xED\xA0\x80", "ab\xF4\x90\x80\x80", "ab\xC0\x80"}) {
    auto ids = tokenizer->encode(text);
    ASSERT_FALSE(bool(ids));
    EXPECT_EQ(ids.error().message, "the text is not UTF-8 at byte 2");
  }
}

TEST_F(TokenizerTest, AStreamGivesCompleteCharactersAndAllOfThem) {
  std::string text = "né 你好 👩‍👩‍👧 e\u0301 \x01 end";
  auto stream = tokenizer->stream({});
  std::string whole;
  size_t parts = 0;
  for (int32_t id : encode(text)) {
    auto part = stream->push(id);
    ASSERT_TRUE(bool(part));
    // Each part alone is UTF-8: it encodes.
    EXPECT_TRUE(bool(tokenizer->encode(*part)));
    parts += !part->empty();
    whole += *part;
  }
  EXPECT_EQ(whole, text);
  EXPECT_GT(parts, 10u);
  EXPECT_EQ(*stream->flush(), "");
}

TEST_F(TokenizerTest, AStreamThatEndsWithinACharacterSaysSo) {
  auto stream = tokenizer->stream({});
  Ids ids = encode("\U0001F600");
  ASSERT_GT(ids.size(), 1u);
  EXPECT_EQ(*stream->push(ids[0]), "");
  EXPECT_EQ(*stream->flush(), "\uFFFD");
}

TEST(TokenizerStreamTest, ByteTokensGiveCharactersAsSoonAsTheyAreComplete) {
  auto tokenizer =
      test::mustOpen(test::tokenizerFile("fallback", {}, {{"decoder", test::reference()["decoders"][10]["spec"]}}));
  auto stream = tokenizer->stream({});
  std::string out;
  for (const char *token : {"▁", "<0xE6>", "<0xBC>", "<0xA2>", "<0xE5>", "<0xAD>", "<0x97>"}) {
    auto part = stream->push(*tokenizer->idOf(token));
    ASSERT_TRUE(bool(part));
    out += *part + "|";
  }
  EXPECT_EQ(out, "|||漢|||字|"); // the space that encoding put in front is taken away
  // A run that is wrong keeps what was complete, and each other byte is U+FFFD.
  EXPECT_EQ(*stream->push(*tokenizer->idOf("<0xFF>")) + *stream->push(*tokenizer->idOf("<0x41>")), "\uFFFD\uFFFD");
  EXPECT_EQ(*stream->push(*tokenizer->idOf("a")) + *stream->flush(), "a");
}

TEST(TokenizerFolderTest, WhatIsOpened) {
  test::TempFolder folder;
  auto none = text::Tokenizer::open(folder.path());
  ASSERT_FALSE(bool(none));
  EXPECT_NE(none.error().message.find("holds neither tokenizer.json nor tokenizer.model"), std::string::npos);
  EXPECT_EQ(text::findTokenizer(folder.path()), std::nullopt);
  std::string path = folder.write("tokenizer.json", test::tokenizerFile("bytes").dump());
  folder.write("tokenizer.model", std::string("is not looked at"));
  EXPECT_EQ(text::findTokenizer(folder.path()), path);
  EXPECT_TRUE(bool(text::Tokenizer::open(folder.path())));
  EXPECT_TRUE(bool(text::Tokenizer::open(path)));
  EXPECT_FALSE(bool(text::Tokenizer::open(folder.file("missing.json"))));
  EXPECT_FALSE(bool(text::Tokenizer::open(folder.file("tokenizer.model"))));
}

/// The ids of "x" in a folder with these files.
static std::string framed(const json &parts, const std::string &config, const std::string &map = "") {
  test::TempFolder folder;
  folder.write("tokenizer.json", test::tokenizerFile("bytes", {}, parts).dump());
  if (!config.empty())
    folder.write("tokenizer_config.json", config);
  if (!map.empty())
    folder.write("special_tokens_map.json", map);
  auto tokenizer = text::Tokenizer::open(folder.path());
  if (!tokenizer) {
    std::string message = tokenizer.error().message;
    size_t at = message.find(folder.path());
    return at == std::string::npos ? message : message.replace(at, folder.path().size(), "F");
  }
  std::string out;
  auto ids = (*tokenizer)->encode("x");
  for (int32_t id : *ids)
    out += *(*tokenizer)->tokenOf(id) + " ";
  EXPECT_EQ((*tokenizer)->encode("x", {false, false})->size(), 1u);
  return out;
}

TEST(TokenizerFolderTest, TokensAroundATextByTheFilesBesideIt) {
  json plain = test::byteParts(), withBegin = plain;
  int64_t id = plain["added_tokens"][0]["id"];
  json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
       token = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  withBegin["post_processor"] = {{"type", "TemplateProcessing"},
                                 {"single", {token, text}},
                                 {"pair", json::array()},
                                 {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {id}}, {"tokens", {"<s>"}}}}}}};
  EXPECT_EQ(framed(plain, ""), "x ");
  EXPECT_EQ(framed(withBegin, ""), "<s> x ");
  EXPECT_EQ(framed(plain, R"({"bos_token": "<s>"})"), "x ");
  EXPECT_EQ(framed(plain, R"({"add_bos_token": true, "bos_token": "<s>", "chat_template": "{{x}}"})"), "<s> x ");
  EXPECT_EQ(framed(withBegin, R"({"add_bos_token": true, "bos_token": {"content": "<s>"}})"), "<s> x ");
  EXPECT_EQ(framed(withBegin, R"({"add_bos_token": false, "bos_token": "<s>"})"), "x ");
  EXPECT_EQ(framed(withBegin, R"({"add_bos_token": false, "bos_token": null})"), "<s> x ");
  EXPECT_EQ(framed(plain, R"({"add_bos_token": true, "add_eos_token": true})",
                   R"({"bos_token": "<s>", "eos_token": "</s>"})"),
            "<s> x </s> ");
  EXPECT_EQ(framed(plain, R"({"add_bos_token": true})"),
            "'F/tokenizer.json': tokenizer_config.json says add_bos_token, but "
            "bos_token is not given");
  EXPECT_EQ(framed(plain, R"({"add_bos_token": true, "bos_token": "<q>"})"),
            "'F/tokenizer.json': tokenizer_config.json says add_bos_token, but bos_token '<q>' is no token");
  EXPECT_EQ(framed(plain, R"({"add_bos_token": 1})"), "'F/tokenizer_config.json': add_bos_token must be true or false");
  EXPECT_EQ(framed(plain, "[]"), "'F/tokenizer_config.json': must be an object");
  EXPECT_EQ(framed(plain, "{", ""), "'F/tokenizer_config.json': not valid JSON at byte 2");
}

TEST(TokenizerThreadsTest, ThreadsShareATokenizer) {
  auto tokenizer = test::mustOpen(test::tokenizerFile("bytes", {}, test::byteParts()));
  auto encodeAll = [&] {
    std::vector<Ids> all;
    for (const json &text : test::reference()["texts"])
      all.push_back(*tokenizer->encode(text.get<std::string>()));
    return all;
  };
  std::vector<Ids> alone = encodeAll();
  std::vector<std::future<std::vector<Ids>>> others;
  for (int i = 0; i < 4; ++i)
    others.push_back(std::async(std::launch::async, encodeAll));
  for (auto &other : others)
    EXPECT_EQ(other.get(), alone);
}
