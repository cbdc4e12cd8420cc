// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs of a compiled model that are killed: each resumes, and ends with the bits of a run that nothing interrupted.
#include "test/chimera-train/CompiledRun.h"
#include "test/support/Random.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sys/wait.h>
#include <thread>

namespace {

using namespace chimera::test;
using nlohmann::json;
using Seconds = std::chrono::duration<double>;
using Clock = std::chrono::steady_clock;

constexpr int totalSteps = 160, saveEvery = 3, evaluateEvery = 4;

const json training = {
    {"optimizer", {{"lr", 0.01}}},
    {"schedule", {{"warmup", 5}}},
    {"routing", "soft@0.2,hard@0.7"},
    {"temperature", {{0, 1}, {0.5, 0.5}}},
    {"budget",
     {{"cap", {{0.1, 1}, {0.9, 0.2}}}, {"pause_gap", 0.2}, {"hold_accuracy", 0.01}, {"restore", 0.1}, {"growth", 1.1}}},
    {"floor", {{"ssm", 0.1}}},
    {"evaluation", {{"every", evaluateEvery}, {"sequences", 48}}},
    {"checkpoint", {{"every", saveEvery}, {"keep", 2}}}};

/// What the kills hit, so that the test can tell that it tested something.
struct Kills {
  int made = 0, inSaving = 0, inEvaluation = 0, processesThatAdvanced = 0;
};

class KilledRun : public testing::Test {
protected:
  KilledRun() : runs(training, totalSteps, "cpu") {}

  std::string checkpoints() const { return runs.file("parts/checkpoints"); }

  /// The step of the newest checkpoint, 0 if there is none.
  int newest() const {
    int step = 0;
    for (const std::string &name : namesIn(checkpoints()))
      if (name.rfind("step-", 0) == 0)
        step = std::max(step, std::stoi(name.substr(5)));
    return step;
  }

  bool isSaving(pid_t child) const {
    return std::filesystem::exists(checkpoints() + "/.writing-" + std::to_string(child));
  }

  /// Whether the log's last line is of a step that an evaluation follows, and beyond `after`.
  bool isEvaluating(int after) const {
    std::ifstream file(runs.file("parts/log.jsonl"), std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    if (text.empty() || text.back() != '\n')
      return false;
    size_t begin = text.size() < 2 ? std::string::npos : text.rfind('\n', text.size() - 2);
    json line = json::parse(text.substr(begin == std::string::npos ? 0 : begin + 1));
    int step = line["step"];
    return line["kind"] == "step" && step > after && step % evaluateEvery == 0;
  }

  /// Stops the child at a moment at which `isThere` holds. False if it ended before, or within ten seconds did not get
  /// there.
  bool stopWhen(pid_t child, Random &random, const std::function<bool()> &isThere) const {
    for (Clock::time_point begin = Clock::now(); Clock::now() - begin < std::chrono::seconds(10);) {
      siginfo_t ended = {};
      if (::waitid(P_PID, id_t(child), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid != 0)
        return false;
      if (isThere()) {
        std::this_thread::sleep_for(Seconds(random.uniform(0, 1e-3)));
        ::kill(child, SIGSTOP);
        int status = 0;
        if (::waitid(P_PID, id_t(child), &ended, WSTOPPED | WEXITED | WNOWAIT) != 0 || ended.si_code != CLD_STOPPED)
          return false;
        ::waitpid(child, &status, WUNTRACED);
        if (isThere())
          return true;
        ::kill(child, SIGCONT);
      }
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return false;
  }

  /// Starts a process that goes on with the run and kills it at some moment. False if it ended by itself before.
  bool killOne(Random &random, Seconds longest, Kills &kills) {
    int before = newest();
    pid_t child = startProcess(runs.command("parts", {"--resume", "--threads", "1"}), "/dev/null", runs.file("said"));
    bool saving = false, evaluating = false;
    // Three of five at a random moment, one while a checkpoint is written, one during an evaluation.
    switch (random.below(5)) {
    case 0:
      saving = stopWhen(child, random, [&] { return isSaving(child) && newest() > before; });
      break;
    case 1:
      evaluating = stopWhen(child, random, [&] { return isEvaluating(before + saveEvery); });
      break;
    default:
      std::this_thread::sleep_for(random.uniform() * longest);
    }
    ::kill(child, SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    kills.processesThatAdvanced += newest() > before;
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0) << readFile(runs.file("said"));
      return false;
    }
    EXPECT_EQ(WTERMSIG(status), SIGKILL) << "it ended by a signal of its own";
    ++kills.made;
    kills.inSaving += saving;
    kills.inEvaluation += evaluating;
    return true;
  }

  /// Takes the run to its end, and compares it with the whole one.
  void finishAndCompare() {
    ProcessResult last = runs.run("parts", {"--resume"});
    ASSERT_EQ(last.status, 0) << last.describe();
    EXPECT_EQ(runs.difference("whole", "parts"), "");
  }

  CompiledRun runs;
};

TEST_F(KilledRun, EndsWithTheSameBitsAfterFiftyKills) {
  ASSERT_EQ(runs.run("binary", {"--gradients", runs.file("gradients")}).status, 0);
  runs.shareBinary("binary", "whole");
  runs.shareBinary("binary", "parts");
  Clock::time_point begin = Clock::now();
  ProcessResult whole = runs.run("whole", {"--threads", "1"});
  ASSERT_EQ(whole.status, 0) << whole.describe();
  // The time that a process needs to come to its first step, and then what makes fifty of them a run.
  constexpr int wanted = 50;
  Seconds longest = Seconds(0.03) + 2.0 / wanted * (Clock::now() - begin);

  Random random(17);
  Kills kills;
  for (int starts = 0; kills.made < wanted && starts < 3 * wanted && !HasFailure(); ++starts)
    if (!killOne(random, longest, kills)) {
      // It got to the end: another run takes the kills that are left.
      finishAndCompare();
      std::filesystem::remove_all(runs.file("parts"));
      runs.shareBinary("binary", "parts");
    }
  finishAndCompare();
  EXPECT_EQ(kills.made, wanted);
  EXPECT_GE(kills.inSaving, 5);
  EXPECT_GE(kills.inEvaluation, 5);
  EXPECT_GE(kills.processesThatAdvanced, 10);
  RecordProperty("killed_in_saving", kills.inSaving);
  RecordProperty("killed_in_evaluation", kills.inEvaluation);
  RecordProperty("processes_that_advanced", kills.processesThatAdvanced);
}

} // namespace
