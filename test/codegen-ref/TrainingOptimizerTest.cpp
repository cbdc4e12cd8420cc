// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-ref/TrainingCheck.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

/// Less than a block, a whole one, and several with a part.
const std::vector<int64_t> sizes = {1, 17, optimizerBlock, 2 * optimizerBlock + 5};

double &at(Tensor &hyper, Hyper which) {
  return hyper[static_cast<size_t>(which)];
}

TEST(RefTrainingOptimizer, RoundsEveryElementOnce) {
  for (int64_t size : sizes) {
    auto x = randomVector<float>(size, 1);
    std::vector<uint16_t> expected;
    for (float v : x)
      expected.push_back(toBF16(v));
    Launch launch;
    launch.add(x);
    size_t out = launch.add(std::vector<uint16_t>(size));
    compiled(RoundSpec{size, Scalar::F32, Scalar::BF16}).run(launch, {}, {size});
    EXPECT_EQ(launch.get<uint16_t>(out), expected);
  }
}

template <typename T> void checkNorm(int64_t size) {
  auto g = randomVector<T>(size, 2);
  int64_t blocks = (size + optimizerBlock - 1) / optimizerBlock;
  std::vector<double> expected(blocks);
  for (int64_t i = 0; i < size; ++i)
    expected[i / optimizerBlock] =
        std::fma(static_cast<double>(g[i]), static_cast<double>(g[i]), expected[i / optimizerBlock]);
  Launch launch;
  launch.add(g);
  size_t partial = addResult(launch, Scalar::F64, blocks);
  compiled(SumSquaresSpec{size, scalarOf<T>}).run(launch, {}, {size});
  EXPECT_EQ(launch.get<double>(partial), expected);
  Launch adding;
  adding.add(expected);
  size_t total = adding.add(std::vector<double>{0.75});
  compiled(AddPartialsSpec{}).run(adding, {}, {blocks});
  double sum = 0.75;
  for (double v : expected)
    sum += v;
  EXPECT_EQ(adding.get<double>(total), std::vector<double>{sum});
  Launch first;
  first.add(expected);
  total = first.add(std::vector<double>{std::numeric_limits<double>::quiet_NaN()});
  compiled(AddPartialsSpec{/*first=*/true}).run(first, {}, {blocks});
  sum = 0;
  for (double v : expected)
    sum += v;
  EXPECT_EQ(first.get<double>(total), std::vector<double>{sum});
}

TEST(RefTrainingOptimizer, SquaresAreSummedInF64BlockByBlock) {
  for (int64_t size : sizes) {
    checkNorm<double>(size);
    checkNorm<float>(size);
  }
}

template <typename T> struct AdamWState {
  std::vector<T> g, w, m, v;
};

template <typename T> AdamWState<T> plainAdamW(AdamWState<T> s, Tensor hyper, double total, bool decays, bool router) {
  double norm = std::sqrt(total), clip = at(hyper, Hyper::ClipNorm);
  double factor = norm > clip ? clip / norm : 1;
  double rate = at(hyper, router ? Hyper::RouterLearningRate : Hyper::LearningRate);
  double b1 = at(hyper, Hyper::Beta1), b2 = at(hyper, Hyper::Beta2);
  for (size_t i = 0; i < s.w.size(); ++i) {
    double g = factor * s.g[i];
    double m = b1 * s.m[i] + (1 - b1) * g;
    double v = b2 * s.v[i] + (1 - b2) * (g * g);
    double w = s.w[i];
    if (decays)
      w = w * (1 - rate * at(hyper, Hyper::WeightDecay));
    w = w - rate * (m / at(hyper, Hyper::Correction1)) /
                (std::sqrt(v / at(hyper, Hyper::Correction2)) + at(hyper, Hyper::Epsilon));
    s.m[i] = static_cast<T>(m), s.v[i] = static_cast<T>(v), s.w[i] = static_cast<T>(w);
  }
  return s;
}

template <typename T> void checkAdamW(int64_t size, bool decays, bool router, double clip) {
  AdamWState<T> s{randomVector<T>(size, 3), randomVector<T>(size, 4), randomVector<T>(size, 5),
                  randomVector<T>(size, 6)};
  for (T &v : s.v)
    v = std::abs(v);
  Tensor hyper(16, std::numeric_limits<double>::quiet_NaN());
  at(hyper, Hyper::LearningRate) = 0.01, at(hyper, Hyper::RouterLearningRate) = 0.003;
  at(hyper, Hyper::Beta1) = 0.9, at(hyper, Hyper::Beta2) = 0.95, at(hyper, Hyper::Epsilon) = 1e-8;
  at(hyper, Hyper::WeightDecay) = 0.1, at(hyper, Hyper::ClipNorm) = clip;
  at(hyper, Hyper::Correction1) = 1 - std::pow(0.9, 3), at(hyper, Hyper::Correction2) = 1 - std::pow(0.95, 3);
  const double total = 6.25;
  Launch launch;
  launch.add(hyper);
  launch.add(std::vector<double>{total});
  launch.add(s.g);
  size_t w = launch.add(s.w), m = launch.add(s.m), v = launch.add(s.v);
  compiled(AdamWSpec{size, decays, router, scalarOf<T>}).run(launch, {}, {size});
  AdamWState<T> expected = plainAdamW(s, hyper, total, decays, router);
  EXPECT_EQ(launch.get<T>(w), expected.w);
  EXPECT_EQ(launch.get<T>(m), expected.m);
  EXPECT_EQ(launch.get<T>(v), expected.v);
}

TEST(RefTrainingOptimizer, AdamWFollowsItsFormulaBitForBit) {
  for (bool decays : {false, true})
    for (bool router : {false, true})
      // Clipped, at the bound, and not.
      for (double clip : {1.0, 2.5, std::numeric_limits<double>::infinity()}) {
        checkAdamW<double>(sizes[1], decays, router, clip);
        checkAdamW<float>(sizes[1], decays, router, clip);
      }
  for (int64_t size : sizes)
    checkAdamW<float>(size, true, false, 1);
}

TEST(RefTrainingOptimizer, AZeroGradientOfAFreshStateOnlyDecays) {
  Tensor hyper(16, 0);
  at(hyper, Hyper::LearningRate) = 0.5, at(hyper, Hyper::WeightDecay) = 0.5, at(hyper, Hyper::ClipNorm) = 1;
  at(hyper, Hyper::Epsilon) = 1e-8, at(hyper, Hyper::Correction1) = at(hyper, Hyper::Correction2) = 1;
  Launch launch;
  launch.add(hyper);
  launch.add(Tensor{0});
  launch.add(Tensor{0, 0});
  size_t w = launch.add(Tensor{4, -8}), m = launch.add(Tensor{0, 0}), v = launch.add(Tensor{0, 0});
  compiled(AdamWSpec{2, true, false, Scalar::F64}).run(launch, {}, {2});
  EXPECT_EQ(launch.get<double>(w), (Tensor{3, -6}));
  EXPECT_EQ(launch.get<double>(m), (Tensor{0, 0}));
  EXPECT_EQ(launch.get<double>(v), (Tensor{0, 0}));
}

template <typename T> void checkAccumulate(int64_t size) {
  auto g = randomVector<T>(size, 7), total = randomVector<T>(size, 8);
  Launch launch;
  size_t gPlace = launch.add(g), totalPlace = launch.add(total);
  compiled(AccumulateSpec{size, scalarOf<T>}).run(launch, {}, {size});
  for (int64_t i = 0; i < size; ++i)
    total[i] = total[i] + g[i];
  EXPECT_EQ(launch.get<T>(gPlace), total);
  EXPECT_EQ(launch.get<T>(totalPlace), total);
}

template <typename T> void checkSum(int64_t size) {
  auto a = randomVector<T>(size, 9), b = randomVector<T>(size, 10), expected = a;
  for (int64_t i = 0; i < size; ++i)
    expected[i] = a[i] + b[i];
  Launch launch;
  launch.add(a);
  launch.add(b);
  size_t out = addResult(launch, scalarOf<T>, size);
  compiled(SumSpec{size, scalarOf<T>}).run(launch, {}, {size});
  EXPECT_EQ(launch.get<T>(out), expected);
}

TEST(RefTrainingOptimizer, TwoGradientsOfAParameterAreAdded) {
  for (int64_t size : sizes) {
    checkSum<double>(size);
    checkSum<float>(size);
  }
}

TEST(RefTrainingOptimizer, AccumulatedGradientsAreBothTheirSum) {
  for (int64_t size : sizes) {
    checkAccumulate<double>(size);
    checkAccumulate<float>(size);
  }
}

} // namespace
