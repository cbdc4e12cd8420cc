// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every step, and whole tokenizers, against what the reference library made of the same texts.
#include "runtime/text/Decoder.h"
#include "runtime/text/Normalizer.h"
#include "runtime/text/PreTokenizer.h"
#include "test/runtime-text/TextFiles.h"

#include <gtest/gtest.h>

using namespace chimera;
using nlohmann::json;

TEST(ReferenceTest, Normalizers) {
  const json &all = test::reference();
  for (const json &entry : all["normalizers"]) {
    auto step = text::Normalizer::read(entry["spec"], "normalizer");
    ASSERT_TRUE(bool(step)) << step.error().message;
    for (size_t i = 0; i < all["texts"].size(); ++i) {
      text::Section section{all["texts"][i], true};
      ASSERT_TRUE(bool((*step)->apply(section)));
      EXPECT_EQ(section.text, entry["results"][i]) << entry["spec"] << " of " << all["texts"][i];
    }
  }
}

TEST(ReferenceTest, PreTokenizers) {
  const json &all = test::reference();
  for (const json &entry : all["preTokenizers"]) {
    auto step = text::PreTokenizer::read(entry["spec"], "pre_tokenizer");
    ASSERT_TRUE(bool(step)) << entry["spec"] << ": " << step.error().message;
    for (size_t i = 0; i < all["texts"].size(); ++i) {
      text::Pieces pieces(text::Section{all["texts"][i], true});
      ASSERT_TRUE(bool((*step)->apply(pieces)));
      json got = json::array();
      for (size_t piece = 0; piece < pieces.spans.size(); ++piece)
        got.push_back(std::string(pieces.at(piece)));
      json whole = all["texts"][i] == "" ? json::array() : json::array({all["texts"][i]});
      EXPECT_EQ(got, entry["results"][i] == 0 ? whole : entry["results"][i])
          << entry["spec"] << " of " << all["texts"][i];
    }
  }
}

/// What a decoder makes of tokens, at once or as soon as it is complete.
static std::string decoded(const text::Decoder &decoder, const json &tokens, bool eager) {
  text::Decoding decoding(decoder, eager);
  std::string out;
  for (const json &token : tokens) {
    EXPECT_TRUE(bool(decoding.push(token.get<std::string>())));
    out += decoding.take();
  }
  EXPECT_TRUE(bool(decoding.finish()));
  return out + decoding.take();
}

TEST(ReferenceTest, Decoders) {
  const json &all = test::reference();
  for (const json &entry : all["decoders"]) {
    auto decoder = text::Decoder::read(entry["spec"], "decoder");
    ASSERT_TRUE(bool(decoder)) << decoder.error().message;
    for (size_t i = 0; i < all["tokenLists"].size(); ++i) {
      std::string expected = entry["results"][i];
      EXPECT_EQ(decoded(*decoder, all["tokenLists"][i], false), expected) << entry["spec"] << all["tokenLists"][i];
      // A run of byte tokens that is wrong keeps its complete characters when the text is wanted at once.
      if (expected.find("\xEF\xBF\xBD") == std::string::npos) {
        EXPECT_EQ(decoded(*decoder, all["tokenLists"][i], true), expected) << entry["spec"] << all["tokenLists"][i];
      }
    }
  }
}

TEST(ReferenceTest, Tokenizers) {
  const json &all = test::reference();
  for (const json &entry : all["tokenizers"]) {
    auto tokenizer = test::mustOpen(test::tokenizerFile(entry["model"], entry["change"], entry["parts"]));
    for (size_t i = 0; i < all["texts"].size(); ++i) {
      auto ids = tokenizer->encode(all["texts"][i].get<std::string>(), {true, true});
      ASSERT_TRUE(bool(ids)) << ids.error().message;
      EXPECT_EQ(json(*ids), entry["ids"][i]) << entry["parts"] << " of " << all["texts"][i];
      for (bool skip : {true, false}) {
        auto back = tokenizer->decode(*ids, {skip});
        ASSERT_TRUE(bool(back));
        EXPECT_EQ(*back, entry["decoded"][i][skip ? 0 : 1]) << entry["parts"] << " of " << all["texts"][i];
      }
    }
  }
}
