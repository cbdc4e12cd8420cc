// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole runs of chimera-train.
#include "test/chimera-train/ToyRun.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <thread>

namespace {

using namespace chimera::test;
using nlohmann::json;

class TrainRun : public ToyRun {
protected:
  /// Waits until the log has `lines` lines, at most 30 seconds.
  void waitForLog(const std::string &out, int lines) const {
    for (int i = 0; i < 3000; ++i) {
      std::ifstream log(file(out + "/log.jsonl"));
      std::string text((std::istreambuf_iterator<char>(log)), {});
      if (countLines(text) >= lines)
        return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "the run does not get on";
  }
  /// A log without the speeds, which differ from run to run.
  std::vector<json> timeless(const std::string &out) const {
    std::vector<json> lines = log(out);
    for (json &line : lines)
      line.erase("tokens_per_second");
    return lines;
  }
  void expectSameEnd(const std::string &one, const std::string &other) const {
    EXPECT_EQ(content(one, "model.safetensors"), content(other, "model.safetensors"));
    EXPECT_EQ(content(one, "config.json"), content(other, "config.json"));
  }
};

const json scheduled = {{"routing", "soft@0.25,hard@0.75"},
                        {"temperature", {{0, 1}, {0.5, 0.5}}},
                        {"budget",
                         {{"cap", {{0.1, 1}, {0.9, 0.1}}},
                          {"pause_gap", 0.5},
                          {"scope", "layer"},
                          {"hold_accuracy", 0.01},
                          {"restore", 0.1},
                          {"growth", 1.1}}},
                        {"floor", {{"ssm", 0.2}}},
                        {"switch_loss", 0.1},
                        {"entropy", 0.1},
                        {"evaluation", {{"every", 5}, {"sequences", 6}}},
                        {"checkpoint", {{"every", 7}, {"keep", 2}}}};

TEST_F(TrainRun, MakesAModelDirectory) {
  configure(scheduled);
  ProcessResult result = run("out", 20);
  ASSERT_EQ(result.status, 0) << result.describe();
  std::vector<json> lines = log("out");
  ASSERT_EQ(lines.size(), 1u + 20 + 4);
  EXPECT_EQ(lines[0]["kind"], "run");
  EXPECT_EQ(lines[1]["step"], 1);
  EXPECT_EQ(lines[1]["hard_share"], 0.0);
  EXPECT_EQ(lines[6]["kind"], "evaluation");
  EXPECT_EQ(lines[6]["step"], 5);
  EXPECT_TRUE(lines[6].contains("gap"));
  EXPECT_EQ(lines.back()["kind"], "evaluation") << "at the end";
  EXPECT_EQ(lines[lines.size() - 2]["hard_share"], 1.0);
  for (const json &line : lines)
    if (line["kind"] == "step") {
      EXPECT_EQ(line["layers"].size(), 1u) << "one layer routes";
      double sum = 0;
      for (double share : line["layers"][0]["wanted"])
        sum += share;
      EXPECT_NEAR(sum, 1, 1e-12);
    }
  EXPECT_EQ(json::parse(content("out", "config.json"))["router"]["temperature"], 0.5) << "the last one";
  EXPECT_GT(content("out", "model.safetensors").size(), 100u);
  EXPECT_NE(content("out", "training.html").find("\"finished\":true"), std::string::npos);
  std::vector<std::string> kept;
  for (const auto &entry : std::filesystem::directory_iterator(file("out/checkpoints")))
    kept.push_back(entry.path().filename());
  std::sort(kept.begin(), kept.end());
  EXPECT_EQ(kept, (std::vector<std::string>{"step-00000014", "step-00000020"}));
}

TEST_F(TrainRun, AProfileHasTheKernelsOfTheSteps) {
  ASSERT_EQ(run("out", 3, {"--profile"}).status, 0);
  std::istringstream text(content("out", "profile.txt"));
  std::string line;
  std::getline(text, line);
  EXPECT_EQ(line, "   ms a step  launches   share  program, op, kernel");
  double share = 0;
  std::vector<std::string> kernels;
  while (std::getline(text, line)) {
    double milliseconds = 0, launches = 0, percent = 0;
    char sign = 0;
    std::string program, op, kernel;
    std::istringstream fields(line);
    fields >> milliseconds >> launches >> percent >> sign >> program >> op >> kernel;
    EXPECT_EQ(sign, '%') << line;
    share += percent;
    if (program == "outside") {
      EXPECT_EQ(launches, 0) << line;
    } else {
      EXPECT_EQ(launches, kernel == "toy_update" ? 2 : 1) << line;
      EXPECT_EQ(program, kernel == "toy_update" || kernel == "toy_norm" ? "update" : "train_hard") << line;
    }
    kernels.push_back(kernel);
  }
  EXPECT_NEAR(share, 100, 0.05 * double(kernels.size()) + 1e-9);
  EXPECT_EQ(kernels.back(), "launches") << "outside of launches";
  std::sort(kernels.begin(), kernels.end());
  EXPECT_EQ(kernels, (std::vector<std::string>{"launches", "toy_head_grad", "toy_loss", "toy_norm", "toy_route",
                                               "toy_score", "toy_statistics", "toy_table_grad", "toy_update"}));
  ASSERT_EQ(run("plain", 1).status, 0);
  EXPECT_FALSE(std::filesystem::exists(file("plain/profile.txt")));
}

TEST_F(TrainRun, AsksTheCompilerOnce) {
  ASSERT_EQ(run("out", 1, {"--dtype", "f32", "--target", "ref", "--memory-limit", "1G"}).status, 0);
  std::string asked = readFile(file("compiled"));
  EXPECT_EQ(asked.find(file("model") + " -o " + file("out/train-")), 0u) << asked;
  EXPECT_NE(asked.find("--phases=train --target=ref --dtype=f32 --max-tokens=32 --max-seqs=4 --memory-limit=1G"),
            std::string::npos)
      << asked;
  ASSERT_EQ(run("out", 1, {"--target", "ref", "--memory-limit", "1G", "--resume"}).status, 0);
  EXPECT_EQ(readFile(file("compiled")), asked) << "the binary was there";
  ASSERT_EQ(run("out", 1, {"--target", "ref", "--memory-limit", "1G", "--gradients", file("g"), "--lr", "1"}).status,
            0);
  EXPECT_EQ(readFile(file("compiled")), asked) << "what the compiler does not read changes nothing";
  ASSERT_EQ(run("other", 1, {"--accumulate", "2"}).status, 0);
  EXPECT_EQ(countLines(readFile(file("compiled"))), 2);
}

TEST_F(TrainRun, RepeatsBitForBit) {
  configure(scheduled);
  ASSERT_EQ(run("one", 12).status, 0);
  ASSERT_EQ(run("two", 12, {"--threads", "2"}).status, 0);
  expectSameEnd("one", "two");
  EXPECT_TRUE(timeless("one") == timeless("two")) << "the logs differ";
  ASSERT_EQ(run("other", 12, {"--seed", "1"}).status, 0);
  EXPECT_NE(content("one", "model.safetensors"), content("other", "model.safetensors"));
}

TEST_F(TrainRun, ResumesAfterBeingStopped) {
  configure(scheduled);
  constexpr int steps = 20000;
  std::vector<std::string> more = {"--log-every", "500", "--eval-every", "5000", "--checkpoint-every", "0"};
  ASSERT_EQ(run("whole", steps, more).status, 0);
  int lines = 2, signal = SIGTERM;
  for (int part = 0; part < 2; ++part, signal = SIGINT) {
    pid_t child = startProcess(command("parts", steps, more), "/dev/null", "/dev/null");
    waitForLog("parts", lines);
    ::kill(child, signal);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0) << "stopping is no error";
    lines = countLines(content("parts", "log.jsonl")) + 2;
    if (part == 0)
      more.push_back("--resume");
  }
  ASSERT_LT(log("parts").back()["step"].get<int>(), steps) << "it was stopped in between";
  ProcessResult last = run("parts", steps, more);
  ASSERT_EQ(last.status, 0) << last.describe();
  expectSameEnd("whole", "parts");
  EXPECT_TRUE(timeless("whole") == timeless("parts")) << "the logs differ";
}

TEST_F(TrainRun, ResumesAfterBeingKilled) {
  configure(scheduled);
  constexpr int steps = 3000;
  const std::vector<std::string> rest = {"--checkpoint-every", "200", "--eval-every", "100", "--resume"};
  ASSERT_EQ(run("whole", steps, {"--checkpoint-every", "200", "--eval-every", "100"}).status, 0);
  for (int kill = 0; kill < 5; ++kill) {
    pid_t child = startProcess(command("parts", steps, rest), "/dev/null", "/dev/null");
    std::this_thread::sleep_for(std::chrono::milliseconds(30 + 40 * kill));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
  }
  ProcessResult last = run("parts", steps, rest);
  ASSERT_EQ(last.status, 0) << last.describe();
  expectSameEnd("whole", "parts");
  EXPECT_TRUE(timeless("whole") == timeless("parts")) << "the logs differ";
}

TEST_F(TrainRun, GoesOnFromAModelsWeights) {
  ASSERT_EQ(run("first", 5).status, 0);
  std::filesystem::copy_file(file("first/model.safetensors"), file("model/model.safetensors"),
                             std::filesystem::copy_options::overwrite_existing);
  ASSERT_EQ(run("second", 5).status, 0);
  EXPECT_NE(content("first", "model.safetensors"), content("second", "model.safetensors"));
  EXPECT_LT(log("second")[1]["loss"].get<double>(), log("first")[1]["loss"].get<double>());
}

TEST_F(TrainRun, AccumulatesMicroSteps) {
  ASSERT_EQ(run("out", 3, {"--accumulate", "4"}).status, 0);
  EXPECT_EQ(log("out").size(), 1u + 3 + 1);
}

TEST_F(TrainRun, WritesTheFirstGradients) {
  configure(scheduled);
  ProcessResult result = run("out", 9, {"--gradients", file("g.safetensors"), "--routing", "hard"});
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(readFile(file("g.safetensors")).find("\"table\""), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(file("out/log.jsonl"))) << "nothing is trained";
  EXPECT_FALSE(std::filesystem::exists(file("out/checkpoints")));
}

TEST_F(TrainRun, ReadsFiles) {
  std::string text(2000, '\3');
  for (size_t i = 0; i < text.size(); ++i)
    text[i] = char(i * i % 11);
  writeFile(file("text.bin"), text);
  std::vector<std::string> all = command("out", 5);
  std::replace(all.begin(), all.end(), std::string("copy:data=2,symbols=3"), file("*.bin"));
  ProcessResult result = runProcess(all, 60);
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(log("out")[0]["data"].get<std::string>().find("2000 tokens"), std::string::npos);
}

} // namespace
