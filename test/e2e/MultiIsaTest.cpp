// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Binaries for several ISAs run the best one that the machine has, with the bits of a binary for that one alone.
#include "test/e2e/CommandLine.h"
#include "test/e2e/Engine.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace chimera;
using namespace chimera::test;

namespace {

bool hostHas(const std::string &isa) {
  return std::find(hostIsas().begin(), hostIsas().end(), isa) != hostIsas().end();
}

/// The logits of one sequence, as bytes.
std::string logitsOf(const ModelOnDisk &onDisk) {
  std::vector<int> drawn = randomTokens(30, onDisk.model.config.vocabSize, 5);
  std::string tokens = onDisk.writeArray<int32_t>("tokens.npy", {30}, {drawn.begin(), drawn.end()});
  std::string logits = onDisk.directory.file("logits.npy");
  ProcessResult result = onDisk.run({"--tokens", tokens, "--schedule=chunks:17,1", "--logits", logits});
  EXPECT_EQ(result.status, 0) << result.describe();
  return result.status == 0 ? readFile(logits) : "";
}

TEST(MultiIsa, RunsTheBestOfTheMachineWithTheBitsOfItAlone) {
  if (hostIsas().size() < 2)
    GTEST_SKIP() << "this machine has fewer than two ISAs of the cpu target";
  std::string all;
  for (const std::string &isa : hostIsas())
    all += (all.empty() ? "" : ",") + isa;
  for (Precision precision : {Precision::F32, Precision::BF16}) {
    ModelOnDisk several(cpuBuild(all, precision)), best(cpuBuild(hostIsas().back(), precision));
    EXPECT_EQ(Engine(several.binary, several.directory.path()).variant(), hostIsas().back());
    EXPECT_TRUE(logitsOf(several) == logitsOf(best)) << precisionName(precision);
  }
}

TEST(MultiIsa, OneThatTheMachineLacksIsPassedOver) {
  if (!hostHas("avx2") || hostHas("amx-bf16"))
    GTEST_SKIP() << "this machine has AMX, or not even AVX2";
  ModelOnDisk several(cpuBuild("amx-bf16,avx2", Precision::BF16)), alone(cpuBuild("avx2", Precision::BF16));
  EXPECT_EQ(Engine(several.binary, several.directory.path()).variant(), "avx2");
  EXPECT_TRUE(logitsOf(several) == logitsOf(alone));
}

TEST(MultiIsa, TheInspectorListsEachTheBestFirst) {
  ModelOnDisk onDisk(cpuBuild("avx2,avx512", Precision::F32));
  ProcessResult result = runProcess({CHIMERA_INSPECT_PATH, onDisk.binary});
  EXPECT_EQ(result.status, 0) << result.describe();
  size_t best = result.out.find("avx512 with "), other = result.out.find("avx2 with ");
  EXPECT_NE(best, std::string::npos) << result.out;
  EXPECT_NE(other, std::string::npos) << result.out;
  EXPECT_LT(best, other);
}

TEST(MultiIsa, ABinaryForNoIsaOfTheMachineIsOneLineThatNamesWhatIsMissing) {
  if (hostHas("amx-bf16"))
    GTEST_SKIP() << "this machine has AMX";
  ModelOnDisk onDisk(cpuBuild("amx-bf16", Precision::BF16));
  ProcessResult result = onDisk.run({"--tokens", onDisk.writeArray<int32_t>("tokens.npy", {2}, {1, 2})});
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_EQ(countLines(result.err), 1) << result.err;
  EXPECT_NE(result.err.find("amx_tile"), std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("avx2"), std::string::npos) << result.err << "which is not missing";
}

} // namespace
