// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/Pairwise.h"

#include "test/support/Random.h"

#include <numeric>
#include <set>
#include <tuple>

namespace chimera::test {
namespace {

/// Option and setting, twice, the first option the smaller.
using Pair = std::tuple<size_t, int, size_t, int>;

Pair makePair(size_t a, int levelOfA, size_t b, int levelOfB) {
  return a < b ? Pair(a, levelOfA, b, levelOfB) : Pair(b, levelOfB, a, levelOfA);
}

std::set<Pair> allPairs(const std::vector<int> &levels) {
  std::set<Pair> pairs;
  for (size_t a = 0; a < levels.size(); ++a)
    for (size_t b = a + 1; b < levels.size(); ++b)
      for (int i = 0; i < levels[a]; ++i)
        for (int j = 0; j < levels[b]; ++j)
          pairs.insert(Pair(a, i, b, j));
  return pairs;
}

std::vector<size_t> shuffledOptions(size_t count, Random &random) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t(0));
  for (size_t i = count; i > 1; --i)
    std::swap(order[i - 1], order[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  return order;
}

/// The setting of `option` that completes most missing pairs with the options in `settled`; ties are drawn.
int bestLevel(size_t option, int levels, const std::vector<size_t> &settled, const std::vector<int> &row,
              const std::set<Pair> &missing, Random &random) {
  int best = 0, bestGain = -1, ties = 0;
  for (int level = 0; level < levels; ++level) {
    int gain = 0;
    for (size_t other : settled)
      gain += static_cast<int>(missing.count(makePair(option, level, other, row[other])));
    ties = gain == bestGain ? ties + 1 : 1;
    if (gain > bestGain || (gain == bestGain && random.below(ties) == 0)) {
      best = level;
      bestGain = gain;
    }
  }
  return best;
}

} // namespace

std::vector<std::vector<int>> pairwiseRows(const std::vector<int> &levels, uint64_t seed) {
  Random random(seed);
  std::set<Pair> missing = allPairs(levels);
  std::vector<std::vector<int>> rows;
  while (!missing.empty()) {
    // Starting from a missing pair, every row makes progress.
    auto [a, levelOfA, b, levelOfB] = *missing.begin();
    std::vector<int> row(levels.size(), 0);
    row[a] = levelOfA;
    row[b] = levelOfB;
    std::vector<size_t> settled = {a, b};
    for (size_t option : shuffledOptions(levels.size(), random)) {
      if (option == a || option == b)
        continue;
      row[option] = bestLevel(option, levels[option], settled, row, missing, random);
      settled.push_back(option);
    }
    for (size_t i = 0; i < row.size(); ++i)
      for (size_t j = i + 1; j < row.size(); ++j)
        missing.erase(Pair(i, row[i], j, row[j]));
    rows.push_back(row);
  }
  return rows;
}

} // namespace chimera::test
