// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-train with the compiler: a small model learns, and its folder is one that the compiler takes.
#include "runtime/io/Safetensors.h"
#include "test/chimera-train/CompiledRun.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <sys/wait.h>
#include <thread>

namespace {

using namespace chimera::test;
using nlohmann::json;

const json training = {{"optimizer", {{"lr", 0.01}}},
                       {"schedule", {{"kind", "constant"}, {"warmup", 5}}},
                       {"routing", "soft@0.5,hard@0.75"},
                       {"temperature", {{0, 1}, {0.5, 0.5}}},
                       {"evaluation", {{"every", 20}, {"sequences", 8}}},
                       {"checkpoint", {{"every", 25}}}};

class CompiledTraining : public testing::TestWithParam<const char *> {
protected:
  CompiledTraining() : runs(training, 60, GetParam()) {}

  std::string file(const std::string &name) const { return runs.file(name); }
  ProcessResult train(const std::string &out, const std::vector<std::string> &more = {}) const {
    return runs.run(out, more);
  }
  std::vector<json> steps(const std::string &out) const {
    std::vector<json> lines;
    for (const json &line : runs.log(out))
      if (line["kind"] == "step")
        lines.push_back(line);
    return lines;
  }

  CompiledRun runs;
};

TEST_P(CompiledTraining, LearnsRepeatsAndResumesAndLeavesAModelThatCompiles) {
  ProcessResult first = train("one", {"--threads", "1"});
  ASSERT_EQ(first.status, 0) << first.describe();
  std::vector<json> log = steps("one");
  ASSERT_EQ(log.size(), 60u);
  double before = log[0]["loss"];
  EXPECT_LT(log[59]["loss"].get<double>(), 0.8 * before);
  EXPECT_EQ(log[0]["layers"].size(), 2u);

  runs.shareBinary("one", "two");
  ASSERT_EQ(train("two", {"--threads", "2"}).status, 0);
  EXPECT_EQ(runs.difference("one", "two"), "") << "two threads are not one";
  std::filesystem::remove_all(file("two/checkpoints/step-00000060"));
  ProcessResult resumed = train("two", {"--resume"});
  ASSERT_EQ(resumed.status, 0) << resumed.describe();
  EXPECT_NE(resumed.err.find("going on after step 50"), std::string::npos) << resumed.err;
  EXPECT_EQ(runs.difference("one", "two"), "") << "resumed";

  ProcessResult compiled =
      runProcess({CHIMERA_COMPILE, file("one"), "-o", file("m.chm"), std::string("--target=") + GetParam()}, 300);
  EXPECT_EQ(compiled.status, 0) << compiled.describe();
  // Training goes on from it.
  ProcessResult again = runProcess({CHIMERA_TRAIN, file("one"), "--data", "mqar:pairs=2,keys=4", "--out", file("more"),
                                    "--steps", "1", "--batch", "8", "--seq", "16", "--target", GetParam()},
                                   300);
  ASSERT_EQ(again.status, 0) << again.describe();
  EXPECT_LT(steps("more")[0]["loss"].get<double>(), 0.8 * before);
}

/// Name to shape and bytes of the tensors of a file.
std::map<std::string, std::pair<std::vector<int64_t>, std::string>> tensorsOf(const std::string &path) {
  std::map<std::string, std::pair<std::vector<int64_t>, std::string>> tensors;
  chimera::io::Result<chimera::io::Checkpoint> file = chimera::io::Checkpoint::open(path);
  EXPECT_TRUE(bool(file)) << path;
  if (file)
    for (const auto &[name, stored] : file->tensors()) {
      tensors[name] = {stored.shape, std::string(stored.bytes, '\0')};
      EXPECT_TRUE(bool(stored.read(0, stored.elements(), tensors[name].second.data()))) << path;
    }
  return tensors;
}

// The loss does not depend on the norm and the convolution of a layer that only skips. Inference reads the norm all the
// same: it fills the convolution's cache.
TEST_P(CompiledTraining, KeepsWhatTheLossDoesNotDependOn) {
  json config = json::parse(readFile(file("config.json")));
  config["vocab_size"] = 256; // chimera-run's prompt is bytes.
  config["modes"] = {{"ssm", "full"}, json::array({"identity"})};
  config["intermediate_size"] = 0;
  config["training"]["checkpoint"]["every"] = 1;
  std::filesystem::create_directory(file("model"));
  writeFile(file("model/config.json"), config.dump());
  ASSERT_EQ(runProcess({CHIMERA_INIT, file("model"), "-o", file("model/model.safetensors"), "--seed", "3"}).status, 0);
  auto run = [&](const std::string &out, const std::vector<std::string> &more) {
    std::vector<std::string> all = {CHIMERA_TRAIN, file("model"), "--data",  "mqar:pairs=2,keys=4",
                                    "--out",       file(out),     "--steps", "2",
                                    "--batch",     "8",           "--seq",   "16",
                                    "--target",    GetParam(),    "--seed",  "3",
                                    "--dtype",     "bf16"};
    all.insert(all.end(), more.begin(), more.end());
    ProcessResult result = runProcess(all, 300);
    ASSERT_EQ(result.status, 0) << result.describe();
  };

  // Every tensor has a gradient but the router's bias; that of what does not matter is zeros.
  const std::vector<std::string> unread = {"layers.1.input_norm.weight", "layers.1.token_conv.weight",
                                           "layers.1.token_conv.bias"};
  auto initial = tensorsOf(file("model"));
  run("out", {"--gradients", file("g.safetensors")});
  auto gradients = tensorsOf(file("g.safetensors"));
  EXPECT_EQ(gradients.size(), initial.size() - 1);
  for (const auto &[name, tensor] : gradients) {
    EXPECT_EQ(tensor.first, initial[name].first) << name;
    bool zero = tensor.second.find_first_not_of('\0') == std::string::npos;
    EXPECT_EQ(zero, std::count(unread.begin(), unread.end(), name) == 1) << name;
  }

  // The trained model has them as they were, whether from the directory, from the seed or through a checkpoint.
  run("out", {});
  auto trained = tensorsOf(file("out"));
  EXPECT_EQ(trained.size(), initial.size() + 1); // The balancer's average.
  for (const auto &[name, tensor] : initial)
    EXPECT_EQ(trained[name].first, tensor.first) << name;
  for (const std::string &name : unread)
    EXPECT_TRUE(trained[name].second == initial[name].second) << name;
  std::filesystem::remove_all(file("out/checkpoints/step-00000002"));
  std::string model = readFile(file("out/model.safetensors"));
  run("out", {"--resume"});
  EXPECT_TRUE(readFile(file("out/model.safetensors")) == model) << "the resumed run has other bits";
  std::filesystem::remove(file("model/model.safetensors"));
  run("seed", {});
  EXPECT_TRUE(readFile(file("seed/model.safetensors")) == model) << "the seed makes other weights";

  ProcessResult compiled =
      runProcess({CHIMERA_COMPILE, file("out"), "-o", file("m.chm"), std::string("--target=") + GetParam()}, 300);
  ASSERT_EQ(compiled.status, 0) << compiled.describe();
  ProcessResult ran = runProcess(
      {CHIMERA_RUN, file("m.chm"), "--weights", file("out"), "--prompt", "\x01\x02", "--max-new-tokens", "2"});
  EXPECT_EQ(ran.status, 0) << ran.describe();
}

// The compiler that is stopped leaves nothing, and the run that follows is as if there had been none.
TEST_P(CompiledTraining, ASignalWhileTheProgramsAreCompiledLeavesNothing) {
  ASSERT_EQ(train("whole").status, 0);
  int stopped = 0;
  for (int attempt = 0; attempt < 8; ++attempt) {
    pid_t child = startProcess(runs.command("out"), "/dev/null", file("said"));
    std::this_thread::sleep_for(std::chrono::milliseconds(60 + 40 * attempt));
    ::kill(child, attempt % 2 ? SIGINT : SIGTERM);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
    if (WEXITSTATUS(status) == 0)
      break; // The moments to come are later: steps are done.
    std::string said = readFile(file("said"));
    EXPECT_NE(said.find(" before the first step; nothing was trained or saved\n"), std::string::npos) << said;
    ++stopped;
    for (const std::string &name : namesIn(file("out")))
      EXPECT_EQ(name.find(".part"), std::string::npos) << name;
  }
  EXPECT_GE(stopped, 1);
  ProcessResult last = train("out", {"--resume"});
  ASSERT_EQ(last.status, 0) << last.describe();
  EXPECT_EQ(readFile(file("out/model.safetensors")), readFile(file("whole/model.safetensors")));
}

// A cache of programs that were made for another kind of CPU.
TEST(CompiledPrograms, ThoseOfAnotherCpuAreMadeAgain) {
  CompiledRun runs({{"checkpoint", {{"every", 2}}}}, 4, "cpu");
  ASSERT_EQ(runs.run("out").status, 0);
  std::string path = runs.file("out/" + runs.binaryOf("out")), good = readFile(path);
  ProcessResult other = runProcess({CHIMERA_COMPILE, runs.file("config.json"), "-o", path, "--phases=train",
                                    "--target=cpu", "--max-tokens=128", "--max-seqs=8", "--mcpu=amx-bf16"},
                                   300);
  ASSERT_EQ(other.status, 0) << other.describe();
  std::filesystem::remove_all(runs.file("out/checkpoints/step-00000004"));
  ProcessResult result = runs.run("out", {"--resume"});
  ASSERT_EQ(result.status, 0) << result.describe();
  if (result.err.find("warning: ") == std::string::npos)
    GTEST_SKIP() << "this machine has what amx-bf16 needs";
  EXPECT_NE(result.err.find("warning: the compiled programs cannot be used and are made again: "), std::string::npos)
      << result.err;
  EXPECT_EQ(readFile(path), good);
}

// Bits are promised for an instruction set; a run that goes on with another says so.
TEST(CompiledPrograms, OtherKernelsAreTold) {
  CompiledRun runs({{"checkpoint", {{"every", 2}}}}, 4, "cpu");
  ASSERT_EQ(runs.run("out", {"--mcpu", "avx2"}).status, 0);
  std::filesystem::remove_all(runs.file("out/checkpoints/step-00000004"));
  std::vector<std::string> command = runs.command("out", {"--resume"});
  std::replace(command.begin(), command.end(), std::string("cpu"), std::string("ref"));
  ProcessResult result = runProcess(command, 300);
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.err.find("warning: the kernels are '\"ref x86-64-v3\"' now, they were '\"cpu avx2\"'"),
            std::string::npos)
      << result.err;
}

INSTANTIATE_TEST_SUITE_P(Targets, CompiledTraining, testing::Values("ref", "cpu"));

/// GPU kernels that run as code of the CPU.
TEST(CompiledTrainingOnSim, LeavesTheWeightsThatRefLeavesAlsoWhenItIsKilled) {
  json saving = training;
  saving["routing"] = "soft@0.2,hard@0.9";
  saving["checkpoint"] = {{"every", 1}, {"keep", 8}};
  const std::vector<std::string> more = {"--accumulate", "2"}, resume = {"--accumulate", "2", "--resume"};
  CompiledRun ref(saving, 6, "ref"), sim(saving, 6, "sim");
  for (const CompiledRun *run : {&ref, &sim}) {
    ProcessResult result = run->run("out", more);
    ASSERT_EQ(result.status, 0) << result.describe();
  }
  EXPECT_TRUE(readFile(sim.file("out/model.safetensors")) == readFile(ref.file("out/model.safetensors")));
  for (int step : {1, 3, 6}) {
    std::string moments = "out/checkpoints/step-0000000" + std::to_string(step) + "/optimizer.safetensors";
    EXPECT_TRUE(readFile(sim.file(moments)) == readFile(ref.file(moments))) << step;
  }

  sim.shareBinary("out", "killed");
  int killed = 0;
  for (int attempt = 0; attempt < 6; ++attempt) {
    pid_t child = startProcess(sim.command("killed", resume), "/dev/null", sim.file("said"));
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + 10 * attempt));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    killed += WIFSIGNALED(status);
  }
  EXPECT_GE(killed, 1);
  ProcessResult last = sim.run("killed", resume);
  ASSERT_EQ(last.status, 0) << last.describe();
  EXPECT_EQ(sim.difference("out", "killed"), "");
}

} // namespace
