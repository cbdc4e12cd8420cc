// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is proposed to follow a text, for texts worked out by hand, and against a plain search in random ones.
#include "tools/generation/NgramProposer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

using chimera::run::NgramProposer;

namespace {

std::string proposed(const std::string &text, size_t most) {
  std::vector<int32_t> tokens(text.begin(), text.end()), proposal;
  NgramProposer proposer;
  proposer.append(tokens.data(), tokens.size());
  proposer.propose(most, proposal);
  return {proposal.begin(), proposal.end()};
}

} // namespace

TEST(NgramProposer, GoesOnAsTheTextDidBefore) {
  EXPECT_EQ(proposed("one two three, one two", 8), " three,") << "seven tokens agree";
  EXPECT_EQ(proposed("abcd....bcd", 8), "...");
  EXPECT_EQ(proposed("abcX1abcY2abc", 8), "Y2a") << "the later of two that agree as far";
  EXPECT_EQ(proposed("1abcX...2abcY...1abc", 8), "X...") << "the one that agrees farther";
}

TEST(NgramProposer, ProposesNoMoreThanAgreesAndIsWanted) {
  EXPECT_EQ(proposed("abcdefgh, abc", 8), "def");
  EXPECT_EQ(proposed("abcdefgh, abc", 2), "de");
  EXPECT_EQ(proposed("abcdefgh, abc", 0), "");
}

TEST(NgramProposer, RepeatsWhatRepeats) {
  EXPECT_EQ(proposed(std::string(100, 'a'), 8), "aaaaaaaa");
  EXPECT_EQ(proposed("abababababababab", 6), "ababab");
}

TEST(NgramProposer, ProposesNothingWhereNothingAgrees) {
  for (const char *text : {"", "a", "aaa", "abcdef", "ab..ab"})
    EXPECT_EQ(proposed(text, 8), "") << text;
}

TEST(NgramProposer, FindsInLongTextsWhatAPlainSearchFinds) {
  std::mt19937 random(4);
  std::vector<int32_t> text;
  NgramProposer proposer;
  size_t found = 0, there = 0;
  for (int step = 0; step < 3000; ++step) {
    text.push_back(int32_t(random() % 12));
    proposer.append(text.back());
    std::vector<int32_t> proposal;
    proposer.propose(1, proposal);
    // With one token wanted, three that agree are enough: the last place has it.
    std::vector<int32_t> plain;
    for (size_t end = text.size() - 1; plain.empty() && end-- > 2;)
      if (std::equal(text.end() - 3, text.end(), text.begin() + std::ptrdiff_t(end) - 2))
        plain = {text[end + 1]};
    if (!proposal.empty())
      EXPECT_EQ(proposal, plain);
    found += !proposal.empty();
    there += !plain.empty();
  }
  EXPECT_GT(there, 1000u);
  EXPECT_GT(found, there * 9 / 10) << "other grams in the same buckets hide few";
}
