// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/Json.h"

#include <gtest/gtest.h>

using namespace chimera;

namespace {

std::string errorOf(std::string_view text) {
  auto result = parseJson(text);
  if (!std::holds_alternative<std::string>(result)) {
    ADD_FAILURE() << "no error in " << text;
    return {};
  }
  return std::get<std::string>(result);
}

JsonValue valueOf(std::string_view text) {
  auto result = parseJson(text);
  if (const std::string *error = std::get_if<std::string>(&result)) {
    ADD_FAILURE() << *error;
    return {};
  }
  return std::get<JsonValue>(result);
}

bool startsWith(const std::string &text, const std::string &start) {
  return text.rfind(start, 0) == 0;
}

TEST(Json, TellsIntegersFromOtherNumbers) {
  JsonValue list = valueOf("[3, -4, 3.0, 1e2, 9223372036854775807, 9223372036854775808, 99999999999999999999]");
  ASSERT_EQ(list.items.size(), 7U);
  std::vector<JsonValue::Kind> kinds;
  for (const JsonValue &item : list.items)
    kinds.push_back(item.kind);
  using Kind = JsonValue::Kind;
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::Integer, Kind::Integer, Kind::Number, Kind::Number, Kind::Integer,
                                      Kind::Number, Kind::Number}));
  EXPECT_EQ(list.items[4].integer, INT64_MAX);
  EXPECT_EQ(list.items[6].describe(), "99999999999999999999");
}

TEST(Json, KeepsTheOrderOfKeys) {
  JsonValue object = valueOf(R"({"b": 1, "a": {"c": true}})");
  ASSERT_EQ(object.members.size(), 2U);
  EXPECT_EQ(object.members[0].first, "b");
  EXPECT_TRUE(object.find("a")->find("c")->boolean);
  EXPECT_EQ(object.find("c"), nullptr);
}

TEST(Json, ReadsTheBareWordInfinityOutsideStrings) {
  JsonValue list = valueOf(R"([Infinity, "Infinity", "a \" Infinity"])");
  EXPECT_EQ(list.items[0].kind, JsonValue::Kind::Infinity);
  EXPECT_EQ(list.items[1].kind, JsonValue::Kind::String);
  EXPECT_EQ(list.items[1].text, "Infinity");
  EXPECT_EQ(list.items[2].text, "a \" Infinity");
  EXPECT_TRUE(startsWith(errorOf("[-Infinity]"), "line 1, column "));
  EXPECT_TRUE(startsWith(errorOf("[Infinity1]"), "line 1, column "));
  EXPECT_TRUE(startsWith(errorOf("[NaN]"), "line 1, column 2: not valid JSON: "));
  EXPECT_TRUE(startsWith(errorOf("[\"\\u0001\"]"), "line 1, column 2: not valid JSON: "));
}

TEST(Json, NamesDuplicateKeysByPath) {
  EXPECT_EQ(errorOf(R"({"a": 1, "a": 1})"), "key 'a': given twice");
  EXPECT_EQ(errorOf(R"({"a": [0, {"b": {"c": 1, "d": 2, "c": 3}}]})"), "key 'a[1].b.c': given twice");
}

TEST(Json, SyntaxErrorsHaveLineAndColumn) {
  EXPECT_TRUE(startsWith(errorOf("{\n  \"a\": 1,\n  \"b\" 2\n}"), "line 3, column 7: not valid JSON: "));
  EXPECT_TRUE(startsWith(errorOf(""), "line 1, column 1: not valid JSON: "));
  EXPECT_TRUE(startsWith(errorOf("{} x"), "line 1, column 4: not valid JSON: "));
  EXPECT_TRUE(startsWith(errorOf("{\"a\": \"b\xff\"}"), "line 1, column "));
}

TEST(Json, AZeroByteDoesNotEndTheText) {
  EXPECT_EQ(errorOf(std::string_view("{}\0x", 4)), "line 1, column 3: not valid JSON: a zero byte");
}

TEST(Json, NumbersBeyondADoubleAreErrorsThatNameTheKey) {
  EXPECT_EQ(errorOf(R"({"a": {"b": [1, 1e999]}})"), "key 'a.b[1]': the number 1e999 is out of range");
}

TEST(Json, NestingAndLengthAreLimited) {
  std::string deep(64, '['), close(64, ']');
  valueOf(deep + close);
  EXPECT_NE(errorOf(deep + "[" + close + "]").find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_NE(errorOf(std::string(1 << 20, '[')).find("nested deeper than 64 levels"), std::string::npos);
  std::string objects;
  for (int i = 0; i < 100000; ++i)
    objects += "{\"a\":";
  EXPECT_NE(errorOf(objects).find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_EQ(errorOf(std::string((4 << 20) + 1, ' ')), "longer than 4194304 bytes");
}

TEST(Json, MessagesStayOnOneShortLine) {
  std::string error = errorOf("{\"a\": \"x\ny" + std::string(100000, 'z') + "\"}");
  EXPECT_EQ(error.find('\n'), std::string::npos);
  EXPECT_LT(error.size(), 400U);
  error = errorOf("{\"" + std::string(100000, 'k') + "\": 1, \"" + std::string(100000, 'k') + "\": 1}");
  EXPECT_LT(error.size(), 400U);
}

} // namespace
