// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-train --target=cuda, on a library that stands for NVIDIA's driver and executes the kernels as sim does: the
// bits of sim, also when a run is killed or resumed or has several ranks, and one line for whatever call fails.
#include "test/chimera-train/CompiledRun.h"
#include "test/support/LongMode.h"
#include "test/support/Random.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
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

  /// The lines that say why a run ended.
  static std::vector<std::string> errors(const ProcessResult &result) {
    std::vector<std::string> found;
    std::istringstream lines(result.err);
    for (std::string line; std::getline(lines, line);)
      if (line.rfind("chimera-train: ", 0) == 0 && line.find("warning: ") == std::string::npos)
        found.push_back(line);
    return found;
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
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaTrainingBitsTest, testing::Values("f32", "f64", "bf16"),
                         [](const auto &info) { return std::string(info.param); });

TEST_F(CudaTrainingTest, GoesOnWhereItWasKilled) {
  trainBoth("out");
  cuda.shareBinary("out", "parts");
  int killed = 0;
  for (int attempt = 0; attempt < (longMode() ? 40 : 8); ++attempt) {
    pid_t child = startProcess(command("out", "parts", {"--resume"}), "/dev/null", cuda.file("said"));
    std::this_thread::sleep_for(std::chrono::milliseconds(40 + 10 * attempt));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    killed += WIFSIGNALED(status);
  }
  EXPECT_GE(killed, 1);
  ProcessResult last = train("out", "parts", {"--resume", "--profile"});
  ASSERT_EQ(last.status, 0) << last.describe();
  EXPECT_EQ(cuda.difference("out", "parts"), "");
}

TEST_F(CudaTrainingTest, AnyCallMayFail) {
  trainBoth("out");
  const std::string counted = cuda.file("calls");
  cuda.shareBinary("out", "whole");
  ASSERT_EQ(train("out", "whole", {}, {"CHIMERA_FAKE_CUDA_CALLS=" + counted}).status, 0);
  int calls = std::atoi(readFile(counted).c_str()), failed = 0, resumed = 0;
  ASSERT_GT(calls, 1000);
  Random random(29);
  for (int round = 0; round < (longMode() ? 500 : 12); ++round) {
    int n = 1 + int(random.below(calls));
    SCOPED_TRACE(n);
    std::filesystem::remove_all(cuda.file("parts"));
    cuda.shareBinary("out", "parts");
    ProcessResult result = train("out", "parts", {}, {"CHIMERA_FAKE_CUDA_FAIL=" + std::to_string(n)});
    ASSERT_FALSE(result.timedOut);
    ASSERT_EQ(result.signal, 0) << result.describe();
    if (result.status != 0) {
      ++failed;
      EXPECT_EQ(result.status, 1) << result.describe();
      ASSERT_GE(errors(result).size(), 1u) << result.err;
      EXPECT_NE(errors(result).back().find("GPU"), std::string::npos) << result.err;
    }
    bool isSaved = std::filesystem::exists(cuda.file("parts/checkpoints/step-00000001"));
    EXPECT_EQ(result.err.find("--resume goes on from it") != std::string::npos, result.status != 0 && isSaved);
    resumed += isSaved;
    ProcessResult last = train("out", "parts", {"--resume"});
    ASSERT_EQ(last.status, 0) << last.describe();
    ASSERT_EQ(cuda.difference("whole", "parts"), "");
  }
  EXPECT_GT(failed, 5);
  EXPECT_GT(resumed, 2);
}

TEST_F(CudaTrainingTest, ABinaryForInferenceTooIsInspectedAndTimed) {
  for (const char *target : {"sim", "cuda"}) {
    ProcessResult made =
        runProcess({CHIMERA_COMPILE, cuda.file("config.json"), "-o", cuda.file(target + std::string(".chm")),
                    std::string("--target=") + target, "--phases=infer,train", "--max-tokens=64", "--max-seqs=4"},
                   300);
    ASSERT_EQ(made.status, 0) << made.describe();
  }
  ProcessResult inspected = runProcess({CHIMERA_INSPECT, cuda.file("cuda.chm")});
  EXPECT_EQ(inspected.status, 0) << inspected.describe();
  EXPECT_NE(inspected.out.find("train_hard"), std::string::npos) << inspected.out;
  ProcessResult timed =
      runProcess({"env", "CHIMERA_CUDA_DRIVER=" CHIMERA_FAKE_CUDA, "CHIMERA_FAKE_CUDA_CODE=" + cuda.file("sim.chm"),
                  CHIMERA_BENCH, cuda.file("cuda.chm"), "--random-weights", "--repeats", "1", "--warmup", "0",
                  "--prefill", "5", "--decode-context", "3", "--decode-tokens", "2", "--batch", "2"});
  EXPECT_EQ(timed.status, 0) << timed.describe();
}

/// A learning rate with which the second step's loss is not a number.
TEST_F(CudaTrainingTest, FindsWhatIsNotFiniteAsSimDoes) {
  json wild = training;
  wild["optimizer"]["lr"] = 1e30;
  CompiledRun wildSim(wild, steps, "sim", changes), wildCuda(wild, steps, "cuda", changes);
  ProcessResult expected = wildSim.run("out");
  ASSERT_EQ(expected.status, 1) << expected.describe();
  std::vector<std::string> all = {"env", "CHIMERA_CUDA_DRIVER=" CHIMERA_FAKE_CUDA,
                                  "CHIMERA_FAKE_CUDA_CODE=" + wildSim.file("out/" + wildSim.binaryOf("out"))};
  for (const std::string &word : wildCuda.command("out"))
    all.push_back(word);
  ProcessResult actual = runProcess(all, 300);
  EXPECT_EQ(actual.status, 1) << actual.describe();
  EXPECT_NE(errors(expected).back().find("is NaN or infinite"), std::string::npos) << expected.err;
  EXPECT_EQ(errors(actual).back(), errors(expected).back());
}

#ifdef CHIMERA_MPIRUN
TEST_F(CudaTrainingTest, RanksHaveTheBitsOfOneAndFailTogether) {
  trainBoth("out", {"--accumulate", "2"});
  // The programs of half of the sequences.
  ProcessResult half = sim.run("half", {"--batch", "4", "--gradients", sim.file("gradients")});
  ASSERT_EQ(half.status, 0) << half.describe();
  std::filesystem::create_directories(cuda.file("more"));
  auto runRanks = [&](const std::string &out, const std::vector<std::string> &second) {
    std::vector<std::string> all = {
        "env", "ASAN_OPTIONS=detect_leaks=0", CHIMERA_MPIRUN, "--allow-run-as-root", "--oversubscribe", "--bind-to",
        "none"};
    for (const std::vector<std::string> &environment : {std::vector<std::string>(), second}) {
      all.insert(all.end(), {"-np", "1"});
      for (const std::string &word : command("half", out, {"--accumulate", "2"}, environment))
        all.push_back(word);
      all.push_back(":");
    }
    all.pop_back();
    return runProcess(all, 100);
  };
  ProcessResult both = runRanks("ranks", {});
  ASSERT_EQ(both.status, 0) << both.describe();
  EXPECT_TRUE(readFile(cuda.file("ranks/model.safetensors")) == readFile(cuda.file("out/model.safetensors")));
  for (int call : {1500, 3000}) {
    std::string out = "fails" + std::to_string(call);
    cuda.shareBinary("ranks", out);
    ProcessResult result = runRanks(out, {"CHIMERA_FAKE_CUDA_FAIL=" + std::to_string(call)});
    EXPECT_FALSE(result.timedOut) << call;
    EXPECT_EQ(result.status, 1) << result.describe();
    ASSERT_FALSE(errors(result).empty()) << result.err;
    EXPECT_NE(errors(result).back().find("rank 1: the GPU ("), std::string::npos) << result.err;
  }
}
#endif

} // namespace
