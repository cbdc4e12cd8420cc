// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Training on several sources.
#include "test/chimera-train/ToyRun.h"

#include <algorithm>
#include <filesystem>

namespace {

using namespace chimera::test;
using nlohmann::json;

/// The toy's own data, `copy`, and a text beside it.
class TrainMixture : public ToyRun {
protected:
  TrainMixture() {
    std::string data;
    for (int i = 0; i < 801; ++i)
      data += char(i * i % 11);
    writeFile(file("t.txt"), data);
  }
  std::vector<std::string> withText(const std::vector<std::string> &more = {}) const {
    std::vector<std::string> all = {"--data", "3@" + file("t.txt"), "--eval-every", "4", "--eval-sequences", "8"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  /// The log without what depends on the clock.
  std::vector<json> timeless(const std::string &out) const {
    std::vector<json> lines = log(out);
    for (json &line : lines)
      line.erase("tokens_per_second");
    return lines;
  }
};

TEST_F(TrainMixture, EvaluatesEachSourceAndAll) {
  ProcessResult result = run("out", 8, withText());
  ASSERT_EQ(result.status, 0) << result.describe();
  int evaluations = 0;
  for (const json &line : log("out")) {
    if (line["kind"] == "run") {
      EXPECT_NE(line["data"].get<std::string>().find("copy:data=2,symbols=3 + 3.0@" + file("t.txt") + " (25 % copy"),
                std::string::npos)
          << line["data"];
    }
    if (line["kind"] != "evaluation")
      continue;
    ++evaluations;
    ASSERT_EQ(line["sources"].size(), 2u) << line;
    const json &copy = line["sources"][0], &text = line["sources"][1];
    EXPECT_EQ(copy["source"], "copy:data=2,symbols=3");
    EXPECT_EQ(copy["sequences"], 2);
    EXPECT_EQ(text["source"], "3.0@" + file("t.txt"));
    EXPECT_EQ(text["sequences"], 5) << "of 100 windows the last twentieth is held out";
    // The copies have 2 targets each, the windows 8.
    for (const char *kind : {"hard", "soft"}) {
      double copies = copy[kind]["loss"], texts = text[kind]["loss"];
      EXPECT_NEAR(line[kind]["loss"].get<double>(), (4 * copies + 40 * texts) / 44, 1e-9);
    }
    EXPECT_FALSE(line["classes"].empty());
  }
  EXPECT_EQ(evaluations, 2);
}

TEST_F(TrainMixture, ResumesWithTheBitsOfAWholeRun) {
  ASSERT_EQ(run("whole", 12, withText({"--checkpoint-every", "5"})).status, 0);
  std::filesystem::copy(file("whole"), file("out"), std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(file("out/checkpoints/step-00000012"));
  ProcessResult result = run("out", 12, withText({"--checkpoint-every", "5", "--resume"}));
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_NE(result.err.find("going on after step 10"), std::string::npos) << result.err;
  EXPECT_EQ(content("out", "model.safetensors"), content("whole", "model.safetensors"));
  EXPECT_EQ(timeless("out"), timeless("whole"));
  expectError(run("out", 12, {"--data", "2@" + file("t.txt"), "--resume"}), 1, "'--data' is ");
  expectError(run("out", 12, {"--resume"}), 1, "'--data' is ");
}

TEST_F(TrainMixture, AWeightOfASingleSourceSaysNothing) {
  ASSERT_EQ(run("plain", 4).status, 0);
  std::vector<std::string> all = command("out", 4);
  std::replace(all.begin(), all.end(), std::string("copy:data=2,symbols=3"), std::string("0.2@copy:data=2,symbols=3"));
  ASSERT_EQ(runProcess(all, 60).status, 0);
  EXPECT_EQ(content("out", "model.safetensors"), content("plain", "model.safetensors"));
  EXPECT_FALSE(log("out").back().contains("sources"));
  all.push_back("--resume");
  EXPECT_EQ(runProcess(all, 60).status, 0);
}

TEST_F(TrainMixture, NamesWhatIsWrong) {
  expectError(run("out", 4, {"--data", "0@" + file("t.txt")}), 2, "the weight before '@' must be a number > 0");
  expectError(run("out", 4, {"--data", file("none.txt")}), 1, "none.txt'");
  expectError(run("out", 4, {"--data", "1@mqar"}), 1, "needs a vocabulary of at least 84 ids, has 11");
  EXPECT_EQ(run("out", 4, withText({"--held-out", "0"})).status, 0) << "copy has something held out";
}

} // namespace
