// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokenizers that are trained: against the reference library, and as this library reads them.
#include "runtime/text/TokenizerTrainer.h"

#include "runtime/text/Utf8.h"
#include "test/runtime-text/TextFiles.h"

#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>

using namespace chimera;
using nlohmann::json;
using text::TokenizerTrainer;
using text::TrainingPlan;
using text::WordStyle;

static TrainingPlan plan(int64_t vocabSize, std::vector<std::string> special = {}) {
  TrainingPlan made;
  made.vocabSize = vocabSize;
  made.leastCount = 1;
  made.special = std::move(special);
  return made;
}

/// What is trained on `texts`; success is expected.
static text::TrainedTokenizer trained(const TrainingPlan &plan, const std::vector<std::string> &texts) {
  auto trainer = TokenizerTrainer::make(plan);
  if (!trainer) {
    ADD_FAILURE() << trainer.error().message;
    return {};
  }
  for (const std::string &one : texts)
    EXPECT_TRUE(bool(trainer->add(one)));
  auto made = trainer->train();
  EXPECT_TRUE(bool(made));
  return made ? *made : text::TrainedTokenizer{};
}

static std::unique_ptr<text::Tokenizer> opened(const text::TrainedTokenizer &made) {
  test::TempFolder folder;
  folder.write("tokenizer.json", made.tokenizer);
  folder.write("tokenizer_config.json", made.config);
  auto tokenizer = text::Tokenizer::open(folder.path());
  EXPECT_TRUE(bool(tokenizer)) << tokenizer.error().message;
  return std::move(*tokenizer);
}

static std::vector<std::string> tokensOf(const text::Tokenizer &tokenizer, const std::string &text) {
  auto ids = tokenizer.encode(text);
  EXPECT_TRUE(bool(ids));
  std::vector<std::string> tokens;
  for (int32_t id : *ids)
    tokens.push_back(tokenizer.tokenOf(id).value_or("?"));
  return tokens;
}

static std::string errorOf(const TrainingPlan &plan) {
  auto trainer = TokenizerTrainer::make(plan);
  return trainer ? "none" : trainer.error().message;
}

TEST(TokenizerTrainerTest, LearnsWhatTheReferenceLearns) {
  const json reference = json::parse(std::ifstream(CHIMERA_TEXT_TESTS "/trained.json"));
  for (auto [name, style] : {std::pair("gpt2", WordStyle::Gpt2), std::pair("llama3", WordStyle::Llama3)}) {
    const json &expected = reference["styles"][name];
    TrainingPlan wanted = plan(30000);
    wanted.words = style;
    std::vector<std::string> lines;
    for (const json &line : reference["lines"])
      lines.push_back(line.get<std::string>() + "\n");
    text::TrainedTokenizer made = trained(wanted, lines);
    EXPECT_EQ(json::parse(made.tokenizer)["model"]["merges"], expected["merges"]) << name;
    EXPECT_EQ(made.vocabSize, int64_t(256 + expected["merges"].size()));
    auto tokenizer = opened(made);
    for (size_t i = 0; i < reference["texts"].size(); ++i)
      EXPECT_EQ(json(tokensOf(*tokenizer, reference["texts"][i])), expected["tokens"][i]) << name << " " << i;
  }
}

TEST(TokenizerTrainerTest, SpecialTokensComeFirstThenBytesThenMerges) {
  text::TrainedTokenizer made = trained(plan(258 + 3, {"<end>", "<pad>"}), {"abab abab", "abab"});
  EXPECT_EQ(made.vocabSize, 261);
  auto tokenizer = opened(made);
  EXPECT_EQ(tokenizer->vocabSize(), 261);
  EXPECT_EQ(tokenizer->idOf("<end>"), 0);
  EXPECT_EQ(tokenizer->idOf("<pad>"), 1);
  EXPECT_EQ(tokenizer->idOf("!"), 2); // the first byte in GPT-2's order
  EXPECT_EQ(tokenizer->idOf("ab"), 258);
  EXPECT_EQ(tokenizer->idOf("abab"), 259);
  EXPECT_EQ(tokenizer->idOf("Ġabab"), 260);
  EXPECT_EQ(made.textTokens, 3u);
}

TEST(TokenizerTrainerTest, AnyTextComesBack) {
  auto tokenizer = opened(trained(plan(300), {"the text has nothing of what comes"}));
  std::string all;
  for (uint32_t point = 1; point < 0x3000; ++point)
    text::append(all, point);
  auto ids = tokenizer->encode(all);
  ASSERT_TRUE(bool(ids));
  auto back = tokenizer->decode(*ids);
  ASSERT_TRUE(bool(back));
  EXPECT_EQ(*back, all);
}

TEST(TokenizerTrainerTest, TheFirstTokenIsPutBeforeATextAndNoneByDefault) {
  TrainingPlan with = plan(258, {"</s>", "<s>"});
  with.begin = "<s>";
  with.end = "</s>";
  text::TrainedTokenizer made = trained(with, {"a"});
  EXPECT_EQ(tokensOf(*opened(made), "a"), (std::vector<std::string>{"<s>", "a"}));
  EXPECT_EQ(json::parse(made.config)["bos_token"], "<s>");
  EXPECT_EQ(json::parse(made.config)["eos_token"], "</s>");
  EXPECT_EQ(tokensOf(*opened(trained(plan(258, {"</s>", "<s>"}), {"a"})), "a"), (std::vector<std::string>{"a"}));
}

TEST(TokenizerTrainerTest, SpecialTokensInATextAreLeftOut) {
  // Without them the words are "ab" and "cd", twice each; the angles would be frequent too.
  text::TrainedTokenizer made = trained(plan(1000, {"<sep>"}), {"ab<sep>cd<sep>ab<sep>cd"});
  EXPECT_EQ(json::parse(made.tokenizer)["model"]["merges"], json::parse(R"([["a","b"],["c","d"]])"));
  EXPECT_EQ(made.textBytes, 8u);
  EXPECT_EQ(made.textTokens, 4u);
}

TEST(TokenizerTrainerTest, NoTokenOfATextIsSpelledAsASpecialOne) {
  // In a vocabulary " the" is spelled so.
  text::TrainedTokenizer made = trained(plan(1000, {"Ġthe"}), {" the the the then"});
  EXPECT_GT(made.vocabSize, 257);
  auto tokenizer = opened(made);
  text::EncodeOptions parse;
  parse.parseSpecial = true;
  auto text = tokenizer->encode(" the", parse), special = tokenizer->encode("Ġthe", parse);
  ASSERT_TRUE(text && special);
  EXPECT_GT(text->size(), 1u);
  EXPECT_EQ(std::count(text->begin(), text->end(), 0), 0);
  EXPECT_EQ(*special, std::vector<int32_t>{0});
}

TEST(TokenizerTrainerTest, TheOrderOfTextsAndTheCutsOfLongOnesChangeNothing) {
  std::string line, whole;
  std::vector<std::string> parts;
  for (int i = 0; whole.size() < 9 << 18; ++i) {
    line = "line " + std::to_string(i % 997) + (i % 7 ? ".\n" : "  \n\n\t") + (i % 5 ? "next" : "(else)\n") + "\n";
    whole += line;
    if (i < 1000)
      parts.push_back(line);
  }
  text::TrainedTokenizer forward = trained(plan(600), parts);
  std::reverse(parts.begin(), parts.end());
  text::TrainedTokenizer backward = trained(plan(600), parts);
  EXPECT_EQ(forward.tokenizer, backward.tokenizer);

  for (WordStyle style : {WordStyle::Gpt2, WordStyle::Llama3}) {
    // The words of the whole text, which encoding does not cut into blocks, are as many as were counted.
    TrainingPlan wanted = plan(257, {"<end>"});
    wanted.words = style;
    wanted.leastCount = uint64_t(1) << 40;
    EXPECT_EQ(trained(wanted, {whole}).textTokens, whole.size());
    wanted.vocabSize = 2000;
    wanted.leastCount = 1;
    text::TrainedTokenizer made = trained(wanted, {whole});
    auto ids = opened(made)->encode(whole);
    ASSERT_TRUE(bool(ids));
    EXPECT_EQ(made.textTokens, ids->size());
  }
}

TEST(TokenizerTrainerTest, FewerPairsThanTokens) {
  TrainingPlan twice = plan(1000);
  twice.leastCount = 2;
  EXPECT_EQ(trained(twice, {"abcd ab"}).vocabSize, 257); // a b
  EXPECT_EQ(trained(plan(1000), {}).vocabSize, 256);
  EXPECT_EQ(trained(plan(1000), {"", "\n"}).vocabSize, 256);
}

TEST(TokenizerTrainerTest, WhatCannotBeIsAnError) {
  EXPECT_EQ(errorOf(plan(257, {"a long one", "b long one"})),
            "a vocabulary has 258 tokens at least, for bytes and special tokens, and 16777216 at most, not 257");
  EXPECT_EQ(errorOf(plan(1000, {""})), "the special token '' must have 1 to 1000 bytes");
  EXPECT_EQ(errorOf(plan(1000, {"<\xff>"})), "the special token '<\\xff>' is not UTF-8");
  EXPECT_EQ(errorOf(plan(1000, {"a"})), "the special token 'a' is a character that stands for a byte");
  EXPECT_EQ(errorOf(plan(1000, {"<s>", "<s>"})), "the special token '<s>' is there twice");
  TrainingPlan ends = plan(1000, {"<s>"});
  ends.end = "</s>";
  EXPECT_EQ(errorOf(ends), "'</s>' is not among the special tokens");
  auto trainer = TokenizerTrainer::make(plan(1000));
  ASSERT_TRUE(bool(trainer));
  auto added = trainer->add("ab\xc3");
  ASSERT_FALSE(bool(added));
  EXPECT_EQ(added.error().message, "the text is not UTF-8 at byte 2");
}
