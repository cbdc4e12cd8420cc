// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-train under mpirun.
#include "test/chimera-train/ErrorLines.h"
#include "test/chimera-train/ToyRun.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace {

using namespace chimera::test;
using nlohmann::json;

class TrainRanks : public ToyRun {
protected:
  void SetUp() override {
#ifdef CHIMERA_MPIRUN
    std::filesystem::copy_file(CHIMERA_MPI_PLUGIN, file("chimera_mpi.so"));
    configure({{"routing", "soft@0.25,hard@0.75"},
               {"evaluation",
                { {"every", 5},
                  {"sequences", 6} }},
               { "checkpoint",
                 { {"every", 5} } }});
#else
    GTEST_SKIP() << "built without MPI, or mpirun is not installed";
#endif
  }
  /// Runs a command on each rank, of which those in a row that are alike may be given as one.
  static ProcessResult runCommands(const std::vector<std::pair<int, std::vector<std::string>>> &commands) {
    std::vector<std::string> all;
#ifdef CHIMERA_MPIRUN
    // What OpenMPI itself leaks is no concern of these tests.
    all = {"env", "ASAN_OPTIONS=detect_leaks=0", CHIMERA_MPIRUN, "--allow-run-as-root", "--oversubscribe", "--bind-to",
           "none"};
#endif
    for (size_t i = 0; i < commands.size(); ++i) {
      if (i > 0)
        all.push_back(":");
      all.insert(all.end(), {"-np", std::to_string(commands[i].first)});
      all.insert(all.end(), commands[i].second.begin(), commands[i].second.end());
    }
    return runProcess(all, 100);
  }
  ProcessResult runRanks(int ranks, const std::string &out, int steps,
                         const std::vector<std::string> &more = {}) const {
    return runCommands({{ranks, command(out, steps, more)}});
  }
  /// Two ranks, the second with other arguments: one line with `text` in it.
  void expectMismatch(const std::vector<std::string> &first, const std::vector<std::string> &second,
                      const std::string &text) const {
    ProcessResult result = runCommands({{1, command("out", 5, first)}, {1, command("out", 5, second)}});
    EXPECT_FALSE(result.timedOut);
    EXPECT_EQ(result.status, 1) << result.describe();
    ASSERT_EQ(errorLines(result.err).size(), 1u) << result.err;
    EXPECT_NE(errorLines(result.err)[0].find(text), std::string::npos) << errorLines(result.err)[0];
    EXPECT_FALSE(std::filesystem::exists(file("out"))) << "nothing was begun";
  }
};

TEST_F(TrainRanks, HaveTheBitsOfOne) {
  ASSERT_EQ(run("one", 12, {"--accumulate", "2"}).status, 0);
  for (int ranks : {2, 4}) {
    std::string out = "ranks" + std::to_string(ranks);
    ProcessResult result = runRanks(ranks, out, 12, {"--accumulate", "2"});
    ASSERT_EQ(result.status, 0) << result.describe();
    EXPECT_EQ(content("one", "model.safetensors"), content(out, "model.safetensors")) << ranks;
    std::vector<json> expected = log("one"), found = log(out);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 1; i < found.size(); ++i)
      for (const char *key : {"loss", "norm", "layers", "hard", "soft", "classes"})
        EXPECT_EQ(found[i].value(key, json()), expected[i].value(key, json())) << ranks << " " << i << " " << key;
  }
}

TEST_F(TrainRanks, ResumeWithAnotherNumber) {
  ASSERT_EQ(run("one", 12).status, 0);
  ASSERT_EQ(runRanks(2, "two", 12).status, 0);
  std::filesystem::remove_all(file("two/checkpoints/step-00000012"));
  ProcessResult result = run("two", 12, {"--resume"});
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.err.find("going on after step 10"), std::string::npos) << result.err;
  EXPECT_EQ(content("one", "model.safetensors"), content("two", "model.safetensors"));
}

TEST_F(TrainRanks, OneEncodesTheTexts) {
  json model = {{"type", "BPE"}, {"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}, {" ", 3}}}, {"merges", {"a b"}}};
  writeFile(file("model/tokenizer.json"), json{{"version", "1.0"}, {"model", model}}.dump());
  std::string text;
  for (int i = 0; i < 200; ++i)
    text += i * i % 7 < 3 ? "ab" : i % 3 ? "a " : "ba";
  writeFile(file("t.txt"), text);
  auto words = [&](const std::string &out) {
    std::vector<std::string> all = command(out, 5);
    std::replace(all.begin(), all.end(), std::string("copy:data=2,symbols=3"), file("t.txt"));
    return all;
  };
  ASSERT_EQ(runProcess(words("one"), 60).status, 0);
  ProcessResult result = runCommands({{2, words("two")}});
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(content("one", "model.safetensors"), content("two", "model.safetensors"));
  EXPECT_EQ(content("one", "tokenizer.json"), content("two", "tokenizer.json"));
  writeFile(file("t.txt"), text + "\xFF");
  result = runCommands({{2, words("bad")}});
  EXPECT_FALSE(result.timedOut);
  EXPECT_EQ(result.status, 1) << result.describe();
  ASSERT_EQ(errorLines(result.err).size(), 1u) << result.err;
}

TEST_F(TrainRanks, MixAlike) {
  std::string text;
  for (int i = 0; i < 801; ++i)
    text += char(i * i % 11);
  writeFile(file("t.txt"), text);
  const std::vector<std::string> more = {"--data", "2@" + file("t.txt")};
  ASSERT_EQ(run("one", 6, more).status, 0);
  ProcessResult result = runRanks(2, "two", 6, more);
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(content("one", "model.safetensors"), content("two", "model.safetensors"));
  EXPECT_EQ(log("one").back()["sources"], log("two").back()["sources"]);
}

TEST_F(TrainRanks, FailTogether) {
  ProcessResult result = runRanks(2, "out", 5, {"--routing", "warm"});
  EXPECT_NE(result.status, 0);
  EXPECT_FALSE(result.timedOut);
  EXPECT_NE(result.err.find("key 'training.routing'"), std::string::npos) << result.err;
  writeFile(file("fail"), "");
  result = runRanks(2, "out", 5);
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_FALSE(result.timedOut) << "only the first rank sees what the compiler says";
  EXPECT_EQ(errorLines(result.err),
            std::vector<std::string>{"chimera-train: chimera-compile: error: it does not compile"})
      << result.err;
}

TEST_F(TrainRanks, AgreeBeforeTheyStart) {
  expectMismatch({}, {"--seed", "1"}, "chimera-train: rank 1: '--seed' is '0' on rank 0 and '1' on this one");
  expectMismatch({"--gradients", file("g")}, {}, "'--gradients' is ");
  expectMismatch({}, {"--resume"}, "'--resume' is 'false' on rank 0 and 'true' on this one");
  // Data of the same size, and other steps.
  std::string bytes(2000, '\1');
  writeFile(file("one.bin"), bytes);
  bytes[1000] = '\2';
  writeFile(file("two.bin"), bytes);
  std::filesystem::create_directory(file("node"));
  std::vector<std::vector<std::string>> commands;
  for (const char *folder : {"one.bin", "two.bin"}) {
    // Each rank in a folder of its own, as nodes with disks of their own.
    std::string place = file(std::string("node/") + folder);
    std::filesystem::create_directory(place);
    std::vector<std::string> all = {"sh", "-c", "cd " + place + " && cp " + file(folder) + " data.bin && exec \"$@\"",
                                    "sh"};
    std::vector<std::string> words = command("out", 5);
    std::replace(words.begin(), words.end(), std::string("copy:data=2,symbols=3"), std::string("data.bin"));
    all.insert(all.end(), words.begin(), words.end());
    commands.push_back(all);
  }
  ProcessResult result = runCommands({{1, commands[0]}, {1, commands[1]}});
  EXPECT_EQ(result.status, 1) << result.describe();
  ASSERT_EQ(errorLines(result.err).size(), 1u) << result.err;
  EXPECT_NE(errorLines(result.err)[0].find("'the content of the data' is "), std::string::npos) << result.err;
  result = runCommands({{1, command("out", 5)}, {1, command("out", 4)}});
  EXPECT_FALSE(result.timedOut);
  EXPECT_EQ(result.status, 1) << result.describe();
  ASSERT_EQ(errorLines(result.err).size(), 1u) << result.err;
  EXPECT_NE(errorLines(result.err)[0].find("'--steps' is '5' on rank 0 and '4' on this one"), std::string::npos)
      << result.err;
}

TEST_F(TrainRanks, OneThatIsKilledEndsTheOthers) {
  std::vector<std::string> dying = {"sh", "-c", "\"$@\" & sleep 3; kill -9 $!; wait $!", "sh"};
  std::vector<std::string> words = command("out", 100000000, {"--checkpoint-every", "0", "--eval-every", "0"});
  dying.insert(dying.end(), words.begin(), words.end());
  ProcessResult result = runCommands({{1, words}, {1, dying}});
  EXPECT_FALSE(result.timedOut);
  EXPECT_NE(result.status, 0);
}

TEST_F(TrainRanks, AreOneWriterOfTheFolder) {
  ASSERT_EQ(runRanks(2, "out", 5).status, 0);
  ProcessResult result = runRanks(2, "out", 5);
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_EQ(errorLines(result.err),
            std::vector<std::string>{"chimera-train: '" + file("out") +
                                     "': holds the checkpoints of a run; --resume goes on with it"});
  EXPECT_EQ(runRanks(2, "out", 5, {"--resume"}).status, 0);
}

} // namespace
