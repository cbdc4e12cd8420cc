// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/PrefixTree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace chimera::serve;
using Tokens = std::vector<int32_t>;

static PrefixTree::Match find(PrefixTree &tree, const Tokens &tokens) {
  return tree.find(tokens.data(), int64_t(tokens.size()));
}
static bool keep(PrefixTree &tree, const Tokens &tokens, chimera_sequence sequence) {
  return tree.keep(tokens.data(), int64_t(tokens.size()), sequence);
}

TEST(PrefixTreeTest, TheLongestBeginningThatLeavesATokenIsFound) {
  PrefixTree tree(2);
  EXPECT_TRUE(keep(tree, {1, 2}, 10));
  EXPECT_TRUE(keep(tree, {1, 2, 3, 4}, 11));
  EXPECT_FALSE(keep(tree, {1, 2}, 12)) << "one is kept there";
  EXPECT_FALSE(keep(tree, {}, 12));
  EXPECT_EQ(find(tree, {1, 2, 3, 4, 5}).sequence, 11);
  EXPECT_EQ(find(tree, {1, 2, 3, 4, 5}).kept, 4);
  EXPECT_EQ(find(tree, {1, 2, 3, 4}).sequence, 10) << "a token must be left";
  EXPECT_EQ(find(tree, {1, 2, 4, 3, 5}).sequence, 10);
  EXPECT_EQ(find(tree, {1, 2}).sequence, 0);
  EXPECT_EQ(find(tree, {2, 1, 3}).sequence, 0);
  EXPECT_EQ(find(tree, {}).sequence, 0);
}

TEST(PrefixTreeTest, WhatTwoPromptsHaveInCommonIsTold) {
  PrefixTree tree(2);
  EXPECT_TRUE(keep(tree, {1, 2, 3, 4, 5, 6, 7, 8}, 10));
  PrefixTree::Match match = find(tree, {1, 2, 3, 4, 9, 9, 9});
  EXPECT_EQ(match.sequence, 0);
  EXPECT_EQ(match.common, 4);
  EXPECT_TRUE(keep(tree, {1, 2, 3, 4}, 11));
  EXPECT_EQ(find(tree, {1, 2, 3, 4, 9, 9, 9}).kept, 4);
}

TEST(PrefixTreeTest, WhatWasNotUsedForTheLongestTimeGoesFirst) {
  PrefixTree tree(1);
  EXPECT_TRUE(keep(tree, {1}, 10));
  EXPECT_TRUE(keep(tree, {2}, 20));
  EXPECT_TRUE(keep(tree, {3, 4}, 30));
  EXPECT_EQ(find(tree, {1, 9}).sequence, 10);
  EXPECT_EQ(tree.dropOldest()->sequence, 20);
  std::optional<PrefixTree::Dropped> dropped = tree.dropOldest();
  EXPECT_EQ(dropped->sequence, 30);
  EXPECT_EQ(dropped->tokens, 2);
  EXPECT_EQ(find(tree, {3, 4, 5}).common, 0) << "the way there is forgotten too";
  EXPECT_EQ(tree.dropOldest()->sequence, 10);
  EXPECT_FALSE(tree.dropOldest());
}

TEST(PrefixTreeTest, ItFindsWhatASearchOfAllWouldFind) {
  std::mt19937 random(3);
  PrefixTree tree(2);
  std::vector<std::pair<Tokens, chimera_sequence>> kept;
  auto tokens = [&](size_t most) {
    Tokens made(random() % (most + 1));
    for (int32_t &token : made)
      token = int32_t(random() % 2);
    return made;
  };
  for (chimera_sequence next = 1; next < 3000; ++next) {
    Tokens beginning = tokens(8);
    beginning.resize(beginning.size() / 2 * 2);
    bool there = std::any_of(kept.begin(), kept.end(), [&](const auto &one) { return one.first == beginning; });
    EXPECT_EQ(keep(tree, beginning, next), !there && !beginning.empty());
    if (!there && !beginning.empty())
      kept.emplace_back(beginning, next);
    while (kept.size() > random() % 20) {
      chimera_sequence dropped = tree.dropOldest()->sequence;
      auto found = std::find_if(kept.begin(), kept.end(), [&](const auto &one) { return one.second == dropped; });
      ASSERT_NE(found, kept.end());
      kept.erase(found);
    }
    EXPECT_EQ(tree.size(), kept.size());
    Tokens prompt = tokens(10);
    PrefixTree::Match match = find(tree, prompt);
    size_t longest = 0;
    for (const auto &[one, sequence] : kept)
      if (one.size() < prompt.size() && std::equal(one.begin(), one.end(), prompt.begin()))
        longest = std::max(longest, one.size());
    EXPECT_EQ(size_t(match.kept), longest);
    EXPECT_GE(match.common, match.kept);
  }
}
