// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-support/KernelJit.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

/// y = x w^T, each element by one fma a product, k ascending.
template <typename T> std::vector<T> plainLinear(const std::vector<T> &x, const std::vector<T> &w, size_t inputs) {
  std::vector<T> y;
  for (size_t row = 0; row < x.size(); row += inputs)
    for (size_t column = 0; column < w.size(); column += inputs) {
      T sum = 0;
      for (size_t k = 0; k < inputs; ++k)
        sum = std::fma(x[row + k], w[column + k], sum);
      y.push_back(sum);
    }
  return y;
}

template <typename T> void expectSameBits(int64_t inputs, int64_t outputs) {
  const size_t rows = 5;
  auto x = randomVector<T>(rows * inputs, 1), w = randomVector<T>(outputs * inputs, 2);
  Launch launch;
  launch.add(std::vector<int32_t>{2, 4, 4, 7});
  launch.add(x);
  launch.add(w);
  size_t out = launch.add(std::vector<T>(rows * outputs));
  runKernel(LinearSpec{inputs, outputs, scalarOf<T>, scalarOf<T>, scalarOf<T>}, launch, {8, 3});
  EXPECT_EQ(launch.get<T>(out), plainLinear(x, w, inputs)) << inputs << " to " << outputs;
}

TEST(RefLinear, EveryElementIsAnAscendingSumByFma) {
  // Fewer than 8 columns, whole and broken groups of 8, whole and broken blocks of 64.
  for (int64_t outputs : {1, 4, 7, 8, 9, 63, 64, 65, 130}) {
    expectSameBits<double>(11, outputs);
    expectSameBits<float>(11, outputs);
  }
  expectSameBits<double>(1, 3);
}

TEST(RefLinear, BF16OperandsAccumulateInF32) {
  const size_t rows = 3, inputs = 37, outputs = 70;
  std::vector<float> x, w;
  std::vector<uint16_t> xBits, wBits;
  for (float v : randomVector<float>(rows * inputs, 3))
    xBits.push_back(toBF16(v)), x.push_back(fromBF16(xBits.back()));
  for (float v : randomVector<float>(outputs * inputs, 4))
    wBits.push_back(toBF16(v)), w.push_back(fromBF16(wBits.back()));
  Launch launch;
  launch.add(std::vector<int32_t>{0, 3});
  launch.add(xBits);
  launch.add(wBits);
  size_t out = launch.add(std::vector<float>(rows * outputs));
  runKernel(LinearSpec{inputs, outputs, Scalar::BF16, Scalar::BF16, Scalar::F32}, launch, {3, 1});
  EXPECT_EQ(launch.get<float>(out), plainLinear(x, w, inputs));
}

TEST(RefLinear, ANaNRowLeavesTheOtherRowsAsTheyWere) {
  const size_t inputs = 9, outputs = 10;
  auto x = randomVector<double>(3 * inputs, 5), w = randomVector<double>(outputs * inputs, 6);
  auto expected = plainLinear(x, w, inputs);
  x[inputs + 3] = std::numeric_limits<double>::quiet_NaN();
  Launch launch;
  launch.add(std::vector<int32_t>{0, 3});
  launch.add(x);
  launch.add(w);
  size_t out = launch.add(std::vector<double>(3 * outputs));
  runKernel(LinearSpec{inputs, outputs, Scalar::F64, Scalar::F64, Scalar::F64}, launch, {3, 1});
  auto y = launch.get<double>(out);
  for (size_t i = 0; i < y.size(); ++i) {
    if (i / outputs == 1)
      EXPECT_TRUE(std::isnan(y[i]));
    else
      EXPECT_EQ(y[i], expected[i]);
  }
}

} // namespace
