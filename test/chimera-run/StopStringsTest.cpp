// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/generation/StopStrings.h"

#include "test/chimera-run/ByteModel.h"

using namespace chimera;
using namespace chimera::test;
using run::StopStrings;

/// What passes of `text` in parts of `size` bytes; what passed with each part in `parts`.
static std::string passed(const std::vector<std::string> &strings, const std::string &text, size_t size,
                          bool *found = nullptr) {
  StopStrings stop(strings);
  std::string out;
  for (size_t at = 0; at < text.size() && !stop.found(); at += size)
    out += stop.push(text.substr(at, size));
  if (found)
    *found = stop.found();
  return out + stop.flush();
}

TEST(StopStringsTest, TheTextEndsBeforeTheStringHoweverItIsCut) {
  struct Case {
    std::vector<std::string> strings;
    std::string text, passed;
    bool found;
  };
  for (const Case &c : std::vector<Case>{
           {{}, "text", "text", false},
           {{"User:"}, "Hello\nUser: more", "Hello\n", true},
           {{"User:"}, "Hello\nUser", "Hello\nUser", false},
           {{"\n\n"}, "a\n\n\nb", "a", true},
           {{"aab"}, "aaaab", "aa", true},
           {{"abab"}, "ababc", "", true},
           {{"abac"}, "ababac", "ab", true},
           {{"b", "xabyy"}, "xabyy", "xa", true},    // b is complete first
           {{"b", "ab", "cb"}, "xaby", "x", true},   // of those that end together the longest
           {{"\u00e9"}, "caf\u00e9!", "caf", true},  // a character of two bytes
           {{"\xA9"}, "caf\u00e9!", "caf\xC3", true} // bytes that are no character are found too
       })
    for (size_t size : {1, 2, 3, 100}) {
      bool found = !c.found;
      EXPECT_EQ(passed(c.strings, c.text, size, &found), c.passed) << c.text << " by " << size;
      EXPECT_EQ(found, c.found) << c.text << " by " << size;
    }
}

TEST(StopStringsTest, OnlyWhatMayBeginAStringWaits) {
  StopStrings stop({"User:", "Us too"});
  EXPECT_EQ(stop.push("abcU"), "abc");
  EXPECT_EQ(stop.push("s"), "");
  EXPECT_EQ(stop.push("e"), "");
  EXPECT_EQ(stop.push("d U"), "Used ");
  EXPECT_EQ(stop.push("s too!"), "");
  EXPECT_TRUE(stop.found());
  EXPECT_EQ(stop.push("more"), "");
  EXPECT_EQ(stop.flush(), "");
}

using StopTest = ByteModelTest;

TEST_F(StopTest, GenerationEndsWithTheTokenThatCompletesAString) {
  std::vector<int32_t> tokens = chosen(bytesOf("the way"), 40, {});
  std::string whole = textOf(tokens), stop = textOf({tokens.begin() + 9, tokens.begin() + 12});
  size_t at = whole.find(stop), count = 0;
  while (textOf({tokens.begin(), tokens.begin() + std::ptrdiff_t(count)}).find(stop) == std::string::npos)
    ++count;
  std::vector<std::string> more = {"--max-new-tokens", "40", "--stop", "never", "--stop", stop, "--stats"};
  writeFile(file("p.txt"), "the way");
  for (const std::vector<std::string> &source :
       std::vector<std::vector<std::string>>{{"--prompt", "the way"}, {"--prompt-file", file("p.txt")}}) {
    std::vector<std::string> arguments = source;
    arguments.insert(arguments.end(), more.begin(), more.end());
    ProcessResult result = run(arguments);
    EXPECT_EQ(result.status, 0) << result.describe();
    EXPECT_EQ(result.out, "the way" + whole.substr(0, at) + "\n");
    // The first new token is chosen in the prefill step, the one that completes the string is not fed.
    EXPECT_NE(result.err.find("decode: " + std::to_string(count - 1) + " tokens"), std::string::npos) << result.err;
  }
}

TEST_F(StopTest, StringsInTheGivenTextDoNotCount) {
  ProcessResult result = run({"--prompt", "a stop", "--stop", "stop", "--stop", "[no]", "--max-new-tokens", "5"});
  expectSuccess(result);
  EXPECT_EQ(result.out, "a stop" + continuation(bytesOf("a stop"), 5, {}) + "\n");
}

TEST_F(StopTest, TheBeginningOfAStringIsPrintedWhenTheTextEnds) {
  std::string whole = continuation(bytesOf("x"), 6, {});
  ProcessResult result = run({"--prompt", "x", "--max-new-tokens", "6", "--stop", whole.substr(4) + "more"});
  expectSuccess(result);
  EXPECT_EQ(result.out, "x" + whole + "\n");
}

TEST_F(StopTest, TheTokensOfTheStringAreAmongTheNewOnes) {
  std::vector<int32_t> tokens = chosen(bytesOf("x"), 6, {});
  expectSuccess(
      run({"--prompt", "x", "--max-new-tokens", "6", "--stop", textOf({tokens[3]}), "--output-tokens", file("o.npy")}));
  size_t count = size_t(std::find(tokens.begin(), tokens.end(), tokens[3]) - tokens.begin()) + 1;
  tokens.resize(count);
  tokens.resize(6, -1);
  EXPECT_EQ(load<int32_t>("o.npy", io::DType::I32, {1, 6}), tokens);
}

TEST_F(StopTest, WhatCannotBeIsMisuse) {
  expectError(run({"--tokens", "t.npy", "--max-new-tokens", "4", "--stop", "x"}), 2,
              "chimera-run: --stop requires --prompt, --prompt-file, --jsonl, --chat or --messages\n");
  expectError(run({"--prompt", "x", "--stop", ""}), 2, "chimera-run: --stop: the string is empty\n");
}
