// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/ref/Math.h"
#include "test/codegen-support/KernelJit.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Applies an emitted function to every element.
template <typename T> std::vector<T> evaluate(Val (*function)(Val), const std::vector<T> &x) {
  KernelJit jit;
  emitKernel(jit.module(), "map", [&](KernelBuilder &k) {
    Buffer in = k.buffer(scalarOf<T>), out = k.buffer(scalarOf<T>);
    k.forEach(k.begin(), k.end(), [&](Val i) { out.store(i, function(in.load(i))); });
  });
  Launch launch;
  launch.add(x);
  size_t out = launch.add(std::vector<T>(x.size()));
  if (KernelFunction map = jit.compile("map"))
    launch.run(map, Grid{0, 0, 0, static_cast<int64_t>(x.size())}, {});
  return launch.get<T>(out);
}

/// Expects each normal result within so many units in the last place of the exact one, subnormal ones as 0.
void expectWithinUlps(Val (*function)(Val), long double (*exact)(long double), const std::vector<double> &x,
                      double ulps) {
  std::vector<double> y = evaluate(function, x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    long double expected = exact(static_cast<long double>(x[i]));
    double rounded = static_cast<double>(expected);
    if (std::isnan(rounded) || std::isinf(rounded)) {
      EXPECT_TRUE(std::isnan(rounded) ? std::isnan(y[i]) : y[i] == rounded) << "at " << x[i] << ": " << y[i];
      continue;
    }
    if (std::abs(rounded) < 4 * std::numeric_limits<double>::min()) {
      EXPECT_LE(std::abs(y[i]), 8 * std::numeric_limits<double>::min()) << "at " << x[i];
      continue;
    }
    double ulp = std::abs(rounded) - std::nextafter(std::abs(rounded), 0);
    double error = static_cast<double>(std::abs(static_cast<long double>(y[i]) - expected)) / ulp;
    ASSERT_LE(error, ulps) << "at " << x[i] << ": " << y[i] << " for " << rounded;
    worst = std::max(worst, error);
  }
  testing::Test::RecordProperty("worst_ulps", std::to_string(worst));
}

/// Even steps over [low, high], and the special values.
std::vector<double> inputs(double low, double high, int count = 200001) {
  std::vector<double> x = {0.0,    -0.0,    infinity, -infinity, nan,     1,       -1,
                           1e-300, -1e-300, 1e300,    -1e300,    0x1p-54, -0x1p-54};
  for (int i = 0; i < count; ++i)
    x.push_back(low + (high - low) * i / (count - 1));
  return x;
}

long double exactSigmoid(long double x) {
  return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x));
}
long double exactSoftplus(long double x) {
  return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x));
}
long double exactSilu(long double x) {
  return x * exactSigmoid(x);
}

TEST(RefMath, ExpIsWithinOneUlpOverItsWholeRange) {
  expectWithinUlps(exp, expl, inputs(-750, 715), 1);
  expectWithinUlps(exp, expl, inputs(-1, 1), 1);
}

TEST(RefMath, LogIsWithinTwoUlps) {
  expectWithinUlps(log, logl, inputs(0.25, 4), 2);
  expectWithinUlps(log, logl, inputs(0.999, 1.001), 2);
  std::vector<double> wide;
  for (int e = -1021; e < 1023; ++e)
    for (double m : {1.0, 1.1, 1.4142135623730950, 1.4142135623730951, 1.9999999999999998})
      wide.push_back(std::ldexp(m, e));
  expectWithinUlps(log, logl, wide, 2);
}

TEST(RefMath, SoftplusIsWithinTwoUlpsAndNeverOverflows) {
  expectWithinUlps(softplus, exactSoftplus, inputs(-740, 800), 2);
  expectWithinUlps(softplus, exactSoftplus, inputs(-40, 40), 2);
}

TEST(RefMath, SigmoidIsWithinTwoUlpsAndNeverOverflows) {
  expectWithinUlps(sigmoid, exactSigmoid, inputs(-700, 800), 2);
  expectWithinUlps(sigmoid, exactSigmoid, inputs(-40, 40), 2);
}

TEST(RefMath, SiluIsWithinThreeUlps) {
  expectWithinUlps(silu, exactSilu, inputs(-600, 600), 3);
}

TEST(RefMath, TanhIsWithinTwoUlpsNearZeroTooAndNeverOverflows) {
  expectWithinUlps(tanh, tanhl, inputs(-800, 800), 2);
  expectWithinUlps(tanh, tanhl, inputs(-20, 20), 2);
  expectWithinUlps(tanh, tanhl, inputs(-1, 1), 2);
  expectWithinUlps(tanh, tanhl, inputs(-1e-8, 1e-8), 2);
}

TEST(RefMath, ASoftCapIsTheCapTimesTheTanhOfItsPart) {
  auto capped = [](Val x) { return softCap(x, 30.0); };
  auto exact = [](long double x) { return 30 * tanhl(x / 30); };
  expectWithinUlps(capped, exact, inputs(-600, 600), 4);
  expectWithinUlps(capped, exact, inputs(-1, 1), 4);
  std::vector<double> x = inputs(-5, 5, 100);
  std::vector<double> y = evaluate<double>([](Val v) { return softCap(v, std::nullopt); }, x);
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_TRUE(y[i] == x[i] || (std::isnan(x[i]) && std::isnan(y[i]))) << x[i];
}

TEST(RefMath, InF32EveryFunctionIsTheRoundedF64Value) {
  struct Case {
    Val (*function)(Val);
    long double (*exact)(long double);
  };
  for (const Case &c : {Case{exp, expl}, Case{log, logl}, Case{softplus, exactSoftplus}, Case{sigmoid, exactSigmoid},
                        Case{tanh, tanhl}}) {
    std::vector<float> x;
    for (int i = -8000; i <= 8000; ++i)
      x.push_back(static_cast<float>(i) * 0.01f);
    std::vector<float> y = evaluate(c.function, x);
    for (size_t i = 0; i < x.size(); ++i) {
      float expected = static_cast<float>(c.exact(x[i]));
      if (std::isnan(expected))
        EXPECT_TRUE(std::isnan(y[i])) << x[i];
      else if (std::isinf(expected) || std::abs(expected) >= std::numeric_limits<float>::min())
        EXPECT_EQ(y[i], expected) << x[i];
    }
  }
}

TEST(RefMath, SineAndCosineAreWithin1e15UpToTwoToThe31) {
  std::vector<double> x;
  for (double scale : {1e-3, 1.0, 100.0, 1e5, 1e7, 2147483647.0})
    for (double v : randomVector<double>(20000, static_cast<uint64_t>(scale) + 1))
      x.push_back(v * scale);
  // Whole numbers of quarter turns are the hard ones.
  for (int i = 0; i < 2000; ++i)
    x.push_back(i * 1.5707963267948966 * (i < 1000 ? 1 : 600000));
  std::vector<double> s = evaluate<double>([](Val v) { return sinCos(v).sine; }, x);
  std::vector<double> c = evaluate<double>([](Val v) { return sinCos(v).cosine; }, x);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_LE(std::abs(static_cast<double>(s[i] - sinl(x[i]))), 1e-15) << x[i];
    ASSERT_LE(std::abs(static_cast<double>(c[i] - cosl(x[i]))), 1e-15) << x[i];
  }
}

TEST(RefMath, SineOfInfinityAndNaNIsNaN) {
  std::vector<double> s = evaluate<double>([](Val v) { return sinCos(v).sine; }, {infinity, -infinity, nan});
  for (double v : s)
    EXPECT_TRUE(std::isnan(v));
}

} // namespace
