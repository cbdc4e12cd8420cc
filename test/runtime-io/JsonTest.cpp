// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Json.h"

#include <gtest/gtest.h>

#include <string>

using namespace chimera::io;

static std::string errorOf(const std::string &text) {
  Result<nlohmann::json> parsed = parseJson(text.data(), text.size());
  return parsed ? "" : parsed.error().message;
}

TEST(JsonTest, TakesOneValueAndNothingElse) {
  for (const char *text : {"{}", " [1, \"a\"]\n", "null", "-1.5e3", "\"\\u0000\""})
    EXPECT_EQ(errorOf(text), "") << text;
  for (const char *text : {"", " ", "{} {}", "1 2", "[1,]", "{\"a\":1,}", "NaN", "\"\xff\"", "\"\n\""})
    EXPECT_NE(errorOf(text), "") << text;
}

TEST(JsonTest, ANulEndsNothing) {
  const std::string nul(1, '\0');
  EXPECT_EQ(errorOf("{}" + nul), "not valid JSON at byte 3");
  EXPECT_EQ(errorOf("{}" + nul + "{}"), "not valid JSON at byte 3");
  EXPECT_EQ(errorOf("\"a" + nul + "b\""), "not valid JSON at byte 3");
  EXPECT_EQ(errorOf(nul), "not valid JSON at byte 1");
}

TEST(JsonTest, KeysTwiceDepthAndNumbersOutOfRangeAreErrors) {
  EXPECT_EQ(errorOf("{\"a\": 1, \"a\": 2}"), "the key 'a' occurs twice");
  EXPECT_EQ(errorOf(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_EQ(errorOf(std::string(65, '[') + std::string(65, ']')), "not valid here: JSON nested deeper than 64");
  EXPECT_EQ(errorOf("1e999"), "not valid JSON: a number out of range");
}
