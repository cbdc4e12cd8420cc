// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Byte pair encoding against the definition carried out plainly, on random vocabularies; and its time.
#include "runtime/text/Bpe.h"

#include "runtime/text/Utf8.h"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <random>
#include <set>

using namespace chimera;
using text::Bpe;

namespace {
/// A vocabulary over a few characters, with random merges.
struct Random {
  explicit Random(uint32_t seed) : engine(seed) {
    for (const char *character : {"a", "b", "c", "é", "▁"})
      add(character);
    for (int i = 0; i < 40; ++i) {
      std::string left = tokens[pick(tokens.size())], right = tokens[pick(tokens.size())];
      if (left.size() + right.size() > 24)
        continue;
      if (std::find(tokens.begin(), tokens.end(), left + right) == tokens.end())
        add(left + right);
      merges.push_back({left, right});
      description.merges.add(left);
      description.merges.add(right);
    }
  }
  void add(const std::string &token) {
    description.vocab.add(token);
    description.ids.push_back(int64_t(tokens.size()));
    tokens.push_back(token);
  }
  size_t pick(size_t count) { return engine() % count; }
  std::string text(size_t length) {
    std::string out;
    for (size_t i = 0; i < length; ++i)
      out += tokens[pick(5)];
    return out;
  }

  std::mt19937 engine;
  std::vector<std::string> tokens;
  std::vector<std::pair<std::string, std::string>> merges;
  text::BpeDescription description;
};
} // namespace

/// The definition: while any neighbours have a merge, join the leftmost of those whose merge is the first in the list.
/// Of equal merges the last counts.
static std::vector<std::string> plainly(const Random &vocabulary, const std::string &text) {
  std::vector<std::string> symbols;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    (void)text::next(text, at);
    symbols.push_back(text.substr(begin, at - begin));
  }
  auto rank = [&](const std::string &left, const std::string &right) {
    int found = -1;
    for (size_t i = 0; i < vocabulary.merges.size(); ++i)
      if (vocabulary.merges[i] == std::pair(left, right))
        found = int(i);
    return found;
  };
  while (true) {
    int best = -1;
    size_t place = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i)
      if (int r = rank(symbols[i], symbols[i + 1]); r >= 0 && (best < 0 || r < best)) {
        best = r;
        place = i;
      }
    if (best < 0)
      return symbols;
    symbols[place] += symbols[place + 1];
    symbols.erase(symbols.begin() + long(place) + 1);
  }
}

TEST(BpeTest, AgreesWithTheDefinition) {
  // A merge whose token another merge makes too may be queued under its older rank: the reference does so. Such
  // vocabularies are left to ReferenceTest.
  int compared = 0;
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    Random vocabulary(seed);
    std::set<std::string> made;
    bool unique = true;
    for (const auto &[left, right] : vocabulary.merges)
      unique &= made.insert(left + right).second;
    if (!unique)
      continue;
    auto bpe = Bpe::make(vocabulary.description);
    ASSERT_TRUE(bool(bpe)) << bpe.error().message;
    Bpe::Scratch scratch;
    for (int i = 0; i < 50; ++i) {
      std::string text = vocabulary.text(1 + vocabulary.pick(120));
      std::vector<int32_t> ids;
      bpe->encode(text, scratch, ids);
      std::vector<std::string> got;
      for (int32_t id : ids)
        got.push_back(vocabulary.tokens[size_t(id)]);
      ASSERT_EQ(got, plainly(vocabulary, text)) << seed << " " << text;
      ++compared;
    }
  }
  EXPECT_GT(compared, 500);
}

TEST(BpeTest, ALongPieceTakesTimeInProportion) {
  // One piece of a million characters that is not cut anywhere: with a quadratic merge this would take minutes.
  text::BpeDescription description;
  for (std::string token : {"a", "aa", "aaaa", "aaaaaaaa"}) {
    description.ids.push_back(int64_t(description.vocab.size()));
    description.vocab.add(token);
    if (token.size() > 1)
      for (int i = 0; i < 2; ++i)
        description.merges.add(token.substr(token.size() / 2));
  }
  auto bpe = Bpe::make(description);
  ASSERT_TRUE(bool(bpe));
  std::vector<int32_t> ids;
  Bpe::Scratch scratch;
  auto start = std::chrono::steady_clock::now();
  bpe->encode(std::string(1000001, 'a'), scratch, ids);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  ASSERT_EQ(ids.size(), 125001u);
  EXPECT_EQ(ids.front(), 3);
  EXPECT_EQ(ids.back(), 0);
}

TEST(BpeTest, TheCacheForgetsAndRemembersTheSame) {
  text::WordCache cache;
  for (int round = 0; round < 2; ++round)
    for (int32_t i = 0; i < 200000; ++i) {
      std::string word = "w" + std::to_string(i);
      if (auto found = cache.find(word)) {
        ASSERT_EQ(found->second, 2u);
        ASSERT_EQ(found->first[1], i);
        continue;
      }
      int32_t tokens[] = {-i, i};
      cache.insert(word, tokens, 2);
    }
}
