// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Merges that are learned, against the definition carried out plainly; and the time that learning takes.
#include "runtime/text/BpeTrainer.h"

#include <chrono>
#include <gtest/gtest.h>
#include <map>
#include <random>

using namespace chimera;
using text::BpeTrainer;

namespace {
struct Word {
  std::vector<uint32_t> symbols;
  uint64_t count;
};
using Merges = std::vector<std::pair<uint32_t, uint32_t>>;
} // namespace

/// The definition: count all pairs of neighbours anew, take the one that occurs most often and of equals the smallest,
/// join it in each word from left to right; until none occurs `least` times.
static Merges plainly(std::vector<Word> words, uint32_t alphabet, uint64_t least) {
  Merges merges;
  while (true) {
    std::map<std::pair<uint32_t, uint32_t>, uint64_t> counts;
    for (const Word &word : words)
      for (size_t i = 0; i + 1 < word.symbols.size(); ++i)
        counts[{word.symbols[i], word.symbols[i + 1]}] += word.count;
    std::pair<uint32_t, uint32_t> best;
    uint64_t most = least - 1;
    for (const auto &[pair, count] : counts)
      if (count > most) {
        best = pair;
        most = count;
      }
    if (most < least)
      return merges;
    for (Word &word : words)
      for (size_t i = 0; i + 1 < word.symbols.size(); ++i)
        if (word.symbols[i] == best.first && word.symbols[i + 1] == best.second) {
          word.symbols[i] = alphabet + uint32_t(merges.size());
          word.symbols.erase(word.symbols.begin() + long(i) + 1);
        }
    merges.push_back(best);
  }
}

static Merges learned(BpeTrainer &trainer) {
  Merges merges;
  while (std::optional<BpeTrainer::Pair> best = trainer.best()) {
    merges.emplace_back(best->left, best->right);
    trainer.join();
  }
  return merges;
}

TEST(BpeTrainerTest, AgreesWithTheDefinition) {
  size_t compared = 0;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    uint32_t alphabet = 1 + seed % 5; // few symbols: long runs, and many equal counts
    uint64_t least = 1 + seed % 3;
    std::vector<Word> words(1 + random() % 12);
    BpeTrainer trainer(alphabet, least);
    for (Word &word : words) {
      for (size_t length = random() % 30; length; --length)
        word.symbols.push_back(uint32_t(random() % alphabet));
      word.count = 1 + random() % 4;
      ASSERT_TRUE(bool(trainer.add(word.symbols, word.count)));
    }
    Merges expected = plainly(words, alphabet, least);
    ASSERT_EQ(learned(trainer), expected) << seed;
    compared += expected.size();
  }
  EXPECT_GT(compared, 3000u);
}

TEST(BpeTrainerTest, CountsTheSymbolsThatAreLeft) {
  BpeTrainer trainer(3, 2);
  ASSERT_TRUE(bool(trainer.add({0, 1, 0, 1, 2}, 10)));
  ASSERT_TRUE(bool(trainer.add({2}, 5)));
  ASSERT_TRUE(bool(trainer.add({}, 7)));
  EXPECT_EQ(trainer.length(), 55u);
  ASSERT_TRUE(trainer.best().has_value());
  trainer.join(); // 0 1
  EXPECT_EQ(trainer.length(), 35u);
}

TEST(BpeTrainerTest, APairThatIsDroppedDoesNotComeAgain) {
  BpeTrainer trainer(3, 1);
  ASSERT_TRUE(bool(trainer.add({0, 1, 2}, 3)));
  ASSERT_TRUE(bool(trainer.add({0, 1}, 1)));
  ASSERT_EQ(trainer.best()->left, 0u);
  trainer.drop();
  EXPECT_EQ(learned(trainer), (Merges{{1, 2}, {0, 3}}));
}

TEST(BpeTrainerTest, ALongWordTakesTimeInProportion) {
  // One word of half a million symbols: searching all of it for each merge would take some hundred times as long.
  std::mt19937 random(7);
  std::vector<uint32_t> word(500000);
  for (uint32_t &symbol : word)
    symbol = uint32_t(random() % 64);
  BpeTrainer trainer(64, 2);
  ASSERT_TRUE(bool(trainer.add(word, 1)));
  auto start = std::chrono::steady_clock::now();
  Merges merges = learned(trainer);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  EXPECT_GT(merges.size(), 20000u);
}
