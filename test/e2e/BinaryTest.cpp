// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What must hold of every model binary as a file.
#include "test/e2e/CommandLine.h"

#include <gtest/gtest.h>

using namespace chimera::test;

namespace {

class BinaryTest : public testing::TestWithParam<Precision> {};

TEST_P(BinaryTest, LeavesNoSymbolUndefined) {
  std::vector<std::string> binaries = {ModelOnDisk(GetParam()).binary};
  for (size_t i = 0; i < modelCases().size(); i += 10)
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
  ProcessResult result =
      runProcess({CHIMERA_COMPILE_PATH, onDisk.directory.file("config.json"), "-o", again, "--target=ref",
                  std::string("--dtype=") + precisionName(GetParam()), "--max-tokens=32", "--max-seqs=2"});
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_TRUE(readFile(again) == readFile(onDisk.binary));
}

INSTANTIATE_TEST_SUITE_P(Dtypes, BinaryTest, testing::Values(Precision::F64, Precision::F32, Precision::BF16),
                         [](const auto &info) { return std::string(precisionName(info.param)); });

} // namespace
