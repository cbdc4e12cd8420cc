// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Sampler.h"
#include "runtime/io/Safetensors.h"
#include "test/chimera-run/ToyTool.h"

#include <algorithm>

using namespace chimera;
using namespace chimera::test;
namespace toy = chimera::runtime::toy;

/// The toy model with more tokens than bytes.
class GenerateTest : public ToolTest {
protected:
  static constexpr int64_t vocab = 300;

  GenerateTest() {
    writeModel(nullptr, nlohmann::json::array());
    std::vector<float> scale = scales();
    io::TensorView view;
    view.name = "scale";
    view.shape = {vocab};
    view.data = reinterpret_cast<const uint8_t *>(scale.data());
    view.bytes = scale.size() * sizeof(float);
    EXPECT_TRUE(io::writeSafetensors(file("model.safetensors"), {view}));
  }

  void writeModel(const nlohmann::json &bos, const nlohmann::json &eos) const {
    nlohmann::json manifest = toy::manifest();
    int64_t bytes = toy::maxTokens * vocab * 4;
    manifest["model"]["vocab_size"] = vocab;
    manifest["model"]["bos_token_id"] = bos;
    manifest["model"]["eos_token_ids"] = eos;
    for (nlohmann::json &parameter : manifest["parameters"])
      parameter["shape"] = {vocab};
    for (nlohmann::json &phase : manifest["variants"][0]["phases"]) {
      phase["arena_bytes"] = 192 + (bytes + 63) / 64 * 64;
      phase["logits"] = {192, bytes};
      nlohmann::json &launch = phase["launches"].back();
      launch["grid"]["outputs"] = vocab;
      launch["constants"] = {vocab};
      launch["buffers"].back()[2] = bytes;
    }
    std::vector<uint8_t> binary = toy::binary(manifest.dump());
    writeFile(file("m.chm"), std::string(binary.begin(), binary.end()));
  }

  /// Letters are likelier than the rest.
  static std::vector<float> scales() {
    std::vector<float> scale(vocab, 0.25f);
    for (int64_t id = 'a'; id <= 'z'; ++id)
      scale[size_t(id)] = 1.0f + 0.0001f * float((id * 7) % 26);
    scale[280] = 1.001f;
    return scale;
  }

  /// The logits after `tokens`: the toy's logit of token 0 is its hash times 1.
  static std::vector<float> logitsAfter(const std::vector<int32_t> &tokens) {
    uint32_t hash = uint32_t(toy::expected(tokens).logits.back()[0]);
    std::vector<float> scale = scales(), logits;
    for (int64_t v = 0; v < vocab; ++v)
      logits.push_back(float((hash ^ uint32_t(v)) & 0xFFFF) * scale[size_t(v)]);
    return logits;
  }

  /// The `count` tokens chosen from the toy's definition after `tokens`.
  static std::vector<int32_t> chosen(std::vector<int32_t> tokens, size_t count, const SamplerOptions &options) {
    Sampler sampler(options);
    size_t first = tokens.size();
    while (tokens.size() < first + count) {
      std::vector<float> logits = logitsAfter(tokens);
      tokens.push_back(*sampler.sample(logits.data(), vocab, 0, tokens.size()));
    }
    return {tokens.begin() + std::ptrdiff_t(first), tokens.end()};
  }

  static std::string textOf(const std::vector<int32_t> &tokens) {
    std::string text;
    for (int32_t token : tokens)
      text += token < 256 ? std::string(1, char(token)) : "<" + std::to_string(token) + ">";
    return text;
  }

  static std::string continuation(const std::vector<int32_t> &tokens, size_t count, const SamplerOptions &options) {
    return textOf(chosen(tokens, count, options));
  }

  static std::vector<int32_t> bytesOf(const std::string &text) { return {text.begin(), text.end()}; }
};

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
