// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statistics, the numbers that are drawn, and the limits of the machine.
#include "runtime/abi/chimera.h"
#include "runtime/core/CpuFeatures.h"
#include "tools/chimera-bench/MachineKernels.h"
#include "tools/chimera-bench/MachineLimits.h"
#include "tools/chimera-bench/RandomWeights.h"
#include "tools/chimera-bench/Routing.h"
#include "tools/chimera-bench/Statistics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <set>

namespace {

using namespace chimera;
using namespace chimera::bench;

TEST(Statistics, AreMeanSampleDeviationAndMedian) {
  Statistics odd = statisticsOf({5, 1, 3});
  EXPECT_DOUBLE_EQ(odd.mean, 3);
  EXPECT_DOUBLE_EQ(odd.deviation, 2);
  EXPECT_EQ(odd.median, 3);
  Statistics even = statisticsOf({10, 1, 2, 3});
  EXPECT_DOUBLE_EQ(even.mean, 4);
  EXPECT_DOUBLE_EQ(even.deviation, std::sqrt(50.0 / 3));
  EXPECT_EQ(even.median, 2.5);
}

TEST(Statistics, OfOneValueAndOfNoneHaveNoDeviation) {
  Statistics one = statisticsOf({7});
  EXPECT_EQ(one.mean, 7);
  EXPECT_EQ(one.deviation, 0);
  EXPECT_EQ(one.median, 7);
  EXPECT_EQ(statisticsOf({}).mean, 0);
}

TEST(ForcedRouting, DrawsTheSharesRenormalisedOverTheModesThatMayBeForced) {
  constexpr uint32_t all = 15, two = 1 << CHIMERA_MODE_SSM | 1 << CHIMERA_MODE_FULL;
  ForcedRouting routing(3, {0.6, 0.2, 0.1, 0.1}, {all, two});
  constexpr int count = 20000;
  for (int64_t layer = 0; layer < 2; ++layer) {
    std::array<double, 4> seen = {};
    for (int64_t i = 0; i < count; ++i)
      ++seen[size_t(routing.draw(i % 5, i / 5, layer))];
    std::array<double, 4> wanted =
        layer == 0 ? std::array<double, 4>{0.6, 0.2, 0.1, 0.1} : std::array<double, 4>{0.6 / 0.7, 0, 0.1 / 0.7, 0};
    for (size_t mode = 0; mode < 4; ++mode)
      // Five deviations of a binomial count; the seed is fixed.
      EXPECT_NEAR(seen[mode], count * wanted[mode], 5 * std::sqrt(count * wanted[mode] * (1 - wanted[mode])));
  }
}

TEST(ForcedRouting, IsAFunctionOfSeedSequencePositionAndLayer) {
  ForcedRouting routing(1, {0.25, 0.25, 0.25, 0.25}, {15, 15}), same = routing,
                                                                other(2, {0.25, 0.25, 0.25, 0.25}, {15, 15});
  int fromSeed = 0, fromSequence = 0, fromLayer = 0;
  for (int64_t position = 0; position < 200; ++position) {
    int8_t mode = routing.draw(0, position, 0);
    EXPECT_EQ(mode, same.draw(0, position, 0));
    fromSeed += mode != other.draw(0, position, 0);
    fromSequence += mode != routing.draw(1, position, 0);
    fromLayer += mode != routing.draw(0, position, 1);
  }
  for (int different : {fromSeed, fromSequence, fromLayer})
    EXPECT_NEAR(different, 150, 40);
}

TEST(ForcedRouting, LeavesALayerWithoutAChoiceAlone) {
  ForcedRouting routing(1, {1, 0, 0, 0}, {0, 1 << CHIMERA_MODE_FULL, 3});
  EXPECT_EQ(routing.draw(0, 0, 0), -1);
  EXPECT_EQ(routing.draw(0, 0, 1), -1);
  for (int64_t position = 0; position < 100; ++position)
    EXPECT_EQ(routing.draw(0, position, 2), CHIMERA_MODE_SSM);
}

TEST(Tokens, AreInTheVocabularyAndUseAllOfIt) {
  std::set<int32_t> seen;
  for (int64_t position = 0; position < 500; ++position) {
    int32_t token = drawToken(1, 2, position, 11);
    ASSERT_GE(token, 0);
    ASSERT_LT(token, 11);
    seen.insert(token);
  }
  EXPECT_EQ(seen.size(), 11u);
}

TEST(RandomWeights, AreSmallNormsAreOneAndBiasesZero) {
  auto values = [](const char *name) {
    std::vector<uint8_t> bytes = randomTensor(5, name, io::DType::F32, 5000);
    std::vector<float> numbers(bytes.size() / 4);
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
    return numbers;
  };
  double squares = 0;
  for (float value : values("layers.0.attn.q_proj.weight"))
    squares += double(value) * value;
  EXPECT_NEAR(std::sqrt(squares / 5000), 0.02, 0.001);
  EXPECT_EQ(values("layers.0.input_norm.weight"), std::vector<float>(5000, 1.0f));
  EXPECT_EQ(values("layers.0.ssm.conv.bias"), std::vector<float>(5000, 0.0f));
  EXPECT_NE(values("a.weight"), values("b.weight"));
  EXPECT_EQ(values("a.weight"), values("a.weight"));
}

TEST(MachineKernels, ReadsEveryByteAndDependsOnEveryRound) {
  alignas(64) uint64_t words[96] = {};
  uint64_t sum = 0;
  for (uint64_t &word : words)
    sum += word = uint64_t(&word - words) * 0x9e3779b97f4a7c15;
  EXPECT_EQ(machineKernelsSse2.read(words, sizeof words), sum);
  EXPECT_NE(machineKernelsSse2.multiplyAdd(1), machineKernelsSse2.multiplyAdd(2));
  EXPECT_EQ(machineKernelsSse2.flopsPerRound, 2 * 12 * 4);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    EXPECT_EQ(machineKernelsAvx2.read(words, sizeof words), sum);
    EXPECT_EQ(machineKernelsAvx2.multiplyAdd(40) / 8, machineKernelsSse2.multiplyAdd(40) / 4);
  }
  if (__builtin_cpu_supports("avx512f")) {
    EXPECT_EQ(machineKernelsAvx512.read(words, sizeof words), sum);
    EXPECT_EQ(machineKernelsAvx512.multiplyAdd(40) / 16, machineKernelsSse2.multiplyAdd(40) / 4);
  }
}

TEST(MachineKernels, ProductsOfBf16DependOnEveryRound) {
  EXPECT_EQ(machineDotBF16.flopsPerRound, 2 * 24 * 32);
  EXPECT_EQ(machineTileBF16.flopsPerRound, 2 * 6 * 16 * 16 * 32);
  if (runtime::missingCpuFeatures({machineDotBF16.feature}).empty()) {
    // Sums that begin at 0 .. 23, in 16 lanes; a round adds 2 to each.
    EXPECT_EQ(machineDotBF16.multiplyAdd(0), 16 * 276);
    EXPECT_EQ(machineDotBF16.multiplyAdd(3), 16 * (276 + 24 * 6));
  }
  if (runtime::missingCpuFeatures({machineTileBF16.feature}).empty() && runtime::permitAmxTiles()) {
    // One tile of sums; a round adds 32 to each.
    EXPECT_EQ(machineTileBF16.multiplyAdd(3), 256 * 3 * 32);
  }
}

TEST(MachineLimits, ProductsOfBf16AreMeasuredWhereCodeMayUseThem) {
  MachineLimits plain = measureLimits(1, 0);
  EXPECT_EQ(plain.products, "");
  EXPECT_EQ(plain.peak(), plain.flopsPerSecond);
  if (!runtime::missingCpuFeatures({"avx512_bf16"}).empty())
    GTEST_SKIP() << "this CPU has no instruction for them";
  MachineLimits limits = measureLimits(1, 0, {"sse2", "avx512_bf16"});
  EXPECT_EQ(limits.products, "vdpbf16ps");
  EXPECT_GT(limits.productsPerSecond, 1e7);
  EXPECT_EQ(limits.peak(), std::max(limits.flopsPerSecond, limits.productsPerSecond));
}

TEST(MachineLimits, AreMeasuredOverABufferOfTheSizeAskedFor) {
  MachineLimits limits = measureLimits(2, 1000000);
  EXPECT_EQ(limits.threads, 2);
  EXPECT_LE(limits.bufferBytes, 1000000u);
  EXPECT_GE(limits.bufferBytes, 1000000u - 2 * 4096);
  // Any machine that this runs on reads more than 10 MB/s and computes more than 10 MFLOP/s.
  EXPECT_GT(limits.bytesPerSecond, 1e7);
  EXPECT_GT(limits.flopsPerSecond, 1e7);
  EXPECT_EQ(measureLimits(1, 0).bufferBytes, 65536u);
}

} // namespace
