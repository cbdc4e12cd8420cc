// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The ring's two sources and late commit (docs/causality.md, lemma 7), on entries that are only numbers.
#include "test/support/Random.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace chimera::test;

namespace {

/// A ring of entry numbers. A query's result is the list of entries that it read.
class Ring {
public:
  explicit Ring(int64_t window) : places(size_t(window), -1) {}

  /// The entry at an index before this step.
  int64_t at(int64_t entry) const { return places[size_t(entry) % places.size()]; }

  void commit(int64_t rows) {
    for (int64_t i = 0; i < rows; ++i, ++count)
      places[size_t(count) % places.size()] = count;
  }

  /// What each row of a step of `rows` writing rows reads, and the step's commit.
  std::vector<std::vector<int64_t>> step(int64_t rows, bool commitFirst) {
    int64_t base = count, window = int64_t(places.size());
    if (commitFirst)
      commit(rows);
    std::vector<std::vector<int64_t>> reads;
    for (int64_t own = base; own < base + rows; ++own) {
      reads.emplace_back();
      for (int64_t entry = std::max<int64_t>(0, own - window + 1); entry <= own; ++entry)
        reads.back().push_back(entry < base || commitFirst ? at(entry) : entry);
    }
    if (!commitFirst)
      commit(rows);
    return reads;
  }

private:
  std::vector<int64_t> places;
  int64_t count = 0;
};

/// The last `window` entries, the own one included.
std::vector<int64_t> lastEntries(int64_t own, int64_t window) {
  std::vector<int64_t> entries;
  for (int64_t entry = std::max<int64_t>(0, own - window + 1); entry <= own; ++entry)
    entries.push_back(entry);
  return entries;
}

/// Runs steps of the given sizes; true if every row read the last entries.
bool readsTheLastEntries(int64_t window, const std::vector<int64_t> &sizes, bool commitFirst) {
  Ring ring(window);
  int64_t own = 0;
  for (int64_t size : sizes)
    for (const std::vector<int64_t> &reads : ring.step(size, commitFirst))
      if (reads != lastEntries(own++, window))
        return false;
  return true;
}

TEST(Ring, AnyCutReadsTheLastEntries) {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    int64_t window = random.between(1, 9);
    std::vector<int64_t> sizes;
    for (int64_t steps = random.between(1, 8); steps > 0; --steps)
      sizes.push_back(random.between(0, 2 * window + 2));
    ASSERT_TRUE(readsTheLastEntries(window, sizes, /*commitFirst=*/false)) << "window " << window;
  }
}

TEST(Ring, CommittingFirstIsRightForSingleRowsAndWrongForLongerSteps) {
  for (int64_t window = 2; window <= 9; ++window) {
    std::vector<int64_t> single(size_t(3 * window), 1);
    EXPECT_TRUE(readsTheLastEntries(window, single, /*commitFirst=*/true)) << "window " << window;
    EXPECT_FALSE(readsTheLastEntries(window, {window, 2}, /*commitFirst=*/true)) << "window " << window;
  }
}

} // namespace
