// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What chimera-train says of bad input.
#include "test/chimera-train/ToyRun.h"

#include <filesystem>

namespace {

using namespace chimera::test;
using nlohmann::json;

class TrainError : public ToyRun {
protected:
  ProcessResult runWith(const std::vector<std::string> &words) const {
    std::vector<std::string> all = {file("chimera-train")};
    all.insert(all.end(), words.begin(), words.end());
    return runProcess(all, 60);
  }
};

TEST_F(TrainError, NamesMisuse) {
  std::vector<std::string> most = {file("model"), "--data", "copy", "--out", file("out"), "--batch", "4", "--seq", "8"};
  auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), most.begin(), most.end());
    return runWith(more);
  };
  expectError(runWith({}), 2, "model is required");
  expectError(runWith({file("model")}), 2, "is required");
  expectError(with({}), 2, "--steps is required");
  expectError(with({"--steps", "0"}), 2, "--steps");
  expectError(with({"--steps", "1.5"}), 2, "--steps");
  expectError(with({"--steps", "1", "--dtype", "f16"}), 2, "--dtype");
  expectError(with({"--steps", "1", "--seed", "x"}), 2, "--seed");
  expectError(with({"--steps", "1", "--lr", "-1"}), 2, "--lr");
  expectError(with({"--steps", "1", "--lr", "0,001"}), 2, "--lr: '0,001' is not a number > 0");
  for (const char *number : {"1", "-0.1", "nan", "inf", "0x1p-3", "0.1 ", "1e999", ""})
    expectError(with({"--steps", "1", "--held-out", number}), 2,
                std::string("--held-out: '") + number + "' is not a number >= 0 and < 1");
  for (const char *number : {"nan", "0x10", "1e3", "3 ", "4294967296"})
    expectError(with({"--steps", number}), 2,
                std::string("--steps: '") + number + "' is not a whole number from 1 to 2147483647");
  expectError(with({"--steps", "1", "--tokenizer", "words"}), 1, "words'");
  expectError(runWith({file("model"), "--data", file("t.txt"), "--out", file("out"), "--batch", "4", "--seq", "8",
                       "--steps", "1", "--held-out", "0", "--eval-every", "2"}),
              2, "--eval-every needs held-out sequences, of which --held-out 0 leaves none");
  expectError(with({"--steps", "1", "--rate", "1"}), 2, "--rate");
  expectError(with({"--steps", "1", "--resume", "--gradients", "g"}), 2, "--gradients excludes --resume");
  EXPECT_EQ(runWith({"--help"}).status, 0);
  EXPECT_EQ(runWith({"--version"}).status, 0);
}

TEST_F(TrainError, NamesBadConfigs) {
  configure({{"rate", 3}});
  expectError(run("out", 1), 1, "key 'training.rate': unknown");
  configure({{"optimizer", {{"lr", -1}}}});
  expectError(run("out", 1), 1, "key 'training.optimizer.lr': must be > 0");
  configure(3);
  expectError(run("out", 1, {"--lr", "1"}), 1, "key 'training': must be an object");
  configure(json::object());
  expectError(run("out", 1, {"--routing", "warm"}), 1, "key 'training.routing': 'warm'");
  writeFile(file("model/config.json"), "{\"model_type\": \"chimera\", \"vocab\": 3}");
  expectError(run("out", 1), 1, "key 'vocab': unknown");
  writeFile(file("model/config.json"), "{");
  expectError(run("out", 1), 1, "config.json: ");
  std::filesystem::remove(file("model/config.json"));
  expectError(run("out", 1), 1, "config.json'");
  EXPECT_FALSE(std::filesystem::exists(file("out"))) << "nothing was begun";
}

TEST_F(TrainError, NamesBadData) {
  auto withData = [&](const std::string &spec) {
    std::vector<std::string> all = command("out", 1);
    std::replace(all.begin(), all.end(), std::string("copy:data=2,symbols=3"), spec);
    return runProcess(all, 60);
  };
  expectError(withData("copy:data=9,symbols=3"), 1, "needs sequences of at least 18 tokens, has 8");
  expectError(withData("mqar"), 1, "needs a vocabulary of at least 84 ids, has 11");
  expectError(withData(file("none.txt")), 1, "none.txt'");
  writeFile(file("short.txt"), std::string(16, '\1'));
  expectError(withData(file("short.txt")), 1, "has 16 tokens and 1 windows of 9");
  writeFile(file("wide.txt"), std::string(100, '\1') + "\13");
  expectError(withData(file("wide.txt")), 1, "byte 11 at position 100 is outside the vocabulary of 11");
  expectError(withData(file("model")), 1, "is a folder; a pattern names its files");
  writeFile(file("pointer.txt"), "version https://git-lfs.github.com/spec/v1\n");
  expectError(withData(file("pointer.txt")), 1, "is a Git LFS pointer, not the file itself: run 'git lfs pull'");
  writeFile(file("model/vocab.txt"), "a");
  expectError(withData(file("short.txt")), 1,
              "the bytes of a text are not this model's tokens, for it has a tokenizer");
  std::filesystem::remove(file("model/vocab.txt"));
}

TEST_F(TrainError, NamesAConfigThatIsAnotherFile) {
  writeFile(file("model/config.json"), "version https://git-lfs.github.com/spec/v1\n");
  expectError(run("out", 1), 1, "config.json': is a Git LFS pointer, not the file itself: run 'git lfs pull'");
}

TEST_F(TrainError, TrainsOnEverythingWhenNothingIsHeldOut) {
  std::string data;
  for (int i = 0; i < 200; ++i)
    data += char(i % 7);
  writeFile(file("data.txt"), data);
  std::vector<std::string> all = command("out", 3, {"--held-out", "0"});
  std::replace(all.begin(), all.end(), std::string("copy:data=2,symbols=3"), file("data.txt"));
  ProcessResult result = runProcess(all, 60);
  EXPECT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.err.find("none held out to evaluate"), std::string::npos) << result.err;
  for (const json &line : log("out"))
    EXPECT_NE(line["kind"], "evaluation");
  configure({{"budget", {{"cap", 0.5}, {"start_accuracy", 0.9}}}});
  expectError(runProcess(all, 60), 1, "key 'training.budget.start_accuracy': is about held-out sequences");
}

TEST_F(TrainError, PassesOnWhatTheCompilerSays) {
  writeFile(file("fail"), "");
  expectError(run("out", 1), 1, "chimera-train: chimera-compile: error: it does not compile");
  std::filesystem::remove(file("chimera-compile"));
  expectError(run("out", 1), 1, "the compiler");
}

TEST_F(TrainError, RefusesBatchesBeyondTheCompilers) {
  std::vector<std::string> all = command("out", 1);
  std::replace(all.begin(), all.end(), std::string("4"), std::string("8193"));
  expectError(runProcess(all, 60), 1, "--batch: 8193 sequences of 8 tokens on each rank are more than the 65536");
}

TEST_F(TrainError, ProtectsTheRunThatIsThere) {
  ASSERT_EQ(run("out", 2).status, 0);
  std::string model = content("out", "model.safetensors"), log = content("out", "log.jsonl");
  expectError(run("out", 2), 1, "holds the checkpoints of a run; --resume goes on with it");
  EXPECT_EQ(content("out", "model.safetensors"), model);
  EXPECT_EQ(content("out", "log.jsonl"), log);
}

TEST_F(TrainError, NamesWhatDiffersFromTheCheckpoint) {
  ASSERT_EQ(run("out", 4).status, 0);
  expectError(run("out", 3, {"--resume"}), 1, "is of a longer run than --steps=3");
  expectError(run("out", 4, {"--resume", "--lr", "0.5"}), 1, "training.optimizer");
  expectError(run("out", 4, {"--resume", "--seed", "5"}), 1, "--seed");
  EXPECT_EQ(run("out", 4, {"--resume", "--log-every", "2"}).status, 0);
}

TEST_F(TrainError, PassesOverADamagedCheckpoint) {
  ASSERT_EQ(run("out", 4, {"--checkpoint-every", "2"}).status, 0);
  ASSERT_EQ(run("whole", 4, {"--checkpoint-every", "2"}).status, 0);
  std::string newest = file("out/checkpoints/step-00000004/model.safetensors");
  std::string bytes = readFile(newest);
  bytes[bytes.size() / 2] ^= 1;
  writeFile(newest, bytes);
  ProcessResult result = run("out", 4, {"--resume"});
  EXPECT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.err.find("chimera-train: warning: "), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("going on after step 2"), std::string::npos) << result.err;
  EXPECT_EQ(content("out", "model.safetensors"), content("whole", "model.safetensors"));
}

TEST_F(TrainError, StopsAtALossThatIsNoNumber) {
  ProcessResult result = run("out", 4, {"--lr", "1e300"});
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_NE(result.err.find("chimera-train: step "), std::string::npos) << result.err;
  EXPECT_FALSE(std::filesystem::exists(file("out/model.safetensors")));
}

} // namespace
