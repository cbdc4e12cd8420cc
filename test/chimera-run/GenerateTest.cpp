// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/chimera-run/ByteModel.h"

#include <algorithm>

using namespace chimera;
using namespace chimera::test;

using GenerateTest = ByteModelTest;

TEST_F(GenerateTest, GreedyTextFollowsTheDefinitionWithAnySchedule) {
  std::string prompt = "The quick brown fox";
  std::string expected = prompt + continuation(bytesOf(prompt), 24, {}) + "\n";
  for (const char *schedule : {"prefill", "decode", "chunks:5,7,1"}) {
    ProcessResult result =
        run({"--prompt", prompt, "--max-new-tokens", "24", std::string("--schedule=") + schedule, "--threads", "2"});
    expectSuccess(result);
    EXPECT_EQ(result.out, expected);
  }
}

TEST_F(GenerateTest, SampledTextFollowsTheSamplerAndTheSeed) {
  SamplerOptions options;
  options.temperature = 3000;
  options.topK = 40;
  options.topP = 0.9;
  options.seed = 18446744073709551615u;
  std::vector<std::string> arguments = {"--prompt", "ab", "--max-new-tokens", "30",  "--temperature", "3000",
                                        "--top-k",  "40", "--top-p",          "0.9", "--seed"};
  auto withSeed = [&](const std::string &seed) {
    std::vector<std::string> all = arguments;
    all.push_back(seed);
    return run(all);
  };
  ProcessResult result = withSeed("18446744073709551615");
  expectSuccess(result);
  EXPECT_EQ(result.out, "ab" + continuation(bytesOf("ab"), 30, options) + "\n");
  EXPECT_NE(withSeed("1").out, result.out);
}

TEST_F(GenerateTest, NoNewTokensPrintsThePrompt) {
  ProcessResult result = run({"--prompt", "caf\xC3\xA9\x01\xFF", "--max-new-tokens", "0"});
  expectSuccess(result);
  EXPECT_EQ(result.out, "caf\xC3\xA9\x01\xFF\n") << "bytes pass unchanged when nobody looks";
}

TEST_F(GenerateTest, BeginsWithBosAndEndsAtAnyEos) {
  writeModel(299, nlohmann::json::array());
  std::vector<int32_t> tokens = {299, 'h', 'i'};
  std::string text = continuation(tokens, 8, {});
  ProcessResult result = run({"--prompt", "hi", "--max-new-tokens", "8"});
  expectSuccess(result);
  EXPECT_EQ(result.out, "hi" + text + "\n");

  std::string fromNothing = continuation({299}, 8, {});
  EXPECT_EQ(run({"--prompt", "", "--max-new-tokens", "8"}).out, fromNothing + "\n");

  std::vector<int32_t> made = chosen(tokens, 8, {});
  std::vector<int32_t> before(made.begin(), std::find(made.begin(), made.end(), made[4]));
  for (const nlohmann::json &ends : {nlohmann::json{made[4]}, nlohmann::json{298, made[4]}}) {
    writeModel(299, ends);
    EXPECT_EQ(run({"--prompt", "hi", "--max-new-tokens", "8"}).out, "hi" + textOf(before) + "\n") << ends;
  }
}

TEST_F(GenerateTest, AnEmptyPromptNeedsABosToken) {
  expectError(run({"--prompt", ""}), 1, "--prompt: the text is empty and the model has no bos_token_id to start from");
}

TEST_F(GenerateTest, ColoursEachTokenByItsMode) {
  // In both layers of the toy even ids are ssm, odd ones full.
  ProcessResult result = run({"--prompt", "ab\x1b", "--max-new-tokens", "0", "--color", "always"});
  expectSuccess(result);
  EXPECT_EQ(result.out, "modes: \x1b[38;5;39mssm\x1b[0m \x1b[38;5;203mfull\x1b[0m\n"
                        "\x1b[38;5;203ma\x1b[38;5;39mb\x1b[38;5;203m\\x1b\x1b[0m\n");
  EXPECT_EQ(run({"--prompt", "ab\x1b", "--max-new-tokens", "0", "--color", "always", "--color-layer", "1"}).out,
            result.out);
  EXPECT_EQ(run({"--prompt", "ab", "--max-new-tokens", "0"}).out, "ab\n") << "no colours into a pipe";
  expectError(run({"--prompt", "a", "--color-layer", "2"}), 1, "--color-layer: the model's layers are 0..1");
}

TEST_F(GenerateTest, StatsAreOnStderr) {
  ProcessResult result = run({"--prompt", "abcd", "--max-new-tokens", "3", "--stats"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out.rfind("abcd", 0), 0u);
  EXPECT_NE(result.err.find("prefill: 4 tokens in "), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("decode: 2 tokens in "), std::string::npos) << result.err;
}
