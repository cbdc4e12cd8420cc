// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// chimera-train with the compiler: a small model learns, and its folder is one that the compiler takes.
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace {

using namespace chimera::test;
using nlohmann::json;

class CompiledTraining : public testing::TestWithParam<const char *> {
protected:
  CompiledTraining() {
    json config = {{"model_type", "chimera"},
                   {"vocab_size", 32},
                   {"hidden_size", 16},
                   {"num_hidden_layers", 2},
                   {"num_attention_heads", 2},
                   {"head_dim", 8},
                   {"intermediate_size", 32},
                   {"token_conv_kernel", 4},
                   {"window", 4},
                   {"ssm", {{"state_size", 4}, {"head_dim", 16}}},
                   {"training",
                    {{"optimizer", {{"lr", 0.01}}},
                     {"schedule", {{"kind", "constant"}, {"warmup", 5}}},
                     {"routing", "soft@0.5,hard@0.75"},
                     {"temperature", {{0, 1}, {0.5, 0.5}}},
                     {"evaluation", {{"every", 20}, {"sequences", 8}}},
                     {"checkpoint", {{"every", 25}}}}}};
    writeFile(file("config.json"), config.dump());
  }

  std::string file(const std::string &name) const { return folder.file(name); }
  ProcessResult train(const std::string &out, const std::vector<std::string> &more = {}) const {
    std::vector<std::string> all = {CHIMERA_TRAIN, file("config.json"),
                                    "--data",      "mqar:pairs=2,keys=4",
                                    "--out",       file(out),
                                    "--steps",     "60",
                                    "--batch",     "8",
                                    "--seq",       "16",
                                    "--target",    GetParam()};
    all.insert(all.end(), more.begin(), more.end());
    return runProcess(all, 300);
  }
  std::vector<json> steps(const std::string &out) const {
    std::vector<json> lines;
    std::istringstream text(readFile(file(out + "/log.jsonl")));
    for (std::string line; std::getline(text, line);)
      if (json read = json::parse(line); read["kind"] == "step")
        lines.push_back(read);
    return lines;
  }

  TemporaryDirectory folder;
};

TEST_P(CompiledTraining, LearnsRepeatsAndResumes) {
  ProcessResult first = train("one", {"--threads", "1"});
  ASSERT_EQ(first.status, 0) << first.describe();
  std::vector<json> log = steps("one");
  ASSERT_EQ(log.size(), 60u);
  EXPECT_LT(log[59]["loss"].get<double>(), 0.8 * log[0]["loss"].get<double>());
  EXPECT_EQ(log[0]["layers"].size(), 2u);

  std::string model = readFile(file("one/model.safetensors"));
  ASSERT_EQ(train("two", {"--threads", "2"}).status, 0);
  EXPECT_TRUE(readFile(file("two/model.safetensors")) == model) << "two threads have other bits than one";
  std::filesystem::remove_all(file("two/checkpoints/step-00000060"));
  ProcessResult resumed = train("two", {"--resume"});
  ASSERT_EQ(resumed.status, 0) << resumed.describe();
  EXPECT_NE(resumed.err.find("going on after step 50"), std::string::npos) << resumed.err;
  EXPECT_TRUE(readFile(file("two/model.safetensors")) == model) << "the resumed run has other bits";
}

TEST_P(CompiledTraining, LeavesAModelThatCompiles) {
  ASSERT_EQ(train("out").status, 0);
  ProcessResult compiled =
      runProcess({CHIMERA_COMPILE, file("out"), "-o", file("m.chm"), std::string("--target=") + GetParam()}, 300);
  EXPECT_EQ(compiled.status, 0) << compiled.describe();
  // Training goes on from it.
  std::vector<json> before = steps("out");
  ProcessResult again = runProcess({CHIMERA_TRAIN, file("out"), "--data", "mqar:pairs=2,keys=4", "--out", file("more"),
                                    "--steps", "1", "--batch", "8", "--seq", "16", "--target", GetParam()},
                                   300);
  ASSERT_EQ(again.status, 0) << again.describe();
  EXPECT_LT(steps("more")[0]["loss"].get<double>(), 0.8 * before[0]["loss"].get<double>());
}

INSTANTIATE_TEST_SUITE_P(Targets, CompiledTraining, testing::Values("ref", "cpu"));

} // namespace
