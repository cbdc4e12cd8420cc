// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Math.h"
#include "test/codegen-cpu/CpuKernel.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {

/// out[i] = f(x[i]) for a multiple of `lanes` numbers, by vectors.
struct ElementwiseSpec {
  std::string name;
  Val (*function)(Val);
  int64_t count, lanes;
};

static Kernel getOrEmit(mlir::ModuleOp module, const Isa &, const ElementwiseSpec &spec) {
  std::string symbol = "test_" + spec.name + std::to_string(spec.lanes) + "_" + std::to_string(spec.count);
  emitKernel(module, symbol, [&](KernelBuilder &k) {
    Buffer x = k.buffer(Elem::F32), out = k.buffer(Elem::F32);
    k.forEach(
        k.integer(0), k.integer(spec.count),
        [&](Val i) { out.storeVector(i, spec.function(x.loadVector(i, spec.lanes))); }, spec.lanes);
  });
  return {symbol, Grid{0, 0, 0, 1}};
}

/// The function of every number, at the width of the ISA.
static std::vector<float> apply(const Isa &isa, const std::string &name, Val (*function)(Val), std::vector<float> x) {
  x.resize((x.size() + 15) / 16 * 16);
  Launch launch;
  launch.add(x);
  size_t out = launch.add(std::vector<float>(x.size()));
  runKernel(isa, ElementwiseSpec{name, function, static_cast<int64_t>(x.size()), isa.lanes}, launch, {});
  return launch.get<float>(out);
}

static std::vector<float> range(float low, float high, int count) {
  std::vector<float> x;
  for (int i = 0; i < count; ++i)
    x.push_back(low + (high - low) * static_cast<float>(i) / static_cast<float>(count - 1));
  return x;
}

/// The distance to the exact value in units of the last place of f32.
static double ulps(float value, double exact) {
  return std::abs(value - exact) / std::ldexp(1.0, std::max(std::ilogb(exact), -126) - 23);
}

TEST(CpuMathTest, ExpIsWithinTwoUlpAndTheSameAtEveryWidth) {
  std::vector<float> x = range(-87.0f, 88.7f, 200000);
  std::vector<float> first;
  for (const Isa &isa : hostIsas()) {
    std::vector<float> y = apply(isa, "exp", exp, x);
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_LE(ulps(y[i], std::exp(double(x[i]))), 2.0) << isa.name << " at " << x[i];
    if (first.empty())
      first = y;
    EXPECT_TRUE(y == first) << isa.name;
  }
}

TEST(CpuMathTest, ExpAtItsEdges) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
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

} // namespace chimera::cpu::test
