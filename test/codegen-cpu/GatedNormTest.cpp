// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Math.h"
#include "test/codegen-cpu/MathCase.h"
#include "test/codegen-cpu/NormCase.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {
namespace {

using ref::test::expectNear;
using ref::test::randomVector;
using namespace norm;

struct GatedNormCase {
  int64_t width, groups;
  std::vector<float> y, z, w;

  GatedNormCase(int64_t width, int64_t groups)
      : width(width), groups(groups), y(randomVector<float>(rows * width, 1)), z(randomVector<float>(rows * width, 2)),
        w(randomVector<float>(width, 3)) {}
};

/// z lies at columns 3 .. of a matrix that is 5 wider.
template <typename T> std::vector<T> run(const Isa &isa, const GatedNormCase &c, std::vector<int32_t> starts = start) {
  std::vector<float> wide(c.y.size() / c.width * (c.width + 5), std::numeric_limits<float>::quiet_NaN());
  for (size_t i = 0; i < c.y.size(); ++i)
    wide[i / c.width * (c.width + 5) + 3 + i % c.width] = c.z[i];
  Launch launch;
  launch.add(starts);
  launch.add(c.y);
  launch.add(wide);
  launch.add(c.w);
  size_t out = launch.add(std::vector<T>(c.y.size()));
  Scalar type = sizeof(T) == 4 ? Scalar::F32 : Scalar::BF16;
  runKernel(isa, GatedNormSpec{c.width, c.groups, eps, View{c.width + 5, 3}, type}, launch, sizesOf(starts));
  return launch.get<T>(out);
}

/// The roundings that the specification states, with silu as the ISA has it.
std::vector<float> plainGatedNorm(const Isa &isa, const GatedNormCase &c) {
  std::vector<float> u = apply(isa, "silu", silu, c.z);
  int64_t size = c.width / c.groups;
  std::vector<float> result(c.y.size());
  for (size_t first = 0; first < c.y.size(); first += size) {
    float lanes[16] = {};
    for (int64_t i = 0; i < size; ++i) {
      u[first + i] = c.y[first + i] * u[first + i];
      lanes[i % 16] = std::fma(u[first + i], u[first + i], lanes[i % 16]);
    }
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i)
        lanes[i] += lanes[i + half];
    float root = std::sqrt(lanes[0] / static_cast<float>(size) + static_cast<float>(eps));
    for (int64_t i = 0; i < size; ++i)
      result[first + i] = u[first + i] / root * c.w[(first + i) % c.width];
  }
  return result;
}

TEST(CpuGatedNorm, SumsEachGroupInSixteenLanesAndRoundsOnce) {
  for (auto [width, groups] : {std::pair(36, 3), std::pair(45, 1), std::pair(1536, 2), std::pair(5, 5)})
    for (const Isa &isa : hostIsas()) {
      GatedNormCase c(width, groups);
      std::vector<float> exact = run<float>(isa, c);
      EXPECT_TRUE(exact == plainGatedNorm(isa, c)) << isa.name << ", width " << width;
      EXPECT_TRUE(run<uint16_t>(isa, c) == toBF16(exact)) << isa.name << ", width " << width;
    }
}

TEST(CpuGatedNorm, IsTheRefNormButForSiluAndTheOrderOfSums) {
  GatedNormCase c(768, 2);
  Launch launch;
  launch.add(start);
  launch.add(c.y);
  launch.add(c.z);
  launch.add(c.w);
  size_t out = launch.add(std::vector<float>(c.y.size()));
  ref::test::runKernel(ref::GatedNormSpec{768, 2, eps, Scalar::F32}, launch, sizesOf(start));
  // 384 terms a sum; silu, the product and what follows add less than 16 roundings.
  for (const Isa &isa : hostIsas())
    expectNear(run<float>(isa, c), launch.get<float>(out), (384 + 16) * 0x1p-24);
}

TEST(CpuGatedNorm, ARowHasTheSameBitsAloneAndBesideANaN) {
  for (const Isa &isa : hostIsas()) {
    GatedNormCase c(36, 3), dirty = c;
    std::vector<float> whole = run<float>(isa, c);
    for (int64_t row = 0; row < rows; ++row) {
      GatedNormCase alone = c;
      alone.y.assign(c.y.begin() + row * 36, c.y.begin() + (row + 1) * 36);
      alone.z.assign(c.z.begin() + row * 36, c.z.begin() + (row + 1) * 36);
      std::vector<float> y = run<float>(isa, alone, {3, 4});
      EXPECT_TRUE(std::equal(y.begin(), y.end(), whole.begin() + row * 36)) << isa.name << ", row " << row;
    }
    dirty.z[2 * 36 + 12] = std::numeric_limits<float>::quiet_NaN(); // the second group of row 2
    std::vector<float> beside = run<float>(isa, dirty);
    for (int64_t i = 0; i < rows * 36; ++i)
      EXPECT_TRUE(i / 12 == 7 ? std::isnan(beside[i]) : beside[i] == whole[i]) << isa.name << ", element " << i;
  }
}

} // namespace
} // namespace chimera::cpu::test
