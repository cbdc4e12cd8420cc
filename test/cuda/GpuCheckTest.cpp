// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// tools/gpu-check from end to end, on a library that stands for NVIDIA's driver.
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

using namespace chimera::test;

namespace {
class GpuCheckTest : public testing::Test {
protected:
  ProcessResult check(const std::vector<std::string> &words, const std::vector<std::string> &environment = {}) const {
    std::vector<std::string> command = {"env", "CHIMERA_CUDA_DRIVER=" CHIMERA_FAKE_CUDA,
                                        "CHIMERA_FAKE_CUDA_CODE=" + packed() + "/routed-bf16/sim.chm"};
    command.insert(command.end(), environment.begin(), environment.end());
    command.insert(command.end(), {"python3", CHIMERA_GPU_CHECK});
    command.insert(command.end(), words.begin(), words.end());
    return runProcess(command);
  }

  std::string packed() const { return folder.file("packed"); }

  TemporaryDirectory folder;
};
} // namespace

TEST_F(GpuCheckTest, PacksRunsAndFindsWhatDiffers) {
  ProcessResult made = check({"pack", packed(), "--bin", CHIMERA_BIN, "--cases", "routed-bf16"});
  ASSERT_EQ(made.status, 0) << made.describe();
  ProcessResult right = check({"run", packed()});
  EXPECT_EQ(right.status, 0) << right.describe();
  EXPECT_NE(right.out.find("routed-bf16, cuda, decode: equal bits"), std::string::npos) << right.out;
  EXPECT_NE(right.out.find("all 4 runs have the bits of sim\n"), std::string::npos) << right.out;
  EXPECT_EQ(countLines(readFile(packed() + "/results.jsonl")), 5);

  std::string logits = readFile(packed() + "/routed-bf16/logits.npy");
  logits.back() = char(logits.back() ^ 1);
  writeFile(packed() + "/routed-bf16/logits.npy", logits);
  ProcessResult wrong = check({"run", packed()});
  EXPECT_EQ(wrong.status, 1) << wrong.describe();
  EXPECT_NE(wrong.out.find("logits.npy differs from byte " + std::to_string(logits.size() - 1)), std::string::npos)
      << wrong.out;

  ProcessResult none = check({"run", packed()}, {"CHIMERA_CUDA_DRIVER=/there/is/none.so"});
  EXPECT_EQ(none.status, 1) << none.describe();
  EXPECT_NE(none.out.find("there is no NVIDIA driver"), std::string::npos) << none.out;
}

TEST_F(GpuCheckTest, NamesWhatIsWrong) {
  EXPECT_EQ(check({"run", packed()}).err, "error: '" + packed() + "': has no chimera-run; pack makes the folder\n");
  EXPECT_EQ(check({"pack", folder.path()}).status, 1);
  ProcessResult unknown = check({"pack", packed(), "--cases", "a"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("there is no case 'a'"), std::string::npos) << unknown.err;
}
