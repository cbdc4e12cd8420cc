// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The life of a run of chimera-train: who writes its folder, what it may be gone on with, how signals end it.
#include "test/chimera-train/ToyRun.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace chimera::test;
using nlohmann::json;
namespace filesystem = std::filesystem;

class RunLife : public ToyRun {
protected:
  /// Waits for something, at most 30 seconds.
  static void waitUntil(const std::function<bool()> &isThere) {
    for (int i = 0; i < 3000; ++i) {
      if (isThere())
        return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "it does not come";
  }
  /// Lines of a file; 0 if it is not there.
  static int linesOf(const std::string &path) {
    std::ifstream file(path);
    return countLines(std::string((std::istreambuf_iterator<char>(file)), {}));
  }
  /// Starts a long run and waits for its first steps.
  pid_t startRun(const std::string &out, const std::vector<std::string> &more = {},
                 const std::string &checkpointEvery = "0") const {
    std::vector<std::string> all = {"--checkpoint-every", checkpointEvery, "--eval-every", "0"};
    all.insert(all.end(), more.begin(), more.end());
    pid_t child = startProcess(command(out, 1000000, all), "/dev/null", file("said"));
    waitUntil([&] { return linesOf(file(out + "/log.jsonl")) > 3; });
    return child;
  }
  /// Waits for a child; its exit status, 128 + n after signal n.
  static int statusOf(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  /// Runs on files instead of a generator.
  ProcessResult runOn(const std::string &data, const std::string &out, int steps,
                      const std::vector<std::string> &more = {}) const {
    std::vector<std::string> all = command(out, steps, more);
    std::replace(all.begin(), all.end(), std::string("copy:data=2,symbols=3"), data);
    return runProcess(all, 60);
  }
  /// A text of ids below the toy's vocabulary.
  static std::string text(int factor) {
    std::string bytes(3000, '\0');
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = char(i * i * size_t(factor) % 11);
    return bytes;
  }
  /// The one compiled file of a run.
  std::string binaryOf(const std::string &out) const {
    for (const auto &entry : filesystem::directory_iterator(file(out)))
      if (entry.path().extension() == ".chm")
        return entry.path().string();
    ADD_FAILURE() << "no compiled programs";
    return "";
  }
  /// Makes the compiler of the tests say its number and then take a minute, during which a file is half written.
  void makeTheCompilerSlow() const {
    writeFile(file("chimera-compile"), "#!/bin/sh\necho $$ > " + file("number") + "\nexec sleep 60\n");
  }
  pid_t compilersNumber() const {
    waitUntil([&] { return linesOf(file("number")) > 0; });
    return std::stoi(readFile(file("number")));
  }
  /// Whether a process is there; one that has ended and that nobody has waited for is not.
  static bool isRunning(pid_t process) {
    std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
    std::string line;
    if (!std::getline(stat, line))
      return false;
    return line.substr(line.rfind(')') + 2, 1) != "Z";
  }
};

TEST_F(RunLife, AFolderHasOneWriter) {
  pid_t first = startRun("out");
  for (const std::vector<std::string> &more : {std::vector<std::string>{}, {"--resume"}, {"--seed", "7"}})
    expectError(run("out", 5, more), 1,
                "chimera-train: '" + file("out") + "': another run is writing here, process " + std::to_string(first));
  ::kill(first, SIGTERM);
  EXPECT_EQ(statusOf(first), 0);
  std::vector<json> lines = log("out");
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(), [](const json &line) { return line["kind"] == "run"; }), 1);
  for (size_t i = 1; i < lines.size(); ++i)
    EXPECT_EQ(lines[i]["step"], i) << "the steps of one run";
}

TEST_F(RunLife, ALockOfADeadProcessStopsNobody) {
  pid_t first = startRun("out", {}, "2");
  ::kill(first, SIGKILL);
  statusOf(first);
  pid_t second = startProcess(command("out", 1000000, {"--checkpoint-every", "2", "--eval-every", "0", "--resume"}),
                              "/dev/null", file("said"));
  waitUntil([&] { return readFile(file("said")).find("going on after step ") != std::string::npos; });
  int before = linesOf(file("out/log.jsonl"));
  waitUntil([&] { return linesOf(file("out/log.jsonl")) > before; }); // before its first step there is nothing to save
  ::kill(second, SIGTERM);
  EXPECT_EQ(statusOf(second), 0) << readFile(file("said"));
}

TEST_F(RunLife, AFolderThatWasReplacedIsLeftToTheOther) {
  pid_t first = startRun("out");
  filesystem::rename(file("out"), file("gone"));
  ASSERT_EQ(run("out", 3).status, 0) << "it is another folder";
  std::string model = content("out", "model.safetensors");
  ::kill(first, SIGTERM);
  EXPECT_EQ(statusOf(first), 1);
  EXPECT_NE(readFile(file("said")).find("was removed or replaced while this run wrote there"), std::string::npos);
  EXPECT_EQ(content("out", "model.safetensors"), model);
}

TEST_F(RunLife, ALogWithoutCheckpointsIsKept) {
  pid_t first = startRun("out");
  ::kill(first, SIGKILL);
  statusOf(first);
  std::string before = content("out", "log.jsonl");
  ProcessResult second = run("out", 3);
  ASSERT_EQ(second.status, 0) << second.describe();
  EXPECT_NE(second.err.find("log.jsonl was of a run that left no checkpoint; it is kept as " + file("out/log-1.jsonl")),
            std::string::npos)
      << second.err;
  EXPECT_EQ(content("out", "log-1.jsonl"), before);
  EXPECT_EQ(log("out").size(), 1u + 3 + 1);
}

TEST_F(RunLife, ATrainedModelWithoutCheckpointsIsNotReplaced) {
  ASSERT_EQ(run("out", 3).status, 0);
  filesystem::remove_all(file("out/checkpoints"));
  std::string model = content("out", "model.safetensors");
  expectError(run("out", 3), 1, "holds a trained model without checkpoints");
  ProcessResult resumed = run("out", 3, {"--resume"});
  EXPECT_EQ(resumed.status, 1) << resumed.describe();
  EXPECT_EQ(content("out", "model.safetensors"), model);
  // To go on in the folder of the model is what was asked for.
  std::vector<std::string> inPlace = command("out", 3);
  std::replace(inPlace.begin(), inPlace.end(), file("model"), file("out"));
  ProcessResult result = runProcess(inPlace, 60);
  EXPECT_EQ(result.status, 0) << result.describe();
}

TEST_F(RunLife, WhatKilledProcessesLeftIsRemoved) {
  ASSERT_EQ(run("out", 3).status, 0);
  for (const char *name : {"model.safetensors.tmp-1-0", "training.html.tmp-12-3", "train-00.chm.1234.part"})
    writeFile(file(std::string("out/") + name), "half");
  writeFile(file("out/notes.tmp-1-0"), "the user's");
  filesystem::create_directory(file("out/checkpoints/.writing-1"));
  ASSERT_EQ(run("out", 3, {"--resume"}).status, 0);
  for (const char *name :
       {"model.safetensors.tmp-1-0", "training.html.tmp-12-3", "train-00.chm.1234.part", "checkpoints/.writing-1"})
    EXPECT_FALSE(filesystem::exists(file(std::string("out/") + name))) << name;
  EXPECT_TRUE(filesystem::exists(file("out/notes.tmp-1-0")));
}

TEST_F(RunLife, OtherDataOfTheSameSizeAreRefused) {
  writeFile(file("data.bin"), text(1));
  ASSERT_EQ(runOn(file("data.bin"), "out", 4).status, 0);
  ASSERT_EQ(runOn(file("data.bin"), "out", 4, {"--resume"}).status, 0);
  writeFile(file("data.bin"), text(2));
  expectError(runOn(file("data.bin"), "out", 4, {"--resume"}), 1,
              "a checkpoint of another run: 'the content of the data' is ");
}

TEST_F(RunLife, OtherStartWeightsAreRefused) {
  ASSERT_EQ(run("out", 4).status, 0);
  filesystem::copy_file(file("out/model.safetensors"), file("model/model.safetensors"),
                        filesystem::copy_options::overwrite_existing);
  expectError(run("out", 4, {"--resume"}), 1, "a checkpoint of another run: 'the start weights' is ");
}

TEST_F(RunLife, ABinaryThatCannotBeUsedIsMadeAgain) {
  ASSERT_EQ(run("out", 4).status, 0);
  std::string binary = binaryOf("out"), good = readFile(binary);
  std::string changed = good;
  changed[changed.size() / 2] ^= 1;
  int asked = 1;
  for (const std::string &bad : {std::string(), good.substr(0, 1000), changed, std::string("another program's\n")}) {
    writeFile(binary, bad);
    ProcessResult result = run("out", 4, {"--resume"});
    EXPECT_EQ(result.status, 0) << result.describe();
    size_t warning = result.err.find("chimera-train: warning: the compiled programs cannot be used and are made again");
    EXPECT_NE(warning, std::string::npos) << result.err;
    EXPECT_EQ(result.err.find("warning: ", warning + 20), std::string::npos) << "one warning: " << result.err;
    EXPECT_EQ(readFile(binary), good);
    EXPECT_EQ(linesOf(file("compiled")), ++asked);
  }
}

TEST_F(RunLife, AFinishedRunCanBeGivenMoreSteps) {
  const json training = {{"optimizer", {{"lr", 0.01}}}, {"checkpoint", {{"every", 3}}}};
  configure(training);
  for (const char *out : {"one", "two"})
    ASSERT_EQ(run(out, 4).status, 0);
  ProcessResult more = run("one", 9, {"--resume"});
  ASSERT_EQ(more.status, 0) << more.describe();
  EXPECT_NE(more.err.find("warning: the run has '9' steps now, it had '4'"), std::string::npos) << more.err;
  EXPECT_NE(more.err.find("going on after step 4"), std::string::npos) << more.err;
  // The log has a line of settings where they change, and goes on counting.
  std::vector<json> lines = log("one"), runs;
  std::copy_if(lines.begin(), lines.end(), std::back_inserter(runs),
               [](const json &line) { return line["kind"] == "run"; });
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[1]["step"], 4);
  EXPECT_EQ(runs[1]["steps"], 9);
  EXPECT_EQ(lines.back()["step"], 9);
  // Interrupted after that, it ends with the same bits, and nothing is new any more.
  ASSERT_EQ(run("two", 9, {"--resume"}).status, 0);
  filesystem::remove_all(file("two/checkpoints/step-00000009"));
  ProcessResult again = run("two", 9, {"--resume"});
  ASSERT_EQ(again.status, 0) << again.describe();
  EXPECT_EQ(again.err.find("warning"), std::string::npos) << again.err;
  EXPECT_NE(again.err.find("going on after step 6"), std::string::npos) << again.err;
  EXPECT_EQ(content("one", "model.safetensors"), content("two", "model.safetensors"));
}

TEST_F(RunLife, SaysWhatItTakesFromTheModelThatItGoesOnWith) {
  configure({{"routing", "soft"}, {"optimizer", {{"lr", 0.02}, {"clip", 0.5}}}, {"checkpoint", {{"every", 2}}}});
  ProcessResult result = run("out", 2, {"--lr", "0.5"});
  ASSERT_EQ(result.status, 0) << result.describe();
  const std::string expected = "checkpoint.every 2, optimizer.clip 0.5, routing \"soft\"";
  EXPECT_NE(result.err.find("settings of the model that is gone on with, from its config.json: " + expected + "\n"),
            std::string::npos)
      << result.err;
  EXPECT_EQ(log("out")[0]["settings_of_model"], expected);
  filesystem::remove(file("model/model.safetensors"));
  result = run("new", 2);
  EXPECT_EQ(result.err.find("settings of the model"), std::string::npos) << "a config alone is the user's";
}

TEST_F(RunLife, MessagesCountStepsAsTheLogDoes) {
  configure({{"optimizer", {{"lr", 1e300}}}, {"schedule", {{"kind", "constant"}, {"warmup", 0}}}});
  ProcessResult result = run("out", 4);
  ASSERT_EQ(result.status, 1) << result.describe();
  int64_t last = log("out").back()["step"];
  EXPECT_NE(result.err.find("chimera-train: step " + std::to_string(last + 1) + ": "), std::string::npos)
      << "after the log's step " << last << ": " << result.err;
}

TEST_F(RunLife, ASignalWhileCompilingEndsTheCompilerToo) {
  makeTheCompilerSlow();
  for (auto [signal, name] :
       {std::pair(SIGTERM, "SIGTERM"), std::pair(SIGINT, "SIGINT"), std::pair(SIGHUP, "SIGHUP")}) {
    filesystem::remove(file("number"));
    pid_t child = startProcess(command("out", 5), "/dev/null", file("said"));
    pid_t compiler = compilersNumber();
    ::kill(child, signal);
    EXPECT_EQ(statusOf(child), 1);
    EXPECT_EQ(readFile(file("said")), std::string("chimera-train: stopped by ") + name +
                                          " before the first step; nothing was trained or saved\n");
    EXPECT_FALSE(isRunning(compiler));
  }
}

TEST_F(RunLife, TheCompilerEndsWithAKilledRun) {
  makeTheCompilerSlow();
  pid_t child = startProcess(command("out", 5), "/dev/null", "/dev/null");
  pid_t compiler = compilersNumber();
  ::kill(child, SIGKILL);
  statusOf(child);
  waitUntil([&] { return !isRunning(compiler); });
}

TEST_F(RunLife, ASecondSignalEndsItAtOnce) {
  // Compilers that do not listen.
  writeFile(file("chimera-compile"),
            "#!/bin/sh\ntrap '' TERM\necho $$ > " + file("number") + "\nfor i in 1 2 3 4 5 6; do sleep 1; done\n");
  pid_t child = startProcess(command("out", 5), "/dev/null", file("said"));
  compilersNumber();
  ::kill(child, SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  ::kill(child, SIGTERM);
  EXPECT_EQ(statusOf(child), 1);
  EXPECT_EQ(readFile(file("said")),
            "chimera-train: ended at once by a second signal; --resume goes on from the last checkpoint\n");
}

TEST_F(RunLife, ATerminalThatGoesAwayStopsARunAndNohupKeepsIt) {
  pid_t child = startRun("out");
  ::kill(child, SIGHUP);
  EXPECT_EQ(statusOf(child), 0) << readFile(file("said"));
  EXPECT_TRUE(filesystem::exists(file("out/model.safetensors")));

  std::vector<std::string> ignoring = {"env", "--ignore-signal=HUP"};
  for (const std::string &word : command("more", 1000000, {"--checkpoint-every", "0", "--eval-every", "0"}))
    ignoring.push_back(word);
  child = startProcess(ignoring, "/dev/null", file("said"));
  waitUntil([&] { return linesOf(file("more/log.jsonl")) > 3; });
  ::kill(child, SIGHUP);
  int lines = linesOf(file("more/log.jsonl"));
  waitUntil([&] { return linesOf(file("more/log.jsonl")) > lines + 10; });
  ::kill(child, SIGTERM);
  EXPECT_EQ(statusOf(child), 0);
}

TEST_F(RunLife, AReaderThatGoesAwayEndsNothing) {
  std::string line;
  for (const std::string &word : command("out", 30, {"--log-every", "1"}))
    line += "'" + word + "' ";
  ProcessResult result = runProcess({"sh", "-c", line + " 2>&1 | head -n 1"}, 60);
  EXPECT_EQ(countLines(result.out), 1) << result.out;
  EXPECT_TRUE(filesystem::exists(file("out/model.safetensors")));
  EXPECT_EQ(log("out").back()["step"], 30);
}

} // namespace
