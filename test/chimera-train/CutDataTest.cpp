// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Data that somebody cuts while a run reads them.
#include "test/chimera-train/ToyRun.h"

#include <algorithm>
#include <filesystem>

namespace {

using namespace chimera::test;

class CutData : public ToyRun {
protected:
  /// 100 windows of 8 tokens and one more, of which the last 20 are held out.
  CutData() {
    for (int i = 0; i < 801; ++i)
      data += char(i * i % 11);
    writeFile(file("data.txt"), data);
    writeFile(file("compile"), readFile(file("chimera-compile")));
  }

  ProcessResult train(const std::string &out, const std::vector<std::string> &more = {}) const {
    std::vector<std::string> all =
        command(out, 30, {"--held-out", "0.2", "--checkpoint-every", "0", "--eval-every", "4"});
    all.insert(all.end(), more.begin(), more.end());
    std::replace(all.begin(), all.end(), std::string("copy:data=2,symbols=3"), file("data.txt"));
    return runProcess(all, 60);
  }
  /// A run whose data are cut to `size` bytes after it has looked at them: the compiler comes after that. Then the same
  /// goes on with the whole data. Returns the step that was saved.
  int64_t cutAndResume(size_t size) {
    writeFile(file("chimera-compile"),
              readFile(file("compile")) + "truncate -s " + std::to_string(size) + " " + file("data.txt") + "\n");
    ProcessResult result = train("out");
    EXPECT_EQ(result.status, 1) << result.describe();
    std::string wanted = "chimera-train: '" + file("data.txt") + "': was cut while it was read; step ";
    size_t at = result.err.find(wanted);
    EXPECT_NE(at, std::string::npos) << result.err;
    if (at == std::string::npos)
      return 0;
    EXPECT_NE(result.err.find(" is saved, and --resume goes on from it\n"), std::string::npos) << result.err;
    EXPECT_FALSE(std::filesystem::exists(file("out/model.safetensors")));
    int64_t step = std::stoll(result.err.substr(at + wanted.size()));
    writeFile(file("data.txt"), data);
    result = train("out", {"--resume"});
    EXPECT_EQ(result.status, 0) << result.describe();
    EXPECT_NE(result.err.find("going on after step " + std::to_string(step)), std::string::npos) << result.err;
    return step;
  }
  /// The log without what depends on the clock.
  std::vector<nlohmann::json> timeless(const std::string &out) const {
    std::vector<nlohmann::json> lines = log(out);
    for (nlohmann::json &line : lines)
      line.erase("tokens_per_second");
    return lines;
  }
  void expectAsUninterrupted() {
    writeFile(file("chimera-compile"), readFile(file("compile")));
    ASSERT_EQ(train("whole").status, 0);
    EXPECT_EQ(content("out", "model.safetensors"), content("whole", "model.safetensors"));
    EXPECT_EQ(timeless("out"), timeless("whole"));
  }

  std::string data;
};

TEST_F(CutData, EndsTheRunWithTheLastWholeStep) {
  EXPECT_GT(cutAndResume(79 * 8 + 1), 0) << "all training windows but the last are there";
  expectAsUninterrupted();
}

TEST_F(CutData, AnEvaluationThatCannotBeReadIsDoneLater) {
  EXPECT_EQ(cutAndResume(80 * 8 + 1), 4) << "only what is held out is gone";
  expectAsUninterrupted();
}

TEST_F(CutData, BeforeTheFirstStepThereIsNothingToSave) {
  writeFile(file("chimera-compile"), readFile(file("compile")) + "truncate -s 0 " + file("data.txt") + "\n");
  ProcessResult result = train("out");
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("data.txt': was cut while it was read\n"), std::string::npos) << result.err;
  EXPECT_FALSE(std::filesystem::exists(file("out/checkpoints")));
}

} // namespace
