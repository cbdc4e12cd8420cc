// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Binaries that keep weights as eight bits: their bits are those of a plain binary whose checkpoint holds the rounded
// weights, their logits are near those of the exact weights, and weights that cannot be kept so are an error.
#include "test/e2e/Int8.h"
#include "test/e2e/CommandLine.h"
#include "test/e2e/Compare.h"
#include "test/e2e/Engine.h"
#include "test/support/Oracle.h"
#include "test/support/Random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

using namespace chimera;
using namespace chimera::test;

namespace {

/// How far logits may be from those of the exact weights, as a fraction of the largest logit of a sequence: the
/// root of the mean square, and the worst. A norm over few channels that are nearly 0 magnifies what its input lost, so
/// the worst may be as far as it is by the oracle, in f64, for the same rounded weights, and half as far again.
constexpr double kMeanQuality = 0.01, kWorstQuality = 0.05, kWorstOfOracle = 1.5;

struct Logits {
  LogitRows rows;
  std::vector<std::vector<int8_t>> routing;
};

/// One prefill and then single tokens, in a batch of two sequences.
std::vector<Logits> runModel(const Engine &engine, const std::vector<std::vector<int>> &sequences,
                             const std::vector<std::vector<int8_t>> &forced) {
  constexpr size_t single = 3;
  Session session(engine, 2, static_cast<int>(sequences.size()), true);
  std::vector<chimera_sequence> ids;
  std::vector<Logits> results(sequences.size());
  for (size_t i = 0; i < sequences.size(); ++i)
    ids.push_back(session.add());
  auto layers = static_cast<size_t>(engine.info().layers);
  for (size_t part = 0; part <= single; ++part) {
    std::vector<StepItem> items;
    for (size_t i = 0; i < sequences.size(); ++i) {
      size_t prefill = sequences[i].size() - single;
      size_t begin = part == 0 ? 0 : prefill + part - 1, end = prefill + part;
      StepItem item{ids[i], {}, {}, CHIMERA_LOGITS_ALL};
      item.tokens.assign(&sequences[i][begin], &sequences[i][0] + end);
      if (!forced.empty())
        item.forced.assign(&forced[i][begin * layers], &forced[i][0] + end * layers);
      items.push_back(std::move(item));
    }
    std::vector<StepResult> step = session.step(items);
    for (size_t i = 0; i < sequences.size(); ++i) {
      results[i].rows.insert(results[i].rows.end(), step[i].logits.begin(), step[i].logits.end());
      results[i].routing.insert(results[i].routing.end(), step[i].routing.begin(), step[i].routing.end());
    }
  }
  return results;
}

/// A model with eight-bit weights beside the same one with plain weights.
struct Compared {
  ModelCase modelCase;
  Build int8, plain;
  RandomModel model;
  std::vector<std::vector<int>> sequences;

  Compared(const ModelCase &modelCase, const Build &build)
      : modelCase(modelCase), int8(build), plain(build),
        model(makeModel(modelCase.configText, build.precision, modelCase.seed)) {
    plain.int8Weights = false;
    Random random(modelCase.seed);
    for (int length : {std::min(modelCase.length, 60), static_cast<int>(random.between(4, 20))})
      sequences.push_back(randomTokens(length, model.config.vocabSize, random.next()));
  }

  double worstByOracle(size_t sequence, const RoutingTable &routing) const;

  std::vector<Logits> run(const RandomModel &parameters, const Build &build,
                          const std::vector<std::vector<int8_t>> &forced = {}) const {
    TemporaryDirectory directory;
    writeModel(parameters, directory.path());
    ModelCase compiled = modelCase;
    compiled.configText = parameters.configText;
    return runModel(Engine(compileModel(compiled, build), directory.path()), sequences, forced);
  }
};

/// See kWorstOfOracle.
double Compared::worstByOracle(size_t sequence, const RoutingTable &routing) const {
  auto logits = [&](const RandomModel &parameters) {
    return runOracle(parameters.config, parameters.parameters, sequences[sequence], &routing).logits;
  };
  return worstDifference(logits(withInt8Weights(model)), logits(model));
}

class Int8Test : public testing::TestWithParam<ModelBuild> {};

TEST_P(Int8Test, HasTheBitsOfAPlainBinaryWithTheRoundedWeights) {
  Compared compared(modelCases()[GetParam().model], GetParam().build);
  SCOPED_TRACE("config:\n" + compared.modelCase.configText);
  RandomModel rounded = withInt8Weights(compared.model);
  std::vector<Logits> actual = compared.run(compared.model, compared.int8);
  std::vector<Logits> expected = compared.run(rounded, compared.plain);
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_EQ(actual[i].routing, expected[i].routing) << "sequence " << i;
    EXPECT_TRUE(sameBits(actual[i].rows, expected[i].rows))
        << "sequence " << i << ", worst difference " << worstDifference(actual[i].rows, expected[i].rows);
  }
}

TEST_P(Int8Test, IsNearTheExactWeights) {
  Compared compared(modelCases()[GetParam().model], GetParam().build);
  if (compared.model.config.experts.active < compared.model.config.experts.count)
    GTEST_SKIP() << "with other weights tokens may choose other experts, which are not near";
  SCOPED_TRACE("config:\n" + compared.modelCase.configText);
  std::vector<Logits> expected = compared.run(compared.model, compared.plain);
  std::vector<std::vector<int8_t>> forced;
  for (const Logits &logits : expected)
    forced.push_back(flatten(logits.routing));
  std::vector<Logits> actual = compared.run(compared.model, compared.int8, forced);
  for (size_t i = 0; i < actual.size(); ++i) {
    double worst = worstDifference(actual[i].rows, expected[i].rows);
    double mean = meanDifference(actual[i].rows, expected[i].rows);
    EXPECT_LE(mean, kMeanQuality) << "sequence " << i;
    if (worst > kWorstQuality)
      EXPECT_LE(worst, kWorstOfOracle * compared.worstByOracle(i, expected[i].routing)) << "sequence " << i;
    EXPECT_GT(mean, 0) << "the weights were not rounded";
    std::ostringstream text;
    text << mean << " worst " << worst;
    RecordProperty("mean_difference_" + std::to_string(i), text.str());
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, Int8Test, testing::ValuesIn(int8ModelBuilds()),
                         [](const auto &info) { return modelBuildName(info.param); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Int8Test);

/// Wider than a group of 32 weights, with a rest, and tied or not.
ModelCase wideCase(const std::string &tied) {
  return {"Int8Wide",
          R"({"model_type": "chimera", "vocab_size": 53, "hidden_size": 72, "num_hidden_layers": 2,
    "num_attention_heads": 3, "head_dim": 24, "intermediate_size": 100, "window": 7, "tie_word_embeddings": )" +
              tied + R"(, "ssm": {"state_size": 8, "head_dim": 24}})",
          5,
          40,
          32,
          3};
}

class Int8WideTest : public testing::TestWithParam<Build> {};

TEST_P(Int8WideTest, GroupsOf32HaveTheirOwnExponentTiedOrNot) {
  for (const char *tied : {"true", "false"}) {
    Compared compared(wideCase(tied), GetParam());
    // Groups that differ much in size, one of them all zeros.
    Tensor &weights = compared.model.parameters.at("layers.0.ffn.down_proj.weight");
    for (size_t i = 0; i < weights.values.size(); ++i)
      weights.values[i] = i < 40 ? 0 : std::ldexp(weights.values[i], static_cast<int>(i / 32 % 7) - 3);
    std::vector<Logits> actual = compared.run(compared.model, compared.int8);
    std::vector<Logits> expected = compared.run(withInt8Weights(compared.model), compared.plain);
    for (size_t i = 0; i < actual.size(); ++i)
      EXPECT_TRUE(sameBits(actual[i].rows, expected[i].rows)) << "tied: " << tied << ", sequence " << i;
  }
}

/// The check itself: one weight that is one step away is told from the right one.
TEST_P(Int8WideTest, OneWeightOneStepAwayIsSeen) {
  Compared compared(wideCase("false"), GetParam());
  RandomModel rounded = withInt8Weights(compared.model);
  std::vector<double> &weights = rounded.parameters.at("lm_head.weight").values;
  double largest = 0;
  for (size_t i = 0; i < 32; ++i)
    largest = std::max(largest, std::abs(weights[i]));
  // q of the largest is 64 to 127, so this is at most two steps and at least one.
  weights[3] += std::ldexp(1.0, std::ilogb(largest) - 6);
  EXPECT_FALSE(
      sameBits(compared.run(compared.model, compared.int8)[0].rows, compared.run(rounded, compared.plain)[0].rows));
}

/// bf16 for every ISA, f32 for one of each vector width.
std::vector<Build> wideBuilds() {
  std::vector<Build> builds;
  for (const std::string &isa : hostIsas()) {
    builds.push_back(cpuBuild(isa, Precision::BF16, true));
    if (multipliesByFma(isa))
      builds.push_back(cpuBuild(isa, Precision::F32, true));
  }
  return builds;
}

INSTANTIATE_TEST_SUITE_P(Cpu, Int8WideTest, testing::ValuesIn(wideBuilds()),
                         [](const auto &info) { return buildName(info.param); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Int8WideTest);

TEST(Int8, WeightsThatAreNotFiniteAreOneLineThatNamesTheTensor) {
  for (double value : {std::nan(""), std::numeric_limits<double>::infinity()})
    for (const char *name : {"layers.0.attn.k_proj.weight", "layers.2.ssm.in_proj.weight", "lm_head.weight"}) {
      ModelOnDisk onDisk(cpuBuild("native", Precision::F32, true));
      onDisk.model.parameters.at(name).values[7] = value;
      writeModel(onDisk.model, onDisk.directory.path());
      ProcessResult result = onDisk.run({"--tokens", onDisk.writeArray<int32_t>("tokens.npy", {2}, {1, 2})});
      EXPECT_EQ(result.status, 1) << result.describe();
      EXPECT_EQ(countLines(result.err), 1) << result.err;
      EXPECT_NE(result.err.find(name), std::string::npos) << result.err;
    }
}

} // namespace
