// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/ConfigText.h"
#include "tools/chimera-train/Identity.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

using namespace chimera;
using namespace chimera::train;

static JsonValue parsed(const std::string &text) {
  return std::get<JsonValue>(parseJson(text));
}

/// Of a generator, and nothing else known.
static const RunSources eightPairs = {"8 pairs", {}, {}, {}};

TEST(ConfigText, KeepsEveryValueAsItWasWritten) {
  std::string text =
      R"({"a": 1.50, "b": [1, -2e-3, null, true], "c": {"d": "x\n\"y\"", "e": {}, "f": []}, "g": [0.0, Infinity]})";
  EXPECT_EQ(jsonText(parsed(text)), text);
  EXPECT_EQ(jsonText(parsed(jsonText(parsed(text), 2))), text) << "laid out and read again";
  EXPECT_EQ(jsonText(parsed(R"({"a": {"b": [1, 2]}, "c": 3})"), 2),
            "{\n  \"a\": {\n    \"b\": [1, 2]\n  },\n  \"c\": 3\n}");
}

TEST(ConfigText, SetsKeysInPlaceAndMakesThem) {
  JsonValue config = parsed(R"({"router": {"temperature": 1.0, "kind": "mlp"}})");
  setKey(config, {"router", "temperature"}, jsonNumber(0.1));
  setKey(config, {"training", "optimizer", "lr"}, jsonNumber(0.002));
  setKey(config, {"training", "checkpoint", "every"}, jsonInteger(7));
  EXPECT_EQ(jsonText(config), R"({"router": {"temperature": 0.1, "kind": "mlp"}, "training": )"
                              R"({"optimizer": {"lr": 0.002}, "checkpoint": {"every": 7}}})");
  JsonValue wrong = parsed(R"({"training": 3})");
  setKey(wrong, {"training", "optimizer", "lr"}, jsonNumber(1));
  EXPECT_EQ(jsonText(wrong), R"({"training": 3})") << "left for the reader to name";
}

TEST(Identity, HasWhatBitsDependOn) {
  Options options;
  options.data = {{1, "mqar"}};
  options.steps = 10;
  JsonValue config = parsed(R"({"vocab_size": 7, "training": {"routing": "hard", "checkpoint": {"every": 3}}})");
  auto identity = nlohmann::json::parse(runIdentity(options, config, eightPairs));
  EXPECT_EQ(identity["config.json: vocab_size"], "7");
  EXPECT_EQ(identity["config.json: training.routing"], "\"hard\"");
  EXPECT_FALSE(identity.contains("config.json: training.checkpoint"));
  EXPECT_EQ(identity["--steps"], 10);
  EXPECT_EQ(identity["the data"], "8 pairs");
  Options other = options;
  other.threads = 7;
  other.logEvery = 5;
  EXPECT_EQ(runIdentity(other, config, eightPairs), runIdentity(options, config, eightPairs));
  other.seed = 1;
  EXPECT_NE(runIdentity(other, config, eightPairs), runIdentity(options, config, eightPairs));
}

TEST(Identity, HasTheTemperatureOfTheRouterUnlessAScheduleSetsIt) {
  auto identityOf = [](const std::string &router, const std::string &training) {
    return runIdentity({}, parsed("{" + router + R"("training": {)" + training + "}}"), eightPairs);
  };
  const std::string none, one = R"("router": {"temperature": 1.0}, )", two = R"("router": {"temperature": 2}, )",
                          schedule = R"("temperature": [[0, 2], [1, 1]])";
  EXPECT_NE(identityOf(one, ""), identityOf(two, ""));
  EXPECT_EQ(identityOf(none, ""), identityOf(one, "")) << "the default, which a trained model's config.json has";
  EXPECT_EQ(identityOf(none, schedule), identityOf(two, schedule)) << "what the schedule has reached";
}

TEST(Identity, HasWhatTheRunIsMadeFrom) {
  Options options;
  JsonValue config = parsed(R"({"vocab_size": 7, "training": {"checkpoint": {"every": 3}}})");
  auto identity = nlohmann::json::parse(runIdentity(options, config, {"8 pairs", "12ab", "random", "cpu avx2"}));
  EXPECT_EQ(identity["the content of the data"], "12ab");
  EXPECT_EQ(identity["the start weights"], "random");
  EXPECT_EQ(identity["the kernels"], "cpu avx2");
  EXPECT_FALSE(nlohmann::json::parse(runIdentity(options, config, eightPairs)).contains("the content of the data"));
  auto ranks = nlohmann::json::parse(rankIdentity(options, config, eightPairs));
  for (const char *key : {"--seed", "--resume", "--gradients", "--mcpu", "config.json: training.checkpoint"})
    EXPECT_TRUE(ranks.contains(key)) << key;
}

TEST(Identity, ToleratesWhatIsTold) {
  EXPECT_EQ(*toleratedDifference({"--steps", "'4'", "'9'", false}),
            "the run has '9' steps now, it had '4': from here on schedules are fractions of the new number; the "
            "optimizer goes on");
  EXPECT_NE(toleratedDifference({"the kernels", "'\"cpu avx512\"'", "'\"cpu avx2\"'", false})->find("the bits are no "),
            std::string::npos);
  EXPECT_NE(toleratedDifference({"the content of the data", "absent", "'1'", true})->find("an older version"),
            std::string::npos);
  EXPECT_FALSE(toleratedDifference({"the content of the data", "'2'", "'1'", false}));
  EXPECT_FALSE(toleratedDifference({"the start weights", "'2'", "absent", false}));
  EXPECT_FALSE(toleratedDifference({"--seed", "absent", "'1'", true}));
}

TEST(Identity, ListsTheSettingsOfAModel) {
  Options options;
  JsonValue config =
      parsed(R"({"vocab_size": 7, "training": {"routing": "soft", "optimizer": {"lr": 0.1, "betas": [0.9, 0.95]}}})");
  EXPECT_EQ(settingsOfModel(options, config), "routing \"soft\", optimizer.lr 0.1, optimizer.betas [0.9, 0.95]");
  options.routing = "hard";
  options.learningRate = 1;
  EXPECT_EQ(settingsOfModel(options, config), "optimizer.betas [0.9, 0.95]");
  EXPECT_EQ(settingsOfModel(options, parsed(R"({"vocab_size": 7})")), "");
  EXPECT_EQ(settingsOfModel(options, parsed(R"({"training": 3})")), "");
}

TEST(Identity, PutsTheCommandLineIntoTheConfig) {
  Options options;
  options.routing = "soft";
  options.learningRate = 0.5;
  options.checkpointEvery = 1;
  options.keep = 2;
  options.evaluateEvery = 3;
  options.evaluateSequences = 4;
  JsonValue config = parsed(R"({"training": {"routing": "hard"}})");
  applyOptions(options, config);
  EXPECT_EQ(jsonText(config), R"({"training": {"routing": "soft", "optimizer": {"lr": 0.5}, "checkpoint": )"
                              R"({"every": 1, "keep": 2}, "evaluation": {"every": 3, "sequences": 4}}})");
}
