// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Binaries for cuda, run by a library that stands for NVIDIA's driver and executes their kernels as sim does: the bits
// of sim, one line for each thing that may go wrong, whatever call it is that fails.
#include "test/cuda/CudaModel.h"
#include "test/support/LongMode.h"

#include <cstdlib>

using namespace chimera::test;

TEST_F(CudaModelTest, HasTheBitsOfSimHoweverTheWorkIsCut) {
  const std::string text = "Every token takes the cheapest sufficient way of looking back. 0123456789";
  for (const char *dtype : {"f32", "bf16", "f64"}) {
    compile(dtype);
    std::string whole;
    for (const char *schedule : {"prefill", "decode", "chunks:5,7,1,20"}) {
      // Sampling makes every bit of the logits matter to the text, and many sequences share the steps.
      std::vector<std::string> options = {"--prompt", text, "--max-new-tokens", "40",    "--temperature", "2",
                                          "--seed",   "7",  "--schedule",       schedule};
      ProcessResult sim = run("sim", options), cuda = run("cuda", options);
      ASSERT_EQ(sim.status, 0) << sim.describe();
      ASSERT_EQ(cuda.status, 0) << cuda.describe();
      EXPECT_EQ(cuda.out, sim.out) << dtype << " " << schedule;
      if (whole.empty())
        whole = cuda.out;
      EXPECT_EQ(cuda.out, whole) << dtype << " " << schedule;
    }
  }
}

TEST_F(CudaModelTest, ManySequencesHaveTheLogitsOfSim) {
  compile();
  std::string lines;
  for (int i = 0; i < 9; ++i)
    lines += "{\"prompt\": \"" + std::string(size_t(3 + 17 * i), char('a' + i)) + "\", \"seed\": " + std::to_string(i) +
             ", \"temperature\": 3, \"max_new_tokens\": " + std::to_string(20 + 3 * i) + "}\n";
  writeFile(folder.file("lines.jsonl"), lines);
  std::vector<std::string> options = {"--jsonl", folder.file("lines.jsonl")};
  ProcessResult sim = run("sim", options), cuda = run("cuda", options);
  ASSERT_EQ(sim.status, 0) << sim.describe();
  ASSERT_EQ(cuda.status, 0) << cuda.describe();
  EXPECT_EQ(cuda.out, sim.out);
}

TEST_F(CudaModelTest, APromptIsKeptAndRestored) {
  compile();
  std::vector<std::string> options = {"--prompt",         "a prompt that is kept for another time",
                                      "--prompt-cache",   folder.file("kept"),
                                      "--max-new-tokens", "30"};
  ProcessResult first = run("cuda", options), second = run("cuda", options);
  ASSERT_EQ(first.status, 0) << first.describe();
  ASSERT_EQ(second.status, 0) << second.describe();
  EXPECT_EQ(second.out, first.out);
}

TEST_F(CudaModelTest, IsInspectedWithoutADriver) {
  compile();
  ProcessResult result = must({CHIMERA_INSPECT, folder.file("cuda.chm")});
  EXPECT_NE(result.out.find("cuda"), std::string::npos) << result.out;
  must({CHIMERA_INSPECT, folder.file("cuda.chm"), "--memory"});
}

TEST_F(CudaModelTest, SaysWhatIsMissing) {
  compile();
  EXPECT_EQ(
      errorOf({"CHIMERA_CUDA_DRIVER=/there/is/none.so"}),
      "chimera-run: there is no NVIDIA driver (/there/is/none.so: cannot open shared object file: No such file or "
      "directory); a binary for sim runs the same kernels on the CPU\n");
  EXPECT_EQ(errorOf({"CHIMERA_CUDA_DRIVER=libm.so.6"}),
            "chimera-run: the NVIDIA driver 'libm.so.6' has no cuGetErrorName; a newer one has\n");
  EXPECT_EQ(
      errorOf({"CHIMERA_FAKE_CUDA_DEVICES=0"}),
      "chimera-run: there is no GPU that the NVIDIA driver may use (CUDA_VISIBLE_DEVICES chooses among those of the "
      "machine)\n");
  std::string error = errorOf({"CHIMERA_FAKE_CUDA_MEMORY=200000"});
  EXPECT_NE(error.find("GPU's memory: CUDA_ERROR_OUT_OF_MEMORY, out of memory"), std::string::npos) << error;
}

TEST_F(CudaModelTest, AnyCallMayFail) {
  compile();
  const std::string counted = folder.file("calls");
  std::vector<std::string> options = {"--prompt", "abc", "--max-new-tokens", "2"};
  ProcessResult whole = run("cuda", options, {"CHIMERA_FAKE_CUDA_CALLS=" + counted});
  ASSERT_EQ(whole.status, 0) << whole.describe();
  int calls = std::atoi(readFile(counted).c_str());
  ASSERT_GT(calls, 100);
  int failed = 0;
  for (int n = 1; n <= calls; n += longMode() ? 1 : 23) {
    ProcessResult result = run("cuda", options, {"CHIMERA_FAKE_CUDA_FAIL=" + std::to_string(n)});
    ASSERT_FALSE(result.timedOut) << n;
    ASSERT_EQ(result.signal, 0) << n << ": " << result.describe();
    if (result.status == 0) { // Of giving things back, nothing is lost.
      EXPECT_EQ(result.out, whole.out) << n;
      continue;
    }
    ++failed;
    EXPECT_EQ(result.status, 1) << n << ": " << result.describe();
    EXPECT_EQ(countLines(result.err), 1) << n << ": " << result.err;
    EXPECT_EQ(result.err.rfind("chimera-run: ", 0), 0u) << n << ": " << result.err;
  }
  EXPECT_GT(failed, longMode() ? 100 : 4);
}

/// Those of inference without a spill; those of training in the long form.
TEST_F(CudaModelTest, PtxasTakesTheKernelsWithoutSpills) {
  if (runProcess({"sh", "-c", "command -v ptxas || test -x /usr/local/cuda/bin/ptxas"}).status != 0)
    GTEST_SKIP() << "there is no ptxas";
  auto assemble = [&](const std::string &phases, const std::string &options) {
    std::string ptx = folder.file(phases + ".ptx");
    must({CHIMERA_COMPILE, folder.file("config.json"), "-o", ptx, "--target=cuda", "--emit=ptx", "--phases=" + phases});
    for (const std::string architecture : {"sm_80", "sm_90a"}) {
      ProcessResult result = runProcess(
          {"sh", "-c",
           "PATH=$PATH:/usr/local/cuda/bin ptxas " + options + " -arch=" + architecture + " -o /dev/null " + ptx},
          300);
      EXPECT_EQ(result.status, 0) << result.describe();
    }
  };
  assemble("infer", "--warn-on-spills --warning-as-error");
  if (longMode())
    assemble("train", "");
}
