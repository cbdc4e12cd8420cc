// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// UTF-8, and characters at the borders of the reference's Unicode versions.
#include "runtime/text/Unicode.h"
#include "runtime/text/Utf8.h"

#include <gtest/gtest.h>

using namespace chimera;

static std::string lossy(std::string_view bytes, size_t step) {
  text::LossyDecoder decoder;
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += step)
    decoder.push(bytes.substr(at, step), out);
  decoder.finish(out);
  return out;
}

TEST(Utf8Test, IllFormedPartsBecomeOneReplacementEach) {
  const std::pair<const char *, const char *> cases[] = {
      {"a\xC3\xA9z", "aéz"},
      {"\xF0\x9F\x98", "\uFFFD"},
      {"\xF0\x9F\x98z", "\uFFFDz"},
      {"\xE2\x28\xA1", "\uFFFD(\uFFFD"},
      {"\xC0\xAF", "\uFFFD\uFFFD"},
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
      {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"\xE4\xBD\xE4\xBD\xA0", "\uFFFD你"},
      {"\x80\xBF", "\uFFFD\uFFFD"},
  };
  for (auto [bytes, text] : cases)
    for (size_t step : {1, 2, 100})
      EXPECT_EQ(lossy(bytes, step), text);
}

TEST(Utf8Test, EveryCharacterIsReadAsItWasWritten) {
  for (uint32_t point = 0; point < 0x110000; point += point < 0x3000 ? 1 : 97) {
    if (point >= 0xD800 && point < 0xE000)
      continue;
    std::string text;
    text::append(text, point);
    size_t at = 0;
    EXPECT_FALSE(text::findIllFormed(text));
    EXPECT_EQ(text::next(text, at), point);
    EXPECT_EQ(at, text.size());
    EXPECT_EQ(text::before(text, at), 0u);
  }
}

TEST(UnicodeTest, CharactersThatVersionsOfUnicodeDisagreeOn) {
  using text::NormalForm;
  // U+32FF (square era name Reiwa, Unicode 12.1) decomposes, but not in the reference's version 9; U+337F does in both.
  EXPECT_EQ(text::normalize("\u32FF\u337F", NormalForm::KC), "\u32FF株式会社");
  // U+1E5EF (class 220, Unicode 16) moves nowhere; U+0323 (class 220) moves before U+0301.
  EXPECT_EQ(text::normalize("a\u0301\U0001E5EF", NormalForm::D), "a\u0301\U0001E5EF");
  EXPECT_EQ(text::normalize("a\u0301\u0323", NormalForm::D), "a\u0323\u0301");
  EXPECT_EQ(text::normalize("xe\u0301\U0001E5EFe\u0301", NormalForm::C), "xé\U0001E5EFé");
  // Hangul: a syllable takes a final consonant, but not U+11A7, which is none.
  EXPECT_EQ(text::normalize("\u1112\u1165\u11A8", NormalForm::C), "\uD5C9");
  EXPECT_EQ(text::normalize("\u1112\u1165\u11A7", NormalForm::C), "\uD5C8\u11A7");
  EXPECT_TRUE(text::isNumeric(0x11DE0));     // Unicode 17
  EXPECT_FALSE(text::isPunctuation(0x2E52)); // Unicode 14, after the reference's 8
  EXPECT_TRUE(text::isPunctuation('$'));
  EXPECT_FALSE(text::isPunctuation(0x20AC)); // a symbol that is not ASCII's
  EXPECT_FALSE(text::isMark(0x898));         // Unicode 14, after the reference's 9
  EXPECT_TRUE(text::isMark(0x301));
  EXPECT_TRUE(text::isWord(0x2EBF0)); // Unicode 15.1
  EXPECT_TRUE(text::isWord(0x200D));
  EXPECT_FALSE(text::isWord(0xB2));
  EXPECT_FALSE(text::isWhitespace(0x180E));
  EXPECT_FALSE(text::isWhitespace(0x200B));
  std::string lower;
  for (uint32_t point : {0x41u, 0x130u, 0x3A3u, 0x1C89u, 0x10D50u, 0xDFu})
    text::appendLower(lower, point);
  EXPECT_EQ(lower, "ai\u0307σ\u1C8A\U00010D70ß");
}
