// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bf16 matrix product on the simulator.
#include "test/codegen-nvptx/SimKernel.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::nvptx::test {
namespace {

std::vector<uint16_t> randomBF16(size_t size, uint64_t seed) {
  std::vector<uint16_t> values;
  for (float value : randomFloats(size, seed))
    values.push_back(toBF16(value));
  return values;
}

/// One chain of fused multiply-adds an element, k ascending from +0.
std::vector<float> plainProduct(const std::vector<uint16_t> &x, const std::vector<uint16_t> &w, const GemmSpec &spec) {
  size_t rows = x.size() / spec.inputs;
  std::vector<float> y(rows * spec.outputs);
  for (size_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < spec.outputs; ++n) {
      float sum = 0;
      for (int64_t k = 0; k < spec.inputs; ++k)
        sum = std::fma(fromBF16(x[m * spec.inputs + k]), fromBF16(w[n * spec.inputs + k]), sum);
      y[m * spec.outputs + n] = sum;
    }
  return y;
}

/// Equal bits, or both NaN.
bool same(float a, float b) {
  return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));
}

int countUnequal(const std::vector<float> &a, const std::vector<float> &b) {
  EXPECT_EQ(a.size(), b.size());
  int count = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i)
    count += !same(a[i], b[i]);
  return count;
}

struct Product {
  sim::Outcome outcome;
  std::vector<float> y;
};

Product multiply(const SimKernel &kernel, const GemmSpec &spec, const std::vector<uint16_t> &x,
                 const std::vector<uint16_t> &w, uint64_t seed = 0, bool checkRaces = true) {
  int64_t rows = static_cast<int64_t>(x.size()) / spec.inputs;
  SimLaunch launch;
  launch.add(x);
  launch.add(w);
  size_t y = launch.add(std::vector<float>(rows * spec.outputs, std::numeric_limits<float>::quiet_NaN()));
  launch.addScalar(rows);
  Product run;
  run.outcome = launch.run(kernel, rows, seed, checkRaces);
  run.y = launch.get<float>(y);
  return run;
}

struct Shape {
  int64_t rows;
  GemmSpec spec;
};

class GemmShapes : public testing::TestWithParam<Shape> {};

TEST_P(GemmShapes, EqualsFusedMultiplyAddsInOrder) {
  const auto &[rows, spec] = GetParam();
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  auto x = randomBF16(rows * spec.inputs, 1), w = randomBF16(spec.outputs * spec.inputs, 2);
  Product run = multiply(kernel, spec, x, w);
  ASSERT_EQ(run.outcome.error, "");
  EXPECT_EQ(countUnequal(run.y, plainProduct(x, w, spec)), 0);
  EXPECT_EQ(run.outcome.statistics.bankConflicts, 0u);
}

GemmSpec specOf(int64_t outputs, int64_t inputs, int64_t tileM, int64_t tileN, int64_t tileK) {
  GemmSpec spec;
  spec.outputs = outputs, spec.inputs = inputs;
  spec.tileM = tileM, spec.tileN = tileN, spec.tileK = tileK;
  return spec;
}

INSTANTIATE_TEST_SUITE_P(All, GemmShapes,
                         testing::Values(Shape{64, specOf(64, 64, 64, 64, 32)},    // whole tiles
                                         Shape{1, specOf(64, 32, 64, 64, 32)},     // one row
                                         Shape{67, specOf(72, 40, 64, 64, 32)},    // ragged everywhere
                                         Shape{33, specOf(65, 8, 32, 32, 16)},     // odd N, less than one step
                                         Shape{40, specOf(96, 200, 32, 64, 64)},   // 128-byte rows
                                         Shape{130, specOf(40, 72, 128, 32, 16)}), // 32-byte rows, tall
                         [](const auto &info) {
                           const Shape &shape = info.param;
                           return std::to_string(shape.rows) + "x" + std::to_string(shape.spec.outputs) + "x" +
                                  std::to_string(shape.spec.inputs) + "_tile" + std::to_string(shape.spec.tileM) + "x" +
                                  std::to_string(shape.spec.tileN) + "x" + std::to_string(shape.spec.tileK);
                         });

TEST(Gemm, RowsHaveTheSameBitsAloneAndInAnyBatch) {
  GemmSpec spec = specOf(72, 104, 32, 32, 32);
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  int64_t rows = 37;
  auto x = randomBF16(rows * spec.inputs, 3), w = randomBF16(spec.outputs * spec.inputs, 4);
  auto whole = multiply(kernel, spec, x, w).y;
  for (int64_t row : {0, 1, 15, 16, 31, 32, 36}) {
    std::vector<uint16_t> one(x.begin() + row * spec.inputs, x.begin() + (row + 1) * spec.inputs);
    Product alone = multiply(kernel, spec, one, w);
    ASSERT_EQ(alone.outcome.error, "");
    std::vector<float> expected(whole.begin() + row * spec.outputs, whole.begin() + (row + 1) * spec.outputs);
    EXPECT_EQ(countUnequal(alone.y, expected), 0) << "row " << row;
  }
}

TEST(Gemm, NaNAndInfinityStayInTheirRows) {
  GemmSpec spec = specOf(64, 48, 64, 64, 32);
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  int64_t rows = 20;
  auto x = randomBF16(rows * spec.inputs, 5), w = randomBF16(spec.outputs * spec.inputs, 6);
  auto clean = multiply(kernel, spec, x, w).y;
  for (int64_t k = 0; k < spec.inputs; ++k) {
    x[7 * spec.inputs + k] = 0x7fc0;  // NaN
    x[12 * spec.inputs + k] = 0x7f80; // infinity
  }
  auto dirty = multiply(kernel, spec, x, w).y;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t n = 0; n < spec.outputs; ++n) {
      float value = dirty[row * spec.outputs + n];
      if (row == 7 || row == 12)
        EXPECT_FALSE(std::isfinite(value)) << row << ", " << n;
      else
        ASSERT_TRUE(same(value, clean[row * spec.outputs + n])) << row << ", " << n;
    }
}

TEST(Gemm, BlockAndThreadOrderChangeNoBit) {
  GemmSpec spec = specOf(72, 136, 32, 32, 32);
  SimKernel kernel(emitOf(spec));
  ASSERT_EQ(kernel.error(), "");
  auto x = randomBF16(45 * spec.inputs, 7), w = randomBF16(spec.outputs * spec.inputs, 8);
  auto expected = multiply(kernel, spec, x, w).y;
  for (uint64_t seed : {1, 2, 3}) {
    Product run = multiply(kernel, spec, x, w, seed);
    ASSERT_EQ(run.outcome.error, "");
    EXPECT_EQ(countUnequal(run.y, expected), 0) << "seed " << seed;
  }
}

TEST(Gemm, KernelMadeForHopperComputesTheSameBits) {
  GemmSpec spec = specOf(64, 64, 64, 64, 32);
  SimKernel ampere(emitOf(spec), "sm_80"), hopper(emitOf(spec), "sm_90a");
  ASSERT_EQ(ampere.error() + hopper.error(), "");
  auto x = randomBF16(20 * spec.inputs, 9), w = randomBF16(spec.outputs * spec.inputs, 10);
  EXPECT_EQ(countUnequal(multiply(hopper, spec, x, w).y, multiply(ampere, spec, x, w).y), 0);
}

// What the simulator sees when the kernel is broken: first the rule that is broken, then, with the rules not checked,
// the wrong values.

struct Broken {
  Product checked, unchecked;
  std::vector<float> expected;
};

Broken runBroken(GemmSpec::Fault fault) {
  GemmSpec spec = specOf(64, 128, 64, 64, 32);
  spec.fault = fault;
  SimKernel kernel(emitOf(spec));
  EXPECT_EQ(kernel.error(), "");
  auto x = randomBF16(64 * spec.inputs, 11), w = randomBF16(spec.outputs * spec.inputs, 12);
  return {multiply(kernel, spec, x, w), multiply(kernel, spec, x, w, /*seed=*/0, /*checkRaces=*/false),
          plainProduct(x, w, spec)};
}

TEST(BrokenGemm, WaitForTheGroupBeforeIsSeen) {
  Broken broken = runBroken(GemmSpec::Fault::LateWait);
  EXPECT_NE(broken.checked.outcome.error.find("cp.async"), std::string::npos) << broken.checked.outcome.error;
  EXPECT_NE(broken.checked.outcome.error.find("is not waited for"), std::string::npos);
  EXPECT_EQ(broken.unchecked.outcome.error, "");
  EXPECT_GT(countUnequal(broken.unchecked.y, broken.expected), 0);
}

TEST(BrokenGemm, MissingBarrierIsSeen) {
  Broken broken = runBroken(GemmSpec::Fault::NoBarrier);
  EXPECT_NE(broken.checked.outcome.error, "");
  EXPECT_EQ(broken.unchecked.outcome.error, "");
  EXPECT_GT(countUnequal(broken.unchecked.y, broken.expected), 0);
}

TEST(BrokenGemm, MissingSwizzleIsCountedAsBankConflicts) {
  Broken broken = runBroken(GemmSpec::Fault::NoSwizzle);
  EXPECT_EQ(broken.checked.outcome.error, "");
  EXPECT_EQ(countUnequal(broken.checked.y, broken.expected), 0);
  EXPECT_GT(broken.checked.outcome.statistics.bankConflicts, 0u);
}

TEST(GemmSpecs, ImpossibleOnesAreRefused) {
  auto refusal = [](const GemmSpec &spec) { return SimKernel(emitOf(spec)).error(); };
  EXPECT_EQ(refusal(specOf(64, 12, 64, 64, 32)),
            "a bf16 product on the GPU needs at least one output and a multiple of 8 inputs, not 64 and 12");
  EXPECT_EQ(refusal(specOf(64, 64, 48, 64, 32)), "a bf16 product on the GPU has no tile of 48x64x32");
  EXPECT_EQ(refusal(specOf(64, 64, 128, 128, 64)),
            "a bf16 product on the GPU with a tile of 128x128x64 needs 65536 bytes of shared memory, more than 49152");
}

} // namespace
} // namespace chimera::nvptx::test
