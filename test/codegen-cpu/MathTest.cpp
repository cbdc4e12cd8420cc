// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Math.h"
#include "test/codegen-cpu/MathCase.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {

static constexpr float infinity = std::numeric_limits<float>::infinity();

/// Expects `function` within `bound` ulp of `exact`, and the same bits on every ISA.
static void expectWithin(double bound, const std::string &name, Val (*function)(Val), double (*exact)(double),
                         const std::vector<float> &x) {
  std::vector<float> first;
  for (const Isa &isa : hostIsas()) {
    std::vector<float> y = apply(isa, name, function, x);
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_LE(ulps(y[i], exact(double(x[i]))), bound) << isa.name << " at " << x[i];
    if (first.empty())
      first = y;
    EXPECT_TRUE(y == first) << isa.name;
  }
}

TEST(CpuMathTest, ExpIsWithinTwoUlpAndTheSameAtEveryWidth) {
  expectWithin(2, "exp", exp, std::exp, range(-87.0f, 88.7f, 200000));
}

TEST(CpuMathTest, SoftplusIsWithinThreeUlpAndTheSameAtEveryWidth) {
  auto exact = [](double x) { return std::log1p(std::exp(x)); };
  expectWithin(3, "softplus", softplus, exact, range(-87.0f, 88.7f, 200000));
  expectWithin(3, "softplus", softplus, exact, range(-4, 4, 200000));
}

TEST(CpuMathTest, SigmoidIsWithinThreeUlpAndTheSameAtEveryWidth) {
  auto exact = [](double x) { return 1 / (1 + std::exp(-x)); };
  expectWithin(3, "sigmoid", sigmoid, exact, range(-87.0f, 88.7f, 200000));
  expectWithin(3, "sigmoid", sigmoid, exact, range(-4, 4, 200000));
}

TEST(CpuMathTest, TanhIsWithinTwoUlpNearZeroTooAndTheSameAtEveryWidth) {
  expectWithin(2, "tanh", tanh, std::tanh, range(-12, 12, 200000));
  expectWithin(2, "tanh", tanh, std::tanh, range(-1, 1, 200000));
  expectWithin(2, "tanh", tanh, std::tanh, range(-1e-6f, 1e-6f, 20001));
}

TEST(CpuMathTest, ASoftCapIsTheCapTimesTheTanhOfItsPart) {
  auto capped = [](Val x) { return softCap(x, 0.7); };
  auto exact = [](double x) { return 0.7 * std::tanh(x / 0.7); };
  expectWithin(4, "capped", capped, exact, range(-10, 10, 200000));
  expectWithin(4, "capped", capped, exact, range(-0.5f, 0.5f, 200000));
}

TEST(CpuMathTest, TanhAtItsEdges) {
  for (const Isa &isa : hostIsas()) {
    std::vector<float> y = apply(isa, "tanh", tanh, {-infinity, infinity, NAN, 1e30f, -1e30f, 0, 50, -50, 1e-30f});
    EXPECT_EQ(y[0], -1);
    EXPECT_EQ(y[1], 1);
    EXPECT_TRUE(std::isnan(y[2]));
    EXPECT_EQ(y[3], 1);
    EXPECT_EQ(y[4], -1);
    EXPECT_EQ(y[5], 0);
    EXPECT_EQ(y[6], 1);
    EXPECT_EQ(y[7], -1);
    EXPECT_EQ(y[8], 1e-30f);
  }
}

TEST(CpuMathTest, ExpAtItsEdges) {
  for (const Isa &isa : hostIsas()) {
    std::vector<float> y = apply(isa, "exp", exp, {0, -0.0f, -infinity, infinity, NAN, 89, 1e30f, -104, -1e30f});
    EXPECT_EQ(y[0], 1);
    EXPECT_EQ(y[1], 1);
    EXPECT_EQ(y[2], 0);
    EXPECT_EQ(y[3], infinity);
    EXPECT_TRUE(std::isnan(y[4]));
    EXPECT_EQ(y[5], infinity);
    EXPECT_EQ(y[6], infinity);
    EXPECT_EQ(y[7], 0);
    EXPECT_EQ(y[8], 0);
  }
}

TEST(CpuMathTest, SoftplusAtItsEdges) {
  for (const Isa &isa : hostIsas()) {
    std::vector<float> y = apply(isa, "softplus", softplus, {-infinity, infinity, NAN, 1e30f, -1e30f, 200, -200});
    EXPECT_EQ(y[0], 0);
    EXPECT_EQ(y[1], infinity);
    EXPECT_TRUE(std::isnan(y[2]));
    EXPECT_EQ(y[3], 1e30f);
    EXPECT_EQ(y[4], 0);
    EXPECT_EQ(y[5], 200);
    EXPECT_EQ(y[6], 0);
  }
}

TEST(CpuMathTest, SigmoidAtItsEdges) {
  for (const Isa &isa : hostIsas()) {
    std::vector<float> y = apply(isa, "sigmoid", sigmoid, {-infinity, infinity, NAN, 1e30f, -1e30f, 0});
    EXPECT_EQ(y[0], 0);
    EXPECT_EQ(y[1], 1);
    EXPECT_TRUE(std::isnan(y[2]));
    EXPECT_EQ(y[3], 1);
    EXPECT_EQ(y[4], 0);
    EXPECT_EQ(y[5], 0.5f);
  }
}

} // namespace chimera::cpu::test
