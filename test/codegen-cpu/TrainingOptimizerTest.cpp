// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingOptimizer.h"
#include "test/codegen-cpu/TrainingRowwiseCase.h"

#include <cmath>

namespace chimera::cpu::test {
namespace {

using namespace training;
using ref::test::randomVector;

/// Within a block, whole blocks, and what no vector divides.
constexpr int64_t sizes[] = {1, 5, 31, 32, 4096, 4097, 9001};

/// The sum of squares of a block in 32 lanes, then as a tree.
double sumSquares(const float *x, int64_t count) {
  std::vector<double> lanes(32);
  for (int64_t i = 0; i < count; ++i)
    lanes[i % 32] = std::fma(static_cast<double>(x[i]), static_cast<double>(x[i]), lanes[i % 32]);
  for (int half = 16; half > 0; half /= 2)
    for (int i = 0; i < half; ++i)
      lanes[i] += lanes[i + half];
  return lanes[0];
}

TEST(CpuTrainingOptimizer, SquaresAreSummedIn32LanesOnEveryIsa) {
  for (int64_t n : sizes)
    for (const Isa &isa : hostIsas()) {
      std::vector<float> g = randomVector<float>(n, 1);
      Launch launch;
      launch.add(g);
      size_t out = addResult<double>(launch, (n + 4095) / 4096);
      runKernel(isa, SumSquaresSpec{n}, launch, {}, {n});
      std::vector<double> partial = launch.get<double>(out);
      for (size_t b = 0; b < partial.size(); ++b)
        EXPECT_EQ(partial[b], sumSquares(&g[4096 * b], std::min<int64_t>(4096, n - 4096 * b)))
            << isa.name << ", " << n << " elements, block " << b;
    }
}

/// Units in the last place between two floats of one sign.
int64_t ulpsBetween(float a, float b) {
  int32_t x, y;
  std::memcpy(&x, &a, sizeof x);
  std::memcpy(&y, &b, sizeof y);
  return std::abs(static_cast<int64_t>(x) - y);
}

void checkAdamW(int64_t n, bool decays, bool router, double norm) {
  std::vector<double> hyper = {1, 1, 1e-3, 3e-2, 0.9, 0.95, 1e-8, 0.1, 1 - 0.9 * 0.9, 1 - 0.95 * 0.95, 1};
  hyper.resize(16);
  std::vector<float> second = randomVector<float>(n, 4), g = randomVector<float>(n, 1);
  for (float &v : second)
    v *= v;
  g[n / 2] = second[n / 2] = 0;
  Launch launch;
  launch.add(hyper);
  launch.add(std::vector<double>{norm * norm});
  launch.add(g);
  std::vector<size_t> state = {launch.add(randomVector<float>(n, 2)), launch.add(randomVector<float>(n, 3)),
                               launch.add(second)};
  Launch reference = launch;
  ref::test::runKernel(ref::AdamWSpec{n, decays, router, Scalar::F32}, reference, {}, {n});
  for (const Isa &isa : hostIsas()) {
    Launch own = launch;
    runKernel(isa, AdamWSpec{n, decays, router}, own, {}, {n});
    for (size_t place : state) {
      std::vector<float> got = own.get<float>(place), expected = reference.get<float>(place);
      for (int64_t i = 0; i < n; ++i)
        EXPECT_LE(ulpsBetween(got[i], expected[i]), 1) << isa.name << ", buffer " << place << ", element " << i;
    }
  }
}

TEST(CpuTrainingOptimizer, AdamWIsWithinOneUnitOfRef) {
  for (int64_t n : {int64_t(1), int64_t(45), int64_t(4100)})
    checkAdamW(n, true, false, 7.0);
  checkAdamW(45, false, false, 0.5); // below the clip
  checkAdamW(45, false, true, 7.0);
  checkAdamW(45, true, true, 0.0); // no gradient at all
}

} // namespace
} // namespace chimera::cpu::test
