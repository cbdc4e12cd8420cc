// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "test/codegen-cpu/NormCase.h"
#include "test/codegen-cpu/TrainingRowwiseCase.h"

#include <cmath>

namespace chimera::cpu::test {
namespace {

using namespace training;
using norm::rows;
using norm::sizesOf;
using norm::start;
using ref::test::expectNear;
using ref::test::randomVector;

constexpr int64_t widths[] = {1, 7, 16, 24, 45, 256};

/// Runs a kernel on the rows of norm::start: operands, then results of these sizes.
template <typename T, typename Run>
std::vector<std::vector<T>> runRows(const std::vector<std::vector<float>> &operands, const std::vector<int64_t> &sizes,
                                    Run run) {
  Launch launch;
  launch.add(start);
  for (const std::vector<float> &operand : operands)
    launch.add(std::vector<T>(operand.begin(), operand.end()));
  std::vector<size_t> places;
  for (int64_t size : sizes)
    places.push_back(addResult<T>(launch, size));
  run(launch);
  std::vector<std::vector<T>> results;
  for (size_t place : places)
    results.push_back(launch.get<T>(place));
  return results;
}

/// The cpu kernel is within `tolerance` of what the ref kernel gives in f64, on every ISA, and where that is NaN.
template <typename RefSpec, typename CpuSpec>
void expectNearRef(const RefSpec &exact, const CpuSpec &spec, const std::vector<std::vector<float>> &operands,
                   const std::vector<int64_t> &results, double tolerance) {
  auto wide =
      runRows<double>(operands, results, [&](Launch &launch) { ref::test::runKernel(exact, launch, sizesOf(start)); });
  for (const Isa &isa : hostIsas()) {
    auto got = runRows<float>(operands, results, [&](Launch &launch) { runKernel(isa, spec, launch, sizesOf(start)); });
    for (size_t i = 0; i < got.size(); ++i) {
      SCOPED_TRACE(isa.name + ", result " + std::to_string(i));
      expectNear(std::vector<double>(got[i].begin(), got[i].end()), wide[i], tolerance);
    }
  }
}

/// Random rows, some elements of them large.
std::vector<float> large(int64_t width, uint64_t seed) {
  std::vector<float> x = randomVector<float>(rows * width, seed);
  for (size_t i = 0; i < x.size(); i += 3)
    x[i] *= 30;
  return x;
}

TEST(CpuTrainingRowwise, ActivationsAndTheirGradientsAreWithinSomeRoundings) {
  for (Activation activation : {Activation::Silu, Activation::GeluTanh, Activation::Relu2})
    for (int64_t width : widths) {
      std::vector<float> x = large(width, 1), up = large(width, 2), dy = randomVector<float>(rows * width, 3);
      int64_t size = rows * width;
      SCOPED_TRACE(nameOf(activation));
      expectNearRef(ref::ActivateSpec{width, activation, Scalar::F64}, ActivateSpec{width, activation}, {x}, {size},
                    8 * 0x1p-24);
      expectNearRef(ref::GluSpec{width, activation, Scalar::F64}, GluSpec{width, activation}, {x, up}, {size},
                    8 * 0x1p-24);
      expectNearRef(ref::ActivateGradSpec{width, activation, Scalar::F64}, ActivateGradSpec{width, activation}, {x, dy},
                    {size}, 8 * 0x1p-24);
      // The slope's error times up, which is as large as 30.
      expectNearRef(ref::GluGradSpec{width, activation, Scalar::F64}, GluGradSpec{width, activation}, {x, up, dy},
                    {size, size}, 30 * 8 * 0x1p-24);
    }
}

TEST(CpuTrainingRowwise, ANaNStaysInItsElement) {
  for (int64_t width : {7, 16, 45}) {
    std::vector<float> x = large(width, 1), up = large(width, 2), dy = large(width, 3), dirty = x;
    dirty[2 * width] = std::numeric_limits<float>::quiet_NaN();
    for (const Isa &isa : hostIsas()) {
      auto run = [&](const std::vector<float> &gate) {
        return runRows<float>({gate, up, dy}, {rows * width, rows * width}, [&](Launch &launch) {
          runKernel(isa, GluGradSpec{width, Activation::Silu}, launch, sizesOf(start));
        });
      };
      auto clean = run(x), beside = run(dirty);
      for (size_t result = 0; result < 2; ++result)
        for (int64_t i = 0; i < rows * width; ++i)
          EXPECT_TRUE(i == 2 * width ? std::isnan(beside[result][i]) : beside[result][i] == clean[result][i])
              << isa.name << ", result " << result << ", element " << i;
    }
  }
}

TEST(CpuTrainingRowwise, ActivationsHaveTheSlopesOfTheirEndsHoweverFar) {
  std::vector<float> x = {-3e38f, -1e20f, -100, 100, 1e20f, 3e38f}, dy(x.size(), 1);
  auto width = static_cast<int64_t>(x.size());
  std::vector<int32_t> one = {0, 1};
  for (Activation activation : {Activation::Silu, Activation::GeluTanh})
    for (const Isa &isa : hostIsas()) {
      Launch launch;
      launch.add(one);
      launch.add(x);
      launch.add(dy);
      size_t out = addResult<float>(launch, x.size());
      runKernel(isa, ActivateGradSpec{width, activation}, launch, {1, 1});
      EXPECT_EQ(launch.get<float>(out), (std::vector<float>{0, 0, 0, 1, 1, 1}))
          << isa.name << ", " << nameOf(activation);
    }
}

TEST(CpuTrainingRowwise, SiluGradientsKeepTheirDigitsFarFromZero) {
  std::vector<float> x = {-80, -40, -20, -10, 10, 20, 40, 80, -1e30f, 1e30f, 0, -0.0f}, dy(12, 1);
  Launch wide, launch;
  std::vector<int32_t> one = {0, 1};
  for (Launch *each : {&wide, &launch})
    each->add(one);
  wide.add(std::vector<double>(x.begin(), x.end()));
  wide.add(std::vector<double>(dy.begin(), dy.end()));
  size_t exact = addResult<double>(wide, 12);
  ref::test::runKernel(ref::ActivateGradSpec{12, Activation::Silu, Scalar::F64}, wide, {1, 1});
  launch.add(x);
  launch.add(dy);
  size_t out = addResult<float>(launch, 12);
  for (const Isa &isa : hostIsas()) {
    Launch own = launch;
    runKernel(isa, ActivateGradSpec{12, Activation::Silu}, own, {1, 1});
    for (size_t i = 0; i < x.size(); ++i) {
      double expected = wide.get<double>(exact)[i];
      EXPECT_NEAR(own.get<float>(out)[i], expected, 16 * 0x1p-24 * std::fabs(expected)) << isa.name << ", x " << x[i];
    }
  }
}

/// Roundings of a row's sum in 16 lanes, and of what follows it; roots are at least 0.1.
double normTolerance(int64_t width) {
  return static_cast<double>(width / 16 + 16) * 10 * 0x1p-24;
}

TEST(CpuTrainingRowwise, GradientsOfNormsAreWithinTheRoundingsOfTheirSums) {
  for (int64_t width : widths) {
    std::vector<float> x = randomVector<float>(rows * width, 1), w = randomVector<float>(width, 2);
    std::vector<float> dy = randomVector<float>(rows * width, 3);
    x[2 * width] = std::numeric_limits<float>::quiet_NaN();
    std::vector<int64_t> results = {rows * width, rows * width};
    expectNearRef(ref::NormGradSpec{width, ref::NormKind::RMS, 1e-2, Scalar::F64},
                  NormGradSpec{width, NormKind::RMS, 1e-2}, {x, w, dy}, results, normTolerance(width));
    expectNearRef(ref::NormGradSpec{width, ref::NormKind::RMS, 1e-2, Scalar::F64, 1, /*unitOffset=*/true},
                  NormGradSpec{width, NormKind::RMS, 1e-2, 1, true}, {x, w, dy}, results, normTolerance(width));
    expectNearRef(ref::NormGradSpec{width, ref::NormKind::Layer, 1e-2, Scalar::F64},
                  NormGradSpec{width, NormKind::Layer, 1e-2}, {x, w, dy}, results, normTolerance(width));
  }
}

TEST(CpuTrainingRowwise, GradientsOfNormsOfGroupsAreWithinTheRoundingsOfTheirSums) {
  for (auto [width, groups] : std::vector<std::pair<int64_t, int64_t>>{{45, 3}, {128, 2}, {96, 12}}) {
    int64_t size = width / groups;
    std::vector<float> x = randomVector<float>(rows * width, 1), w = randomVector<float>(size, 2);
    std::vector<float> dy = randomVector<float>(rows * width, 3);
    x[2 * width] = std::numeric_limits<float>::quiet_NaN();
    expectNearRef(ref::NormGradSpec{width, ref::NormKind::RMS, 1e-2, Scalar::F64, groups},
                  NormGradSpec{width, NormKind::RMS, 1e-2, groups}, {x, w, dy}, {rows * width, rows * size},
                  static_cast<double>(groups) * normTolerance(size));
  }
}

TEST(CpuTrainingRowwise, GradientsOfGatedNormsAreWithinTheRoundingsOfTheirSums) {
  for (auto [width, groups] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {45, 1}, {45, 3}, {128, 2}}) {
    std::vector<float> y = randomVector<float>(rows * width, 1), z = randomVector<float>(rows * width, 2);
    std::vector<float> w = randomVector<float>(width, 3), dout = randomVector<float>(rows * width, 4);
    y[2 * width] = std::numeric_limits<float>::quiet_NaN();
    std::vector<int64_t> results(3, rows * width);
    expectNearRef(ref::GatedNormGradSpec{width, groups, 1e-2, Scalar::F64}, GatedNormGradSpec{width, groups, 1e-2},
                  {y, z, w, dout}, results, normTolerance(width / groups));
  }
}

TEST(CpuTrainingRowwise, NormsHaveTheSameBitsOnEveryIsa) {
  for (int64_t width : widths) {
    std::vector<std::vector<float>> operands = {randomVector<float>(rows * width, 1), randomVector<float>(width, 2),
                                                randomVector<float>(rows * width, 3)};
    for (NormKind kind : {NormKind::RMS, NormKind::Layer}) {
      std::vector<std::vector<std::vector<float>>> all;
      for (const Isa &isa : hostIsas())
        all.push_back(runRows<float>(operands, {rows * width, rows * width}, [&](Launch &launch) {
          runKernel(isa, NormGradSpec{width, kind, 1e-5}, launch, sizesOf(start));
        }));
      for (const auto &results : all)
        EXPECT_TRUE(results == all.front()) << "width " << width;
    }
  }
}

TEST(CpuTrainingRowwise, NoRowsWriteNothing) {
  Launch launch;
  launch.add(std::vector<int32_t>{3, 3, 3});
  launch.add(std::vector<float>());
  launch.add(randomVector<float>(45, 2));
  launch.add(std::vector<float>());
  size_t dx = launch.add(std::vector<float>()), dw = launch.add(std::vector<float>());
  expectRefBits(ref::NormGradSpec{45, ref::NormKind::RMS, 1e-5, Scalar::F32}, NormGradSpec{45, NormKind::RMS, 1e-5},
                launch, {dx, dw}, {9, 2});
}

// Sums over rows.

/// The leaves buffer: leaf i begins with sequence first[i]; the last entry is where the last leaf ends.
std::vector<int32_t> leavesOf(const std::vector<int32_t> &first) {
  std::vector<int32_t> leaves = {static_cast<int32_t>(first.size()) - 1};
  leaves.insert(leaves.end(), first.begin(), first.end());
  leaves.resize(18, first.back());
  return leaves;
}

/// Ten sequences, some without rows, in a slice.
const std::vector<int32_t> ragged = {3, 7, 7, 8, 40, 41, 45, 45, 45, 61, 62};

template <typename In, typename Out>
Launch columnLaunch(int64_t width, const std::vector<int32_t> &leaves, size_t &out) {
  Launch launch;
  launch.add(leaves);
  launch.add(ragged);
  launch.add(randomVector<In>((ragged.back() - ragged.front()) * width, 5));
  out = addResult<Out>(launch, width);
  return launch;
}

TEST(CpuTrainingRowwise, ColumnSumsHaveTheBitsOfRef) {
  std::vector<std::vector<int32_t>> cuts = {{0, 10}, {0, 3, 5, 5, 10}, {0, 0, 10, 10, 10}};
  cuts.push_back({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10, 10, 10, 10});
  for (const std::vector<int32_t> &cut : cuts)
    for (int64_t width : {1, 7, 14, 16, 45, 200, 600}) {
      size_t out;
      Launch narrow = columnLaunch<float, float>(width, leavesOf(cut), out);
      expectRefBits(ref::ColumnSumSpec{width, Scalar::F32, Scalar::F32}, ColumnSumSpec{width, Scalar::F32, Scalar::F32},
                    narrow, {out}, {70, 10});
      Launch mixed = columnLaunch<float, double>(width, leavesOf(cut), out);
      expectRefBits(ref::ColumnSumSpec{width, Scalar::F32, Scalar::F64}, ColumnSumSpec{width, Scalar::F32, Scalar::F64},
                    mixed, {out}, {70, 10});
      Launch wide = columnLaunch<double, double>(width, leavesOf(cut), out);
      expectRefBits(ref::ColumnSumSpec{width, Scalar::F64, Scalar::F64}, ColumnSumSpec{width, Scalar::F64, Scalar::F64},
                    wide, {out}, {70, 10});
    }
}

TEST(CpuTrainingRowwise, HalvesOfTheLeavesAddUpToTheWhole) {
  constexpr int64_t width = 45;
  for (const Isa &isa : hostIsas()) {
    auto sums = [&](const std::vector<int32_t> &first) {
      size_t out;
      Launch launch = columnLaunch<float, float>(width, leavesOf(first), out);
      runKernel(isa, ColumnSumSpec{width, Scalar::F32, Scalar::F32}, launch, {70, 10});
      return launch.get<float>(out);
    };
    std::vector<float> whole = sums({0, 2, 4, 9, 10}), lower = sums({0, 2, 4}), upper = sums({4, 9, 10});
    for (int64_t c = 0; c < width; ++c)
      EXPECT_EQ(whole[c], lower[c] + upper[c]) << isa.name << ", column " << c;
  }
}

} // namespace
} // namespace chimera::cpu::test
