// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Regular expressions: what is refused, and that a search ends. What they match is in ReferenceTest.
#include "runtime/text/Regex.h"

#include "runtime/text/RegexSyntax.h"

#include <gtest/gtest.h>

using namespace chimera;

TEST(RegexTest, WhatIsNotSupportedIsNamedWithItsPlace) {
  const std::pair<const char *, const char *> cases[] = {
      {"(a)\\1", "character 5: the escape '\\1' is not supported"},
      {"\\k<a>", "character 2: the escape '\\k' is not supported"},
      {"\\g<a>", "character 2: the escape '\\g' is not supported"},
      {"a\\X", "character 3: the escape '\\X' is not supported"},
      {"a\\R", "character 3: the escape '\\R' is not supported"},
      {"(?~a)", "character 3: the group or option '(?~' is not supported"},
      {"(?x) a", "character 3: the group or option '(?x' is not supported"},
      {"(?(1)a|b)", "character 3: the group or option '(?(' is not supported"},
      {"\\p{Klingon}", "character 11: the property 'Klingon' is not supported"},
      {"\\pL", "character 3: \\p without {name} is not supported"},
      {"(?i)\xC3\xA9", "character 6: characters beyond ASCII where case is ignored are not supported"},
      {"(?i:gloss)", "character 10: ss, st, ff, fi, fl where case is ignored are not supported"},
      {"(?i)\\p{Lu}", "character 11: \\p{Lu} where case is ignored is not supported"},
      {"(a", "character 3: a '(' that is not closed"},
      {"a)", "character 2: a ')' that closes nothing"},
      {"[a", "character 3: a '[' that is not closed"},
      {"[]a]", "character 2: a ']' first in a set is not supported; write it as \\]"},
      {"[a&&]", "character 6: an empty set"},
      {"[z-a]", "character 5: a range that is not supported"},
      {"[[:punct:]]", "character 9: the set [:punct:] is not supported"},
      {"*a", "character 1: nothing to repeat"},
      {"^*", "character 2: nothing to repeat"},
      {"a{3,2}", "character 7: a repetition that is not supported: the numbers must rise and be at most 65535"},
      {"\\x{110000}", "character 10: a number that is no character"},
      {"\\xFF", "character 3: \\x of a byte above 7F is not supported"},
      {"a\\", "character 3: a '\\' at the end"},
  };
  for (auto [pattern, message] : cases) {
    auto regex = text::Regex::fromOniguruma(pattern);
    ASSERT_FALSE(bool(regex)) << pattern;
    EXPECT_EQ(regex.error().message, std::string("regular expression, ") + message) << pattern;
  }
  EXPECT_FALSE(bool(text::Regex::fromOniguruma("(?<=a+)b"))); // PCRE2 wants a length
  EXPECT_FALSE(bool(text::translateOniguruma(std::string(60, '(') + std::string(60, ')'))));
  EXPECT_FALSE(bool(text::translateOniguruma(std::string(60, '[') + "a" + std::string(60, ']'))));
  EXPECT_FALSE(bool(text::translateOniguruma(std::string(30000, 'a'))));
}

TEST(RegexTest, ASearchThatTakesTooLongIsAnError) {
  for (const char *pattern : {"^(a+)+b", "^(a|a)*b", "^(a*)*(b|c\\b)"}) {
    auto regex = text::Regex::fromOniguruma(pattern);
    ASSERT_TRUE(bool(regex)) << regex.error().message;
    text::Matcher matcher(*regex);
    auto found = matcher.find(std::string(60, 'a') + "!b", 0);
    ASSERT_FALSE(bool(found)) << pattern;
    EXPECT_EQ(found.error().message, "the regular expression takes too many steps at byte 0 of the text");
  }
}

TEST(RegexTest, LongTextsDoNotOverflowAnything) {
  auto regex = text::Regex::fromOniguruma("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+|\\w+");
  ASSERT_TRUE(bool(regex));
  text::Matcher matcher(*regex);
  for (std::string text : {std::string(1 << 20, ' ') + "x", std::string(1 << 20, 'a')}) {
    auto found = matcher.find(text, 0);
    ASSERT_TRUE(bool(found)) << found.error().message;
    ASSERT_TRUE(found->has_value());
    EXPECT_GE((*found)->end, size_t(1 << 20) - 1);
  }
}
