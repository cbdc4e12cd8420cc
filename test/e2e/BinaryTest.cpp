// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What must hold of every model binary as a file.
#include "test/e2e/CommandLine.h"

#include <gtest/gtest.h>

using namespace chimera::test;

namespace {

class BinaryTest : public testing::TestWithParam<Build> {};

TEST_P(BinaryTest, LeavesNoSymbolUndefined) {
  std::vector<std::string> binaries = {ModelOnDisk(GetParam()).binary};
  for (size_t i = 0; i < modelCases().size(); i += 20)
    binaries.push_back(compileModel(modelCases()[i], GetParam()));
  for (const std::string &binary : binaries)
    for (const char *table : {"--undefined-only", "--dynamic"}) {
      ProcessResult result = runProcess({CHIMERA_NM_PATH, "-u", table, binary});
      EXPECT_EQ(result.status, 0) << result.describe();
      EXPECT_EQ(result.out, "") << binary;
    }
}

TEST_P(BinaryTest, SameInputGivesTheSameBytes) {
  ModelOnDisk onDisk(GetParam());
  std::string again = onDisk.directory.file("again.chm");
  std::vector<std::string> command = {
      CHIMERA_COMPILE_PATH, onDisk.directory.file("config.json"), "-o", again, "--max-tokens=32", "--max-seqs=2"};
  std::vector<std::string> options = compilerOptions(GetParam());
  command.insert(command.end(), options.begin(), options.end());
  ProcessResult result = runProcess(command);
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_TRUE(readFile(again) == readFile(onDisk.binary));
}

/// Compiling needs none of the features that the kernels need: every ISA, and all in one binary.
INSTANTIATE_TEST_SUITE_P(All, BinaryTest,
                         testing::Values(refBuild(Precision::F64), refBuild(Precision::F32), refBuild(Precision::BF16),
                                         cpuBuild("avx2", Precision::F32), cpuBuild("avx512", Precision::BF16),
                                         cpuBuild("avx512-bf16", Precision::BF16, "int8"),
                                         cpuBuild("avx512-bf16", Precision::BF16, "int4"),
                                         cpuBuild("avx2,avx512,avx512-bf16,amx-bf16", Precision::BF16)),
                         [](const auto &info) { return buildName(info.param); });

} // namespace
