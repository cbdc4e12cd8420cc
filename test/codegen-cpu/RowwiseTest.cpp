// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/NormCase.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {
namespace {

using ref::test::expectNear;
using ref::test::randomVector;
using namespace norm;

struct NormCase {
  NormKind kind;
  int64_t width;
  std::vector<float> x, w, b;

  NormCase(NormKind kind, int64_t width)
      : kind(kind), width(width), x(randomVector<float>(rows * width, 1)), w(randomVector<float>(width, 2)),
        b(randomVector<float>(width, 3)) {}
};

struct NormResult {
  std::vector<float> exact;
  std::vector<uint16_t> rounded;
};

Launch launchOf(const NormCase &c, const std::vector<int32_t> &starts) {
  Launch launch;
  launch.add(starts);
  launch.add(c.x);
  launch.add(c.w);
  if (c.kind == NormKind::Layer)
    launch.add(c.b);
  return launch;
}

NormResult run(const Isa &isa, const NormCase &c, bool exact = true, bool rounded = true,
               const std::vector<int32_t> &starts = start) {
  Launch launch = launchOf(c, starts);
  size_t out = exact ? launch.add(std::vector<float>(c.x.size())) : 0;
  size_t narrow = rounded ? launch.add(std::vector<uint16_t>(c.x.size())) : 0;
  runKernel(isa, NormSpec{c.width, c.kind, eps, exact, rounded}, launch, sizesOf(starts));
  return {exact ? launch.get<float>(out) : std::vector<float>(),
          rounded ? launch.get<uint16_t>(narrow) : std::vector<uint16_t>()};
}

/// Element i goes to lane i mod 16; then the upper half of the lanes is added to the lower, again and again.
template <typename Term> float sumInLanes(int64_t count, Term add) {
  std::vector<float> lanes(16);
  for (int64_t i = 0; i < count; ++i)
    lanes[i % 16] = add(i, lanes[i % 16]);
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i)
      lanes[i] += lanes[i + half];
  return lanes[0];
}

/// The norm with the roundings that the specification states.
std::vector<float> plainNorm(const NormCase &c) {
  std::vector<float> y(c.x.size());
  auto width = static_cast<float>(c.width);
  for (int64_t row = 0; row < rows; ++row) {
    const float *x = &c.x[row * c.width];
    float mean = 0;
    if (c.kind == NormKind::Layer)
      mean = sumInLanes(c.width, [&](int64_t i, float sum) { return sum + x[i]; }) / width;
    float squares = sumInLanes(c.width, [&](int64_t i, float sum) { return std::fma(x[i] - mean, x[i] - mean, sum); });
    float root = std::sqrt(squares / width + static_cast<float>(eps));
    for (int64_t i = 0; i < c.width; ++i) {
      float scaled = (x[i] - mean) / root * c.w[i];
      y[row * c.width + i] = c.kind == NormKind::Layer ? scaled + c.b[i] : scaled;
    }
  }
  return y;
}

class CpuNorm : public testing::TestWithParam<NormKind> {};

TEST_P(CpuNorm, SumsInSixteenLanesOnEveryIsa) {
  for (int64_t width : {1, 7, 16, 24, 45, 768})
    for (const Isa &isa : hostIsas()) {
      NormCase c(GetParam(), width);
      NormResult result = run(isa, c);
      EXPECT_TRUE(result.exact == plainNorm(c)) << isa.name << ", width " << width;
      EXPECT_TRUE(result.rounded == toBF16(result.exact)) << isa.name << ", width " << width;
      EXPECT_TRUE(run(isa, c, true, false).exact == result.exact) << isa.name << ", width " << width;
      EXPECT_TRUE(run(isa, c, false, true).rounded == result.rounded) << isa.name << ", width " << width;
    }
}

TEST_P(CpuNorm, IsTheRefNormButForTheOrderOfSums) {
  for (int64_t width : {7, 45, 768}) {
    NormCase c(GetParam(), width);
    Launch launch = launchOf(c, start);
    size_t out = launch.add(std::vector<float>(c.x.size()));
    auto kind = c.kind == NormKind::RMS ? ref::NormKind::RMS : ref::NormKind::Layer;
    ref::test::runKernel(ref::NormSpec{width, kind, eps, Scalar::F32}, launch, sizesOf(start));
    // A sum of n terms in any order is within n half units of 2^-23; a few more roundings follow it.
    double tolerance = static_cast<double>(width + 8) * 0x1p-24;
    for (const Isa &isa : hostIsas())
      expectNear(run(isa, c).exact, launch.get<float>(out), tolerance);
  }
}

TEST_P(CpuNorm, ARowHasTheSameBitsAloneAndBesideANaN) {
  for (const Isa &isa : hostIsas()) {
    NormCase c(GetParam(), 45), dirty = c;
    std::vector<float> whole = run(isa, c).exact;
    for (int64_t row = 0; row < rows; ++row) {
      NormCase alone = c;
      alone.x.assign(c.x.begin() + row * 45, c.x.begin() + (row + 1) * 45);
      std::vector<float> y = run(isa, alone, true, true, {3, 4}).exact;
      EXPECT_TRUE(std::equal(y.begin(), y.end(), whole.begin() + row * 45)) << isa.name << ", row " << row;
    }
    dirty.x[2 * 45] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> beside = run(isa, dirty).exact;
    for (int64_t i = 0; i < rows * 45; ++i)
      EXPECT_TRUE(i / 45 == 2 ? std::isnan(beside[i]) : beside[i] == whole[i]) << isa.name << ", element " << i;
  }
}

TEST_P(CpuNorm, NoRowsWriteNothing) {
  for (const Isa &isa : hostIsas()) {
    NormCase c(GetParam(), 45);
    c.x.clear();
    EXPECT_TRUE(run(isa, c, true, true, {3, 3, 3}).exact.empty());
  }
}

TEST(CpuGroupedNorm, GivesTheBitsOfTheGroupsAsRows) {
  for (auto [width, groups] : std::vector<std::pair<int64_t, int64_t>>{{6, 3}, {45, 5}, {512, 4}})
    for (const Isa &isa : hostIsas()) {
      int64_t size = width / groups;
      NormCase c(NormKind::RMS, width);
      c.w.resize(size_t(size));
      Launch launch = launchOf(c, start);
      size_t out = launch.add(std::vector<float>(c.x.size())), narrow = launch.add(std::vector<uint16_t>(c.x.size()));
      runKernel(isa, NormSpec{width, NormKind::RMS, eps, true, true, groups}, launch, sizesOf(start));
      auto parts = int32_t(rows * groups);
      Launch apart = launchOf(c, {0, parts});
      size_t outApart = apart.add(std::vector<float>(c.x.size()));
      size_t narrowApart = apart.add(std::vector<uint16_t>(c.x.size()));
      runKernel(isa, NormSpec{size, NormKind::RMS, eps, true, true}, apart, {parts, 1});
      EXPECT_TRUE(launch.get<float>(out) == apart.get<float>(outApart)) << isa.name << ", width " << width;
      EXPECT_TRUE(launch.get<uint16_t>(narrow) == apart.get<uint16_t>(narrowApart)) << isa.name << ", width " << width;
    }
}

TEST(CpuNormWithUnitOffset, GivesTheBitsOfOnePlusWeight) {
  for (int64_t width : {7, 45, 512})
    for (const Isa &isa : hostIsas()) {
      NormCase c(NormKind::RMS, width), shifted = c;
      for (float &weight : shifted.w)
        weight += 1.0F;
      Launch launch = launchOf(c, start);
      size_t out = launch.add(std::vector<float>(c.x.size())), narrow = launch.add(std::vector<uint16_t>(c.x.size()));
      runKernel(isa, NormSpec{width, NormKind::RMS, eps, true, true, 1, /*unitOffset=*/true}, launch, sizesOf(start));
      NormResult expected = run(isa, shifted);
      EXPECT_TRUE(launch.get<float>(out) == expected.exact) << isa.name << ", width " << width;
      EXPECT_TRUE(launch.get<uint16_t>(narrow) == expected.rounded) << isa.name << ", width " << width;
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CpuNorm, testing::Values(NormKind::RMS, NormKind::Layer),
                         [](const auto &info) { return info.param == NormKind::RMS ? "RMS" : "Layer"; });

} // namespace
} // namespace chimera::cpu::test
