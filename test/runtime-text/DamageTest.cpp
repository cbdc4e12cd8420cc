// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tokenizer.json files that are wrong, foreign or hostile: one line that says what and where.
#include "runtime/text/Bpe.h"
#include "test/runtime-text/TextFiles.h"
#include "test/support/LongMode.h"

#include <gtest/gtest.h>
#include <random>

using namespace chimera;
using nlohmann::json;

/// The message of opening `file`, without the file's name; empty if it opens. It must be one line.
static std::string messageOf(const std::string &file) {
  auto tokenizer = test::openText(file);
  if (tokenizer)
    return "";
  const std::string &message = tokenizer.error().message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_FALSE(message.empty());
  size_t at = message.find("tokenizer.json': ");
  EXPECT_NE(at, std::string::npos) << message;
  return at == std::string::npos ? message : message.substr(at + 17);
}

/// A small valid file, with the value at a JSON pointer replaced.
static std::string changed(const std::string &pointer, const json &value) {
  json file = {{"version", "1.0"},
               {"added_tokens", json::array({{{"id", 4},
                                              {"content", "<s>"},
                                              {"single_word", false},
                                              {"lstrip", false},
                                              {"rstrip", false},
                                              {"normalized", false},
                                              {"special", true}}})},
               {"model",
                {{"type", "BPE"},
                 {"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}, {"aba", 3}}},
                 {"merges", json::array({json::array({"a", "b"}), json::array({"ab", "a"})})}}}};
  if (!pointer.empty())
    file[json::json_pointer(pointer)] = value;
  return file.dump();
}

namespace {
struct Case {
  const char *pointer;
  json value;
  const char *message;
};
} // namespace

static void expectRefused(const std::vector<Case> &cases) {
  ASSERT_EQ(messageOf(changed("", nullptr)), "");
  for (const Case &test : cases)
    EXPECT_EQ(messageOf(changed(test.pointer, test.value)), test.message) << test.pointer << " " << test.value;
}

TEST(DamageTest, WhatIsNotSupportedIsNamed) {
  expectRefused({
      {"/version", "2.0", "version: only the version 1.0 is known"},
      {"/colour", 1, "the field 'colour' is not known, and it may change the tokens"},
      {"/model/type", "Unigram", "model.type: the model 'Unigram' is not supported; BPE is"},
      {"/model/type", nullptr, "model.type: is missing"},
      {"/model/dropout", 0.1, "model.dropout: merges left out by chance are not supported"},
      {"/model/fast", true, "model: the field 'fast' is not known, and it may change the tokens"},
      {"/model/fuse_unk", 1, "model.fuse_unk: must be true or false"},
      {"/model/unk_token", "u", "model.unk_token: 'u' is not in the vocabulary"},
      {"/model/vocab", json::array(), "model.vocab: must be an object"},
      {"/model/vocab/a", "x", "model.vocab: the id of 'a' must be an integer"},
      {"/model/vocab/a", -1, "model.vocab: the id of 'a' must be an integer"},
      {"/model/vocab/a", 1.5, "model.vocab: the id of 'a' must be an integer"},
      {"/model/vocab/a", json::object(), "model.vocab: the id of 'a' must be an integer"},
      {"/model/vocab/a", 1 << 24, "model.vocab: the id of 'a' must be an integer from 0 to 16777215"},
      {"/model/vocab/a", 1, "model.vocab: 'a' and 'b' have the same id 1"},
      {"/model/merges", json::object(), "model.merges: must be an array"},
      {"/model/merges/0", 5, "model.merges: must be strings or pairs of strings"},
      {"/model/merges/0", "a b c", "model.merges[0]: must be two tokens with one space between them"},
      {"/model/merges/0", json::array({"a"}), "model.merges[0]: must be two tokens"},
      {"/model/merges/0", json::array({"a", "b", "a"}), "model.merges[0]: must be two tokens"},
      {"/model/merges/1", "ab a", "model.merges[1]: strings and pairs are mixed"},
      {"/model/merges/0/0", "c", "model.merges[0]: 'c' is not in the vocabulary"},
      {"/model/merges/0/0", "b", "model.merges[0]: 'bb', which it makes, is not in the vocabulary"},
      {"/added_tokens/0/id", 2, "added_tokens[0]: '<s>' has the id 2, in model.vocab this is the id of 'ab'"},
      {"/added_tokens/0/content", "a", "added_tokens[0]: 'a' has the id 4, in model.vocab it is 0"},
      {"/added_tokens/0/content", "", "added_tokens[0].content: must be of 1 to 1000 bytes"},
      {"/added_tokens/0/id", -3, "added_tokens[0].id: must be an integer from 0 to 16777215"},
      {"/added_tokens/0/color", 1, "added_tokens[0]: the field 'color' is not known, and it may change the tokens"},
      {"/added_tokens", 1, "added_tokens: must be an array"},
  });
}

TEST(DamageTest, StepsThatAreNotSupportedAreNamed) {
  json split = {{"type", "Split"}, {"pattern", {{"String", " "}}}, {"behavior", "Isolated"}, {"invert", false}};
  auto with = [](json object, const char *key, const json &value) { return object[key] = value, object; };
  expectRefused({
      {"/normalizer", {{"type", "Precompiled"}}, "normalizer.type: the normalizer 'Precompiled' is not supported"},
      {"/normalizer",
       {{"type", "NFC"}, {"x", 1}},
       "normalizer: the field 'x' is not known, and it may change the tokens"},
      {"/normalizer",
       {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, {{"type", "BertNormalizer"}}}}},
       "normalizer.normalizers[1].type: the normalizer 'BertNormalizer' is not supported"},
      {"/normalizer", "NFC", "normalizer: must be an object"},
      {"/pre_tokenizer",
       {{"type", "UnicodeScripts"}},
       "pre_tokenizer.type: the pre-tokenizer 'UnicodeScripts' is not supported"},
      {"/pre_tokenizer", with(split, "behavior", "Odd"),
       "pre_tokenizer.behavior: 'Odd' is none of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous"},
      {"/pre_tokenizer", with(split, "pattern", {{"Regex", "a("}}),
       "pre_tokenizer.pattern: regular expression, character 3: a '(' that is not closed"},
      {"/pre_tokenizer", with(split, "pattern", {{"Glob", "a"}}), "pre_tokenizer.pattern.String: is missing"},
      {"/pre_tokenizer",
       {{"type", "Metaspace"}, {"replacement", "ab"}},
       "pre_tokenizer.replacement: must be one character"},
      {"/post_processor", {{"type", "Other"}}, "post_processor.type: the post-processor 'Other' is not supported"},
      {"/post_processor",
       {{"type", "BertProcessing"}, {"cls", {"a", 0}}, {"sep", {"z", 9}}},
       "post_processor: 9 is the id of no token"},
      {"/decoder", {{"type", "WordPiece"}}, "decoder.type: the decoder 'WordPiece' is not supported"},
      {"/decoder", {{"type", "Sequence"}, {"decoders", {1}}}, "decoder.decoders[0]: must be an object"},
  });
}

TEST(DamageTest, Texts) {
  EXPECT_EQ(messageOf(""), "not valid JSON at byte 1");
  EXPECT_EQ(messageOf("[]"), "must be a JSON object");
  EXPECT_EQ(messageOf("3"), "must be a JSON object");
  EXPECT_EQ(messageOf("{}"), "version: is missing");
  EXPECT_EQ(messageOf(R"({"version": "1.0"})"), "model: is missing");
  EXPECT_EQ(messageOf(R"({"version": "1.0", "model": {"type": "BPE"}})"), "model.vocab: is missing");
  EXPECT_EQ(messageOf(R"({"version": "1.0", "version": "1.0"})"), "the key 'version' occurs twice");
  EXPECT_EQ(messageOf(R"({"model": {"vocab": {"a": 0, "a": 1}}})"), "model.vocab: 'a' occurs twice");
  EXPECT_EQ(messageOf(R"({"model": {"vocab": {}, "vocab": {}}})"), "the key 'vocab' occurs twice");
  EXPECT_EQ(messageOf(R"({"model": {"merges": [], "vocab": {}, "merges": []}})"), "the key 'merges' occurs twice");
  EXPECT_EQ(messageOf("{\"a\": \"\xFF\"}"), "not valid JSON at byte 8");
  EXPECT_EQ(messageOf("{\"a\": 1e999}"), "not valid JSON: a number out of range");
  EXPECT_EQ(messageOf(std::string(100000, '[')), "JSON nested deeper than 64");
  EXPECT_EQ(messageOf("{\"model\": {\"merges\": " + std::string(100000, '[')),
            "model.merges: must be strings or pairs of strings");
}

TEST(DamageTest, AnEmptyModelHasNoTokens) {
  auto tokenizer = test::openText(R"({"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}})");
  ASSERT_TRUE(bool(tokenizer)) << tokenizer.error().message;
  EXPECT_EQ((*tokenizer)->vocabSize(), 0);
  EXPECT_TRUE((*tokenizer)->encode("text")->empty());
  EXPECT_EQ(*(*tokenizer)->decode({0, 1}), "");
}

TEST(DamageTest, ARegexThatTakesTooLongIsAnErrorOfTheText) {
  json split = {{"type", "Split"}, {"pattern", {{"Regex", "^(a+)+b"}}}, {"behavior", "Isolated"}, {"invert", false}};
  auto tokenizer = test::mustOpen(json::parse(changed("/pre_tokenizer", split)));
  auto ids = tokenizer->encode(std::string(60, 'a') + "!b");
  ASSERT_FALSE(bool(ids));
  EXPECT_EQ(ids.error().message, "the regular expression takes too many steps at byte 0 of the text");
}

/// Opens a damaged file; if it opens, it encodes and decodes.
static void tryOut(const std::string &file) {
  auto tokenizer = test::openText(file);
  if (!tokenizer) {
    EXPECT_EQ(tokenizer.error().message.find('\n'), std::string::npos);
    return;
  }
  for (const char *text : {"ab <s> aba 12 \xE4\xBD\xA0 \xCC\x81", "", " "})
    if (auto ids = (*tokenizer)->encode(text, {true, true}))
      (void)(*tokenizer)->decode(*ids, {false});
}

TEST(DamageTest, ChangedBytesGiveATokenizerOrOneLine) {
  int rounds = test::longMode() ? 20000 : 600;
  std::mt19937 engine(1);
  std::vector<std::string> files;
  for (const json &entry : test::reference()["tokenizers"]) {
    json file = test::tokenizerFile("unknown", entry["change"], entry["parts"]);
    if (file["model"].value("unk_token", json()).is_string())
      file["added_tokens"] = json::array();
    files.push_back(file.dump());
  }
  for (int i = 0; i < rounds; ++i) {
    std::string file = files[engine() % files.size()];
    // Most of a file is its vocabulary; half of the changes are made in front of it, where the steps are.
    size_t end = i % 2 ? file.size() : std::max<size_t>(file.find("\"vocab\""), 2);
    for (size_t change = engine() % 3 + 1; change-- > 0;) {
      size_t at = engine() % std::min(end, file.size());
      static const std::string values = "\"\\{}[]:,0159-etrufalsn \xFF\x01";
      switch (engine() % 3) {
      case 0:
        file[at] = values[engine() % values.size()];
        break;
      case 1:
        file.insert(at, 1, values[engine() % values.size()]);
        break;
      default:
        file.erase(at, engine() % 20);
      }
    }
    tryOut(file);
  }
}
