// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Balancer.h"
#include "runtime/train/Noise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace chimera::train {
namespace {

TEST(Balancer, FollowsTheFormula) {
  std::vector<float> average = {0.6f, 0.3f, 0.1f}, bias = {0, 0.5f, -0.25f};
  balance({0.75, 0.125, 4}, {1, 1, 2}, {0.6, 0.3, 0.1}, average, bias);
  EXPECT_EQ(average[0], float(0.75 * double(0.6f) + 0.25 * 0.25));
  EXPECT_EQ(average[1], float(0.75 * double(0.3f) + 0.25 * 0.25));
  EXPECT_EQ(average[2], float(0.75 * double(0.1f) + 0.25 * 0.5));
  // The first two are below their targets, the third above.
  EXPECT_EQ(bias, (std::vector<float>{0.125f, 0.625f, -0.375f}));
}

TEST(Balancer, WhatIsAtItsTargetStays) {
  std::vector<float> average = {0.75f, 0.25f}, bias = {1, -1};
  balance({0.5, 0.125, 4}, {3, 1}, {0.75, 0.25}, average, bias);
  EXPECT_EQ(average, (std::vector<float>{0.75f, 0.25f}));
  EXPECT_EQ(bias, (std::vector<float>{1, -1}));
}

TEST(Balancer, ClipsTheBias) {
  std::vector<float> average = {0.5f, 0.5f}, bias = {3.9375f, -3.9375f};
  for (int step = 0; step < 3; ++step)
    balance({0.5, 0.125, 4}, {0, 4}, {0.5, 0.5}, average, bias);
  EXPECT_EQ(bias, (std::vector<float>{4, -4}));
}

TEST(Balancer, NoTokensChangeNothing) {
  std::vector<float> average = {0.5f, 0.5f}, bias = {1, 2};
  balance({0.5, 0.125, 4}, {0, 0}, {0.75, 0.25}, average, bias);
  EXPECT_EQ(average, (std::vector<float>{0.5f, 0.5f}));
  EXPECT_EQ(bias, (std::vector<float>{1, 2}));
}

TEST(Noise, IsStandardGumbel) {
  double sum = 0, squares = 0, count = 0;
  for (uint32_t position = 0; position < 20000; ++position)
    for (double value : gumbelNoise({7, 3, 1, position, 2})) {
      sum += value;
      squares += value * value;
      ++count;
    }
  double mean = sum / count, variance = squares / count - mean * mean;
  // Its mean is Euler's constant, its variance pi^2 / 6; these are five standard errors of 80000 draws.
  EXPECT_NEAR(mean, 0.57721566, 5 * std::sqrt(1.6449 / count));
  EXPECT_NEAR(variance, 1.64493407, 5 * std::sqrt(4.4 * 1.6449 * 1.6449 / count));
}

TEST(Noise, DependsOnEveryPartOfThePlace) {
  NoisePlace place{1, 2, 3, 4, 5};
  EXPECT_EQ(gumbelNoise(place), gumbelNoise(place));
  std::set<double> different = {gumbelNoise(place)[0]};
  for (NoisePlace other :
       {NoisePlace{2, 2, 3, 4, 5}, NoisePlace{uint64_t(1) << 32 | 1, 2, 3, 4, 5}, NoisePlace{1, 3, 3, 4, 5},
        NoisePlace{1, 2, 4, 4, 5}, NoisePlace{1, 2, 3, 5, 5}, NoisePlace{1, 2, 3, 4, 6}})
    different.insert(gumbelNoise(other)[0]);
  EXPECT_EQ(different.size(), 7u);
  std::array<double, 4> modes = gumbelNoise(place);
  EXPECT_EQ(std::set<double>(modes.begin(), modes.end()).size(), 4u);
}

} // namespace
} // namespace chimera::train
