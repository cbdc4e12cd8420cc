// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Logprobs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

using namespace chimera::serve;

TEST(LogprobsTest, TheyAreTheLogarithmOfTheSoftmax) {
  std::vector<double> logits = {1, 3, 2};
  double sum = std::exp(1.0) + std::exp(3.0) + std::exp(2.0);
  TokenLogprob made = logprobOf(logits.data(), 3, 2, 2);
  EXPECT_NEAR(made.logprob, 2 - std::log(sum), 1e-15);
  ASSERT_EQ(made.top.size(), 2u);
  EXPECT_EQ(made.top[0].first, 1);
  EXPECT_EQ(made.top[1].first, 2);
  EXPECT_EQ(made.top[1].second, made.logprob);
}

TEST(LogprobsTest, LargeLogitsDoNotOverflowAndInfinityHasNoProbability) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> logits = {3e38f, 3e38f, -infinity};
  TokenLogprob made = logprobOf(logits.data(), 3, 2, 0);
  EXPECT_EQ(made.logprob, -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(made.top.empty());
  EXPECT_NEAR(logprobOf(logits.data(), 3, 0, 0).logprob, -std::log(2.0), 1e-15);
}

TEST(LogprobsTest, TheLikeliestAreThoseOfASortWithTiesByTheirIds) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<float> logits(1 + random() % 50);
    for (float &logit : logits)
      logit = float(random() % 8);
    std::vector<int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
    auto wanted = int64_t(random() % 60);
    TokenLogprob made = logprobOf(logits.data(), int64_t(logits.size()), 0, wanted);
    ASSERT_EQ(made.top.size(), std::min(size_t(wanted), logits.size()));
    for (size_t i = 0; i < made.top.size(); ++i)
      EXPECT_EQ(made.top[i].first, order[i]);
  }
}
