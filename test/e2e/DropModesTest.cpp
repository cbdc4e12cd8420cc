// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-compile --drop-modes: what is left computes what a model computes whose dropped modes have no room.
#include "runtime/io/Npy.h"
#include "test/e2e/Cases.h"
#include "test/e2e/Engine.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>

using namespace chimera;
using namespace chimera::test;

namespace {

constexpr int kLayers = 3, kLength = 40;

/// All modes in the first and the last layer; `router` is more of the router's keys.
std::string configText(const std::string &router) {
  return R"({
    "model_type": "chimera", "vocab_size": 41, "hidden_size": 16, "num_hidden_layers": 3, "intermediate_size": 24,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4, "token_conv_kernel": 3, "window": 6,
    "modes": [["ssm", "swa", "full", "identity"], ["full"], ["ssm", "swa", "full", "identity"]],
    "ssm": {"state_size": 4, "head_dim": 8}, "router": {"write_gate": true)" +
         router + "}}";
}

class DropModes : public testing::TestWithParam<Build> {
protected:
  DropModes() : model(makeModel(configText(""), GetParam().precision, 7)) { writeModel(model, directory.path()); }

  /// A file as chimera-run --routing writes it: [2, T, L], `first` and `last` in turn in the layers with a router.
  std::string writeRouting(const std::vector<int8_t> &first, const std::vector<int8_t> &last) {
    std::vector<int8_t> modes;
    for (size_t t = 0; t < 2 * kLength; ++t)
      modes.insert(modes.end(), {first[t % first.size()], 2, last[t % last.size()]});
    std::string path = directory.file("routing.npy");
    EXPECT_TRUE(io::writeNpy(path, io::DType::I8, {2, kLength, kLayers}, modes.data()));
    return path;
  }

  ProcessResult compile(const std::string &config, const std::string &binary, const std::vector<std::string> &more) {
    writeFile(directory.file("other.json"), config);
    std::vector<std::string> command = {
        CHIMERA_COMPILE_PATH, directory.file("other.json"), "-o", binary, "--max-tokens=16", "--max-seqs=2"};
    for (const std::vector<std::string> &options : {compilerOptions(GetParam()), more})
      command.insert(command.end(), options.begin(), options.end());
    return runProcess(command);
  }

  static nlohmann::json inspect(const std::string &binary) {
    return nlohmann::json::parse(runProcess({CHIMERA_INSPECT_PATH, binary, "--json"}).out);
  }

  /// The modes that have caches.
  static std::set<std::string> cachesOf(const std::string &binary) {
    const nlohmann::json all = inspect(binary)["caches"];
    std::set<std::string> modes;
    for (const nlohmann::json &cache : all)
      modes.insert(cache["mode"].get<std::string>());
    return modes;
  }

  /// The bytes of a sequence's caches but for the pages of its lists.
  static int64_t bytesOf(const std::string &binary) {
    const nlohmann::json pools = inspect(binary)["pools"];
    int64_t sum = 0;
    for (const nlohmann::json &pool : pools)
      sum += pool["bytes_per_slot"].get<int64_t>();
    return sum;
  }

  StepResult run(const Engine &engine) {
    Session session(engine, 2, 1, true);
    std::vector<int> tokens = randomTokens(kLength, model.config.vocabSize, 3);
    return session.step({{session.add(), {tokens.begin(), tokens.end()}, {}, CHIMERA_LOGITS_ALL}}).front();
  }

  TemporaryDirectory directory;
  RandomModel model;
};

TEST_P(DropModes, TokensTakeTheNextMode) {
  std::string dropping = directory.file("dropping.chm"), roomless = directory.file("roomless.chm");
  ProcessResult result = compile(configText(""), dropping, {"--drop-modes=" + writeRouting({0, 3}, {0, 3, 3})});
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.err, "note: layer 0: drops swa, full (at most 0 of 80 tokens each), keeps ssm, identity\n"
                        "note: layer 2: drops swa, full (at most 0 of 80 tokens each), keeps ssm, identity\n");
  result = compile(configText(R"(, "max_tokens": {"swa": 0, "full": 0})"), roomless, {});
  ASSERT_EQ(result.status, 0) << result.describe();

  Engine left(dropping, directory.path()), whole(roomless, directory.path());
  StepResult got = run(left), expected = run(whole);
  EXPECT_EQ(got.routing, expected.routing);
  EXPECT_EQ(got.logits, expected.logits);
  EXPECT_EQ(cachesOf(dropping), (std::set<std::string>{"full", "route", "ssm", "token_conv"})); // full: layer 1
  EXPECT_LT(bytesOf(dropping), bytesOf(roomless));
  EXPECT_EQ(left.forceable(0), 0u);
}

TEST_P(DropModes, AShareDropsWhatFewTokensTake) {
  std::string path = writeRouting({0, 0, 0, 2, 3}, {1, 2, 3, 0}), binary = directory.file("model.chm");
  ProcessResult result = compile(configText(""), binary, {"--drop-modes=" + path, "--drop-share=0.2"});
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.err, "note: layer 0: drops swa, full (at most 16 of 80 tokens each), keeps ssm, identity\n");
}

TEST_P(DropModes, ALayerThatOnlySkipsHasNothingLeft) {
  std::string binary = directory.file("model.chm");
  ProcessResult result = compile(configText(""), binary, {"--drop-modes=" + writeRouting({3}, {0, 1, 2, 3})});
  ASSERT_EQ(result.status, 0) << result.describe();
  EXPECT_EQ(result.err, "note: layer 0: drops ssm, swa, full (at most 0 of 80 tokens each), keeps identity\n");
  for (const std::vector<int8_t> &modes : run(Engine(binary, directory.path())).routing)
    EXPECT_EQ(modes[0], 3);
}

TEST_P(DropModes, WhatIsNoRoutingIsRefused) {
  std::string binary = directory.file("model.chm"), path = directory.file("routing.npy");
  auto error = [&](const std::vector<int8_t> &modes, const std::vector<int64_t> &shape) {
    EXPECT_TRUE(io::writeNpy(path, io::DType::I8, shape, modes.data()));
    ProcessResult result = compile(configText(""), binary, {"--drop-modes=" + path});
    EXPECT_EQ(result.status, 1);
    return result.err;
  };
  EXPECT_EQ(error({0, 2}, {1, 2}),
            "error: " + path + ": i8 [.., 3] is needed, a mode for each token and layer, not i8 [1, 2]\n");
  EXPECT_EQ(error({0, 1, 0}, {1, 3}), "error: " + path + ": element 1: layer 1 has no mode 1\n");
  EXPECT_EQ(error({0, 2, 9}, {1, 3}), "error: " + path + ": element 2: layer 2 has no mode 9\n");
  EXPECT_EQ(error({-1, -1, -1}, {1, 3}),
            "error: " + path + ": holds no token, so that nothing can be said of the modes\n");
}

INSTANTIATE_TEST_SUITE_P(All, DropModes,
                         testing::Values(refBuild(Precision::F64), refBuild(Precision::BF16),
                                         cpuBuild("native", Precision::F32), cpuBuild("native", Precision::BF16)),
                         [](const auto &info) { return buildName(info.param); });

} // namespace
