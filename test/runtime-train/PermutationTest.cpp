// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/Permutation.h"

#include <gtest/gtest.h>

#include <vector>

using chimera::train::Permutation;

TEST(Permutation, ReachesEveryElementOnce) {
  for (uint64_t size : {1, 2, 3, 4, 5, 15, 16, 17, 100, 1000, 4097}) {
    Permutation permutation(size, 7, 3);
    std::vector<int> reached(size);
    for (uint64_t i = 0; i < size; ++i) {
      uint64_t to = permutation.at(i);
      ASSERT_LT(to, size);
      ++reached[to];
    }
    for (uint64_t i = 0; i < size; ++i)
      EXPECT_EQ(reached[i], 1) << size << " " << i;
  }
}

TEST(Permutation, DiffersByEpochAndSeed) {
  Permutation first(1000, 7, 0), again(1000, 7, 0), epoch(1000, 7, 1), seed(1000, 8, 0);
  int fixed = 0, asEpoch = 0, asSeed = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(first.at(i), again.at(i));
    fixed += first.at(i) == i;
    asEpoch += first.at(i) == epoch.at(i);
    asSeed += first.at(i) == seed.at(i);
  }
  // One in a thousand agrees by chance; twelve never do.
  EXPECT_LT(fixed, 12);
  EXPECT_LT(asEpoch, 12);
  EXPECT_LT(asSeed, 12);
}

TEST(Permutation, SpreadsNeighbours) {
  // The mean distance between the images of neighbours is a third of the size for a random permutation.
  constexpr uint64_t size = 4096;
  Permutation permutation(size, 1, 0);
  double sum = 0;
  for (uint64_t i = 1; i < size; ++i)
    sum += std::abs(double(permutation.at(i)) - double(permutation.at(i - 1)));
  EXPECT_NEAR(sum / double(size - 1) / double(size), 1.0 / 3, 0.03);
}
