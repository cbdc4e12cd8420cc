// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-train --target=cuda, on a library that stands for NVIDIA's driver and executes the kernels as sim does: the
// bits of sim, also when a run is killed or resumed or has several ranks, and one line for whatever call fails.
#include "test/chimera-train/CompiledRun.h"
#include "test/chimera-train/ErrorLines.h"
#include "test/support/LongMode.h"
#include "test/support/Random.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sys/wait.h>
#include <thread>

using namespace chimera::test;
using nlohmann::json;

namespace {

/// Both kinds of routing, at first in the same steps, evaluations and checkpoints.
const json training = {{"optimizer", {{"lr", 0.01}}},
                       {"schedule", {{"warmup", 2}}},
                       {"routing", "soft@0.2,hard@0.9"},
                       {"temperature", {{0, 1}, {0.5, 0.5}}},
                       {"budget", {{"cap", {{0.1, 1}, {0.9, 0.2}}}}},
                       {"floor", {{"ssm", 0.1}}},
                       {"evaluation", {{"every", 2}, {"sequences", 8}}},
                       {"checkpoint", {{"every", 1}, {"keep", 8}}}};
/// All four modes.
const json changes = {{"num_key_value_heads", 1}, {"router", {{"write_gate", true}, {"capacity_factor", 1.5}}}};
constexpr int steps = 5;

class CudaTrainingTest : public testing::Test {
protected:
  CudaTrainingTest() : sim(training, steps, "sim", changes), cuda(training, steps, "cuda", changes) {}

  /// A run of the cuda binary whose kernels those of a run of sim stand for.
  std::vector<std::string> command(const std::string &code, const std::string &out,
                                   const std::vector<std::string> &more = {},
                                   const std::vector<std::string> &environment = {}) const {
    std::vector<std::string> all = {"env", "CHIMERA_CUDA_DRIVER=" CHIMERA_FAKE_CUDA,
                                    "CHIMERA_FAKE_CUDA_CODE=" + sim.file(code + "/" + sim.binaryOf(code))};
    all.insert(all.end(), environment.begin(), environment.end());
    for (const std::string &word : cuda.command(out, more))
      all.push_back(word);
    return all;
  }

  ProcessResult train(const std::string &code, const std::string &out, const std::vector<std::string> &more = {},
                      const std::vector<std::string> &environment = {}) const {
    return runProcess(command(code, out, more, environment), 300);
  }

  /// A run of sim and the same of cuda, in folders of that name.
  void trainBoth(const std::string &out, const std::vector<std::string> &more = {}) const {
    ProcessResult expected = sim.run(out, more);
    ASSERT_EQ(expected.status, 0) << expected.describe();
    ProcessResult actual = train(out, out, more);
    ASSERT_EQ(actual.status, 0) << actual.describe();
  }

  /// What a run of cuda has otherwise than one of sim: weights, moments, losses. In words, or "".
  std::string difference(const std::string &out) const {
    std::vector<std::string> files = {"model.safetensors"};
    for (int step = 1; step <= steps; ++step)
      for (const char *name : {"model.safetensors", "optimizer.safetensors"})
        files.push_back("checkpoints/step-0000000" + std::to_string(step) + "/" + name);
    for (const std::string &name : files)
      if (readFile(sim.file(out + "/" + name)) != readFile(cuda.file(out + "/" + name)))
        return name;
    std::vector<json> expected = sim.log(out), actual = cuda.log(out);
    if (expected.size() != actual.size())
      return "another number of lines in the log";
    for (size_t i = 1; i < expected.size(); ++i) // The first are the settings.
      if (expected[i] != actual[i])
        return "line " + std::to_string(i + 1) + " of the log: " + actual[i].dump();
    return "";
  }

  /// Processes that are killed at some moment, and one that ends the run.
  void killAndResume() const {
    cuda.shareBinary("out", "killed");
    int killed = 0;
    for (int attempt = 0; attempt < (longMode() ? 40 : 8); ++attempt) {
      pid_t child = startProcess(command("out", "killed", {"--resume"}), "/dev/null", cuda.file("said"));
      std::this_thread::sleep_for(std::chrono::milliseconds(40 + 10 * attempt));
      ::kill(child, SIGKILL);
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      killed += WIFSIGNALED(status);
    }
    EXPECT_GE(killed, 1);
    ProcessResult last = train("out", "killed", {"--resume", "--profile"});
    ASSERT_EQ(last.status, 0) << last.describe();
    EXPECT_EQ(cuda.difference("out", "killed"), "");
  }

  /// Runs in which some call of the driver fails, and after each one that ends the run.
  void failAndResume() const {
    const std::string counted = cuda.file("calls");
    cuda.shareBinary("out", "counted");
    ASSERT_EQ(train("out", "counted", {}, {"CHIMERA_FAKE_CUDA_CALLS=" + counted}).status, 0);
    int calls = std::atoi(readFile(counted).c_str()), failed = 0, saved = 0;
    ASSERT_GT(calls, 1000);
    Random random(29);
    for (int round = 0; round < (longMode() ? 500 : 14); ++round) {
      int n = 1 + int(random.below(round < 4 ? 200 : calls)); // Some before the first step.
      SCOPED_TRACE("call " + std::to_string(n));
      std::filesystem::remove_all(cuda.file("failed"));
      cuda.shareBinary("out", "failed");
      ProcessResult result = train("out", "failed", {}, {"CHIMERA_FAKE_CUDA_FAIL=" + std::to_string(n)});
      ASSERT_FALSE(result.timedOut);
      ASSERT_EQ(result.signal, 0) << result.describe();
      bool isSaved = std::filesystem::exists(cuda.file("failed/checkpoints/step-00000001"));
      if (result.status != 0) {
        EXPECT_EQ(result.status, 1) << result.describe();
        ASSERT_EQ(errorLines(result.err).size(), 1u) << result.err;
        EXPECT_EQ(errorLines(result.err)[0].find("--resume goes on from it") != std::string::npos, isSaved)
            << result.err;
        ++failed;
        saved += isSaved;
      }
      ProcessResult last = train("out", "failed", {"--resume"});
      ASSERT_EQ(last.status, 0) << last.describe();
      ASSERT_EQ(cuda.difference("out", "failed"), "");
    }
    EXPECT_GT(failed, 5);
    EXPECT_GT(saved, 2);
  }

  /// One line where something is missing.
  void checkMissing() const {
    cuda.shareBinary("out", "missing");
    for (const auto &[setting, text] : {std::pair("CHIMERA_CUDA_DRIVER=/none.so", "there is no NVIDIA driver"),
                                        {"CHIMERA_FAKE_CUDA_DEVICES=0", "there is no GPU"},
                                        {"CHIMERA_FAKE_CUDA_MEMORY=300000", "out of memory"}}) {
      ProcessResult result = train("out", "missing", {}, {setting});
      EXPECT_EQ(result.status, 1) << result.describe();
      EXPECT_EQ(countLines(result.err), 1) << result.err;
      EXPECT_NE(result.err.find(text), std::string::npos) << result.err;
    }
  }

  /// What else takes a binary, or says why it does not.
  void checkTools() const {
    std::string binary = cuda.file("out/" + cuda.binaryOf("out"));
    ProcessResult inspected = runProcess({CHIMERA_INSPECT, binary});
    EXPECT_EQ(inspected.status, 0) << inspected.describe();
    EXPECT_NE(inspected.out.find("train_hard"), std::string::npos) << inspected.out;
    ProcessResult timed = runProcess({CHIMERA_BENCH, binary, "--random-weights"});
    EXPECT_EQ(timed.status, 1) << timed.describe();
    EXPECT_NE(timed.err.find("has no programs of inference"), std::string::npos) << timed.err;
  }

  CompiledRun sim, cuda;
};

class CudaTrainingBitsTest : public CudaTrainingTest, public testing::WithParamInterface<const char *> {};

TEST_P(CudaTrainingBitsTest, AreThoseOfSim) {
  std::vector<std::string> more = {"--dtype", GetParam(), "--accumulate", "2"};
  trainBoth("out", more);
  EXPECT_EQ(difference("out"), "");
  more.insert(more.end(), {"--gradients", sim.file("gradients")});
  ASSERT_EQ(sim.run("out", more).status, 0);
  more.back() = cuda.file("gradients");
  ASSERT_EQ(train("out", "out", more).status, 0);
  EXPECT_TRUE(readFile(sim.file("gradients")) == readFile(cuda.file("gradients")));

  // A learning rate with which the second step's loss is not a number: the first launch that makes one is named.
  more.resize(4);
  for (const CompiledRun *run : {&sim, &cuda}) {
    json config = json::parse(readFile(run->file("config.json")));
    config["training"]["optimizer"]["lr"] = 1e30;
    writeFile(run->file("config.json"), config.dump());
    run->shareBinary("out", "wild");
  }
  ProcessResult expected = sim.run("wild", more), actual = train("out", "wild", more);
  EXPECT_EQ(expected.status, 1) << expected.describe();
  EXPECT_EQ(actual.status, 1) << actual.describe();
  ASSERT_EQ(errorLines(expected.err).size(), 1u) << expected.err;
  EXPECT_NE(errorLines(expected.err)[0].find("is NaN or infinite"), std::string::npos) << expected.err;
  EXPECT_EQ(errorLines(actual.err), errorLines(expected.err));
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaTrainingBitsTest, testing::Values("f64", "bf16"),
                         [](const auto &info) { return std::string(info.param); });

/// In f32.
TEST_F(CudaTrainingTest, EndsWithTheSameBitsWhateverStopsIt) {
  trainBoth("out");
  ASSERT_EQ(difference("out"), "");
  checkTools();
  checkMissing();
  killAndResume();
  failAndResume();
}

#ifdef CHIMERA_MPIRUN
TEST_F(CudaTrainingTest, RanksHaveTheBitsOfSimAndFailTogether) {
  // Two ranks, each with a command line.
  auto runRanks = [](const std::vector<std::string> &first, const std::vector<std::string> &second) {
    // What OpenMPI itself leaks is no concern of these tests.
    std::vector<std::string> all = {"env",
                                    "ASAN_OPTIONS=detect_leaks=0",
                                    CHIMERA_MPIRUN,
                                    "--allow-run-as-root",
                                    "--oversubscribe",
                                    "--bind-to",
                                    "none",
                                    "-np",
                                    "1"};
    all.insert(all.end(), first.begin(), first.end());
    all.insert(all.end(), {":", "-np", "1"});
    all.insert(all.end(), second.begin(), second.end());
    return runProcess(all, 300);
  };
  const std::vector<std::string> more = {"--accumulate", "2"};
  ProcessResult expected = runRanks(sim.command("out", more), sim.command("out", more));
  ASSERT_EQ(expected.status, 0) << expected.describe();
  const std::string counted = "CHIMERA_FAKE_CUDA_CALLS=" + cuda.file("calls");
  ProcessResult actual = runRanks(command("out", "out", more), command("out", "out", more, {counted}));
  ASSERT_EQ(actual.status, 0) << actual.describe();
  EXPECT_EQ(difference("out"), "");
  int calls = std::atoi(readFile(cuda.file("calls")).c_str());
  ASSERT_GT(calls, 1000);
  for (int part : {2, 4}) {
    std::string out = "failed" + std::to_string(part),
                fails = "CHIMERA_FAKE_CUDA_FAIL=" + std::to_string(calls * part / 5);
    cuda.shareBinary("out", out);
    ProcessResult result = runRanks(command("out", out, more), command("out", out, more, {fails}));
    EXPECT_FALSE(result.timedOut) << part;
    EXPECT_EQ(result.status, 1) << result.describe();
    ASSERT_EQ(errorLines(result.err).size(), 1u) << result.err;
    EXPECT_NE(errorLines(result.err)[0].find("rank 1: the GPU ("), std::string::npos) << result.err;
  }
}
#endif

} // namespace
