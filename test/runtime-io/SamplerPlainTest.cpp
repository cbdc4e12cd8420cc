// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sampler against the plain algorithm, which sorts all tokens and adds up all weights: token for token.
#include "runtime/core/LogitScan.h"
#include "runtime/core/Sampler.h"
#include "runtime/core/Vectors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>

using namespace chimera;

namespace {

template <typename T> constexpr T infinity = std::numeric_limits<T>::infinity();

/// The token, or the error.
template <typename T>
std::string plainChoice(const SamplerOptions &options, const std::vector<T> &logits, uint64_t sequence,
                        uint64_t position) {
  size_t best = 0;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (std::isnan(logits[id]))
      return "the logit of token " + std::to_string(id) + " is NaN";
    if (logits[id] > logits[best])
      best = id;
  }
  double largest = double(logits[best]);
  if (largest == -infinity<double>)
    return "every logit is -infinity";
  if (options.temperature == 0)
    return std::to_string(best);
  if (std::isinf(largest))
    return "the logit of token " + std::to_string(best) + " is infinity";

  std::vector<size_t> kept(logits.size());
  std::iota(kept.begin(), kept.end(), 0);
  bool cutK = options.topK > 0 && size_t(options.topK) < kept.size(), cutP = options.topP < 1;
  if (cutK || cutP)
    std::stable_sort(kept.begin(), kept.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  if (cutK)
    kept.resize(size_t(options.topK));
  std::vector<double> weights;
  for (size_t id : kept)
    weights.push_back(std::exp((double(logits[id]) - largest) / options.temperature));
  double total = std::accumulate(weights.begin(), weights.end(), 0.0), sum = 0;
  for (size_t i = 0; cutP && i < weights.size(); ++i) {
    sum += weights[i];
    if (sum < options.topP * total)
      continue;
    weights.resize(i + 1);
    break;
  }
  total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double goal = uniformAt(options.seed, sequence, position) * total;
  size_t chosen = best;
  sum = 0;
  for (size_t i = 0; i < weights.size() && sum <= goal; ++i) {
    if (weights[i] == 0)
      continue;
    chosen = kept[i];
    sum += weights[i];
  }
  return std::to_string(chosen);
}

template <typename T> void expectPlainChoices(const std::vector<T> &logits, int draws, const std::string &what) {
  int64_t vocab = int64_t(logits.size());
  const SamplerOptions all[] = {{0, 0, 1, 1},          {1, 0, 1, 2},      {0.7, 0, 1, 3},         {1e-300, 0, 1, 4},
                                {1e300, 0, 1, 5},      {1, 40, 1, 6},     {1, 1, 1, 7},           {2, vocab - 1, 1, 8},
                                {1, 0, 0.95, 9},       {3, 0, 0.5, 10},   {0.05, 0, 0.999, 11},   {1e-9, 0, 0.9, 12},
                                {1, 0, 1e-9, 13},      {50, 0, 0.75, 14}, {1, 0, 1 - 1e-16, 15},  {1, 50, 0.9, 16},
                                {0.8, 3000, 0.99, 17}, {1, 2, 0.5, 18},   {1.5, vocab, 0.25, 19}, {1e-320, 0, 1, 20}};
  for (const SamplerOptions &options : all) {
    Sampler sampler(options);
    for (int i = 0; i < draws; ++i) {
      io::Result<int32_t> token = sampler.sample(logits.data(), vocab, 3, uint64_t(i));
      ASSERT_EQ(token ? std::to_string(*token) : token.error().message, plainChoice(options, logits, 3, uint64_t(i)))
          << what << ", vocabulary " << vocab << ", temperature " << options.temperature << ", top-k " << options.topK
          << ", top-p " << options.topP << ", draw " << i;
    }
  }
}

template <typename T> std::vector<T> normalRow(size_t vocab, double deviation, uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal(0, deviation);
  std::vector<T> row(vocab);
  for (T &logit : row)
    logit = T(normal(engine));
  return row;
}

template <typename T> class SamplerPlain : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SamplerPlain, Types);

TYPED_TEST(SamplerPlain, RandomRows) {
  uint32_t seed = 0;
  for (size_t vocab : {1, 2, 3, 15, 16, 17, 255, 256, 257, 1000, 5000})
    for (double deviation : {0.01, 1.0, 5.0, 100.0})
      expectPlainChoices(normalRow<TypeParam>(vocab, deviation, ++seed), 8, "normal");
  expectPlainChoices(normalRow<TypeParam>(128256, 2.5, ++seed), 1, "normal");
}

TYPED_TEST(SamplerPlain, RowsWithTies) {
  for (size_t vocab : {2, 300, 4096}) {
    expectPlainChoices(std::vector<TypeParam>(vocab, TypeParam(-1.5)), 8, "constant");
    std::vector<TypeParam> row = normalRow<TypeParam>(vocab, 1, 77);
    for (TypeParam &logit : row)
      logit = std::round(logit * 2) / 2; // With zeros of both signs.
    expectPlainChoices(row, 8, "few values");
    std::fill(row.begin(), row.end(), TypeParam(0));
    row.back() = 1;
    expectPlainChoices(row, 8, "one above many");
    row.back() = -1;
    expectPlainChoices(row, 8, "one below many");
  }
}

TYPED_TEST(SamplerPlain, RowsWithInfinitiesAndExtremes) {
  constexpr TypeParam inf = infinity<TypeParam>, most = std::numeric_limits<TypeParam>::max();
  for (size_t vocab : {5, 256, 3000}) {
    std::vector<TypeParam> row = normalRow<TypeParam>(vocab, 3, 5);
    for (size_t i = 0; i < vocab; i += 2)
      row[i] = -inf;
    expectPlainChoices(row, 8, "every second is -infinity");
    row[vocab / 2] = inf;
    expectPlainChoices(row, 1, "one is infinity");
    std::fill(row.begin(), row.end(), -inf);
    expectPlainChoices(row, 1, "all are -infinity");
    row[vocab - 1] = -most;
    expectPlainChoices(row, 4, "one is finite");
    row[0] = most;
    expectPlainChoices(row, 4, "the ends of the range");
    std::iota(row.begin(), row.end(), TypeParam(-740)); // Weights become subnormal, then zero.
    std::reverse(row.begin() + 1, row.end());
    row[0] = 0;
    expectPlainChoices(row, 8, "weights that vanish");
  }
}

TYPED_TEST(SamplerPlain, RowsWithNaNs) {
  constexpr TypeParam nan = std::numeric_limits<TypeParam>::quiet_NaN();
  for (size_t vocab : {1, 16, 255, 256, 1025})
    for (size_t at : {size_t(0), vocab / 2, vocab - 1}) {
      std::vector<TypeParam> row = normalRow<TypeParam>(vocab, 3, 5);
      row[at] = -nan;
      expectPlainChoices(row, 1, "NaN");
      row[vocab - 1] = nan;
      row[0] = infinity<TypeParam>;
      expectPlainChoices(row, 1, "NaN and infinity");
    }
}

TEST(SamplerPlainDraws, ManyOfOneRow) {
  std::vector<float> logits = normalRow<float>(2000, 2, 9);
  for (SamplerOptions options : {SamplerOptions{1, 0, 1, 21}, SamplerOptions{1, 0, 0.9, 22}}) {
    Sampler sampler(options);
    for (uint64_t i = 0; i < 2000; ++i)
      ASSERT_EQ(std::to_string(*sampler.sample(logits.data(), 2000, i, 7)), plainChoice(options, logits, i, 7)) << i;
  }
}

// So that the way that is always right does not hide that the quick one has stopped to answer.
TEST(SamplerPlainDraws, AreCertainButForAFew) {
  std::vector<float> logits = normalRow<float>(20000, 2, 10);
  double largest = double(*std::max_element(logits.begin(), logits.end()));
  CertainDraw certain;
  int unsure = 0;
  for (uint64_t i = 0; i < 500; ++i) {
    unsure += !certain.byId(logits.data(), 20000, largest, 0.9, uniformAt(1, i, 0));
    unsure += !certain.byLikelihood(logits.data(), 20000, largest, 0.9, 0.95, uniformAt(1, i, 1));
  }
  EXPECT_LE(unsure, 2);
  // At the very ends, where rounding decides.
  EXPECT_FALSE(certain.byId(logits.data(), 20000, largest, 0.9, 1 - 0x1p-53));
  std::vector<float> equal(4096, 1.0f);
  EXPECT_FALSE(certain.byId(equal.data(), 4096, 1, 1, 0.25));
  EXPECT_FALSE(certain.byLikelihood(equal.data(), 4096, 1, 1, 0.5, 0.3));
}

TEST(Vectors, FunctionsAreWithinTheirErrors) {
  std::mt19937_64 engine(1);
  std::uniform_real_distribution<double> unit(0, 1);
  onWidestVectors([&]() CHIMERA_VECTOR_INLINE {
    for (int i = 0; i < 100000; ++i) {
      double u = unit(engine), x = -700 * u * unit(engine), small = std::ldexp(u, -int(engine() % 50));
      double e = std::exp(x), l = std::log(small), near = 1 - small;
      ASSERT_LE(std::fabs(vectors::expNegative(x) - e), e * 0x1p-46) << x;
      if (small > 0)
        ASSERT_LE(std::fabs(vectors::logUnit(small) - l), -l * 0x1p-49) << small;
      if (near > 0 && near < 1)
        ASSERT_LE(std::fabs(vectors::logUnit(near) - std::log(near)), -std::log(near) * 0x1p-49) << near;
      ASSERT_LE(std::fabs(vectors::cosTurn(u) - std::cos(6.283185307179586476925286766559L * u)), 0x1p-49) << u;
    }
  });
  EXPECT_EQ(vectors::expNegative(0), 1.0);
  EXPECT_LT(vectors::expNegative(-infinity<double>), 1e-300);
}

TEST(LogitScan, TheLikeliestAreInOrder) {
  std::vector<float> row = normalRow<float>(70000, 1, 3);
  row[69999] = row[12] = 9;
  LogitScan<float> scan;
  scan.scan(row.data(), 70000);
  EXPECT_EQ(scan.largest(), 12);
  for (int64_t count : {1, 2, 50, 137, 138, 1000, 70000}) {
    std::vector<int32_t> tokens, expected(70000);
    scan.likeliest(count, tokens);
    std::iota(expected.begin(), expected.end(), 0);
    std::stable_sort(expected.begin(), expected.end(), [&](int32_t a, int32_t b) { return row[a] > row[b]; });
    expected.resize(size_t(count));
    EXPECT_EQ(tokens, expected) << count;
  }
}

} // namespace
