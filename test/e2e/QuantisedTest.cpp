// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Binaries that keep weights as eight or four bits: their bits are those of a plain binary whose checkpoint holds the
// rounded weights, their logits are near those of the exact weights, and weights that cannot be kept so are an error.
#include "test/e2e/Quantised.h"
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
struct Quality {
  double mean, worst;
};
constexpr Quality kInt8Quality = {0.01, 0.05}, kInt4Quality = {0.1, 0.5};
constexpr double kWorstOfOracle = 1.5;

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

/// A model with quantised weights beside the same one with plain weights.
struct Compared {
  ModelCase modelCase;
  Build quantised, plain;
  RandomModel model;
  std::vector<std::vector<int>> sequences;

  Compared(const ModelCase &modelCase, const Build &build)
      : modelCase(modelCase), quantised(build), plain(build),
        model(makeModel(modelCase.configText, build.precision, modelCase.seed)) {
    plain.weights = "same";
    Random random(modelCase.seed);
    for (int length : {std::min(modelCase.length, 60), static_cast<int>(random.between(4, 20))})
      sequences.push_back(randomTokens(length, model.config.vocabSize, random.next()));
  }

  RandomModel rounded() const { return withQuantisedWeights(model, quantised.weights); }
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
  return worstDifference(logits(rounded()), logits(model));
}

class QuantisedTest : public testing::TestWithParam<ModelBuild> {};

TEST_P(QuantisedTest, HasTheBitsOfAPlainBinaryWithTheRoundedWeights) {
  Compared compared(modelCases()[GetParam().model], GetParam().build);
  SCOPED_TRACE("config:\n" + compared.modelCase.configText);
  RandomModel rounded = compared.rounded();
  std::vector<Logits> actual = compared.run(compared.model, compared.quantised);
  std::vector<Logits> expected = compared.run(rounded, compared.plain);
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_EQ(actual[i].routing, expected[i].routing) << "sequence " << i;
    EXPECT_TRUE(sameBits(actual[i].rows, expected[i].rows))
        << "sequence " << i << ", worst difference " << worstDifference(actual[i].rows, expected[i].rows);
  }
}

TEST_P(QuantisedTest, IsNearTheExactWeights) {
  Compared compared(modelCases()[GetParam().model], GetParam().build);
  if (compared.model.config.experts.active < compared.model.config.experts.count)
    GTEST_SKIP() << "with other weights tokens may choose other experts, which are not near";
  SCOPED_TRACE("config:\n" + compared.modelCase.configText);
  const Quality &quality = compared.quantised.weights == "int8" ? kInt8Quality : kInt4Quality;
  std::vector<Logits> expected = compared.run(compared.model, compared.plain);
  std::vector<std::vector<int8_t>> forced;
  for (const Logits &logits : expected)
    forced.push_back(flatten(logits.routing));
  std::vector<Logits> actual = compared.run(compared.model, compared.quantised, forced);
  for (size_t i = 0; i < actual.size(); ++i) {
    double worst = worstDifference(actual[i].rows, expected[i].rows);
    double mean = meanDifference(actual[i].rows, expected[i].rows);
    EXPECT_LE(mean, quality.mean) << "sequence " << i;
    if (worst > quality.worst)
      EXPECT_LE(worst, kWorstOfOracle * compared.worstByOracle(i, expected[i].routing)) << "sequence " << i;
    EXPECT_GT(mean, 0) << "the weights were not rounded";
    std::ostringstream text;
    text << mean << " worst " << worst;
    RecordProperty("mean_difference_" + std::to_string(i), text.str());
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, QuantisedTest, testing::ValuesIn(quantisedModelBuilds()),
                         [](const auto &info) { return modelBuildName(info.param); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(QuantisedTest);

/// Wider than a group of 32 weights, with a rest, and tied or not.
ModelCase wideCase(const std::string &tied) {
  return {"QuantisedWide",
          R"({"model_type": "chimera", "vocab_size": 53, "hidden_size": 72, "num_hidden_layers": 2,
    "num_attention_heads": 3, "head_dim": 24, "intermediate_size": 100, "window": 7, "tie_word_embeddings": )" +
              tied + R"(, "ssm": {"state_size": 8, "head_dim": 24}})",
          5,
          40,
          32,
          3};
}

class QuantisedWideTest : public testing::TestWithParam<Build> {};

TEST_P(QuantisedWideTest, GroupsOf32HaveTheirOwnExponentTiedOrNot) {
  for (const char *tied : {"true", "false"}) {
    Compared compared(wideCase(tied), GetParam());
    // Groups that differ much in size, one of them all zeros.
    Tensor &weights = compared.model.parameters.at("layers.0.ffn.down_proj.weight");
    for (size_t i = 0; i < weights.values.size(); ++i)
      weights.values[i] = i < 40 ? 0 : std::ldexp(weights.values[i], static_cast<int>(i / 32 % 7) - 3);
    std::vector<Logits> actual = compared.run(compared.model, compared.quantised);
    std::vector<Logits> expected = compared.run(compared.rounded(), compared.plain);
    for (size_t i = 0; i < actual.size(); ++i)
      EXPECT_TRUE(sameBits(actual[i].rows, expected[i].rows)) << "tied: " << tied << ", sequence " << i;
  }
}

/// The check itself: one weight that is one step away is told from the right one.
TEST_P(QuantisedWideTest, OneWeightOneStepAwayIsSeen) {
  Compared compared(wideCase("false"), GetParam());
  RandomModel rounded = compared.rounded();
  std::vector<double> &weights = rounded.parameters.at("lm_head.weight").values;
  double largest = 0;
  for (size_t i = 0; i < 32; ++i)
    largest = std::max(largest, std::abs(weights[i]));
  // q of the largest is 64 to 127 for int8, 4 to 7 for int4, so this is at most two steps and at least one.
  weights[3] += std::ldexp(1.0, std::ilogb(largest) - (GetParam().weights == "int8" ? 6 : 2));
  EXPECT_FALSE(sameBits(compared.run(compared.model, compared.quantised)[0].rows,
                        compared.run(rounded, compared.plain)[0].rows));
}

/// bf16 for every ISA, f32 for one of each vector width.
std::vector<Build> wideBuilds() {
  std::vector<Build> builds;
  for (const std::string &isa : hostIsas()) {
    for (const char *weights : {"int8", "int4"}) {
      builds.push_back(cpuBuild(isa, Precision::BF16, weights));
      if (multipliesByFma(isa))
        builds.push_back(cpuBuild(isa, Precision::F32, weights));
    }
  }
  return builds;
}

INSTANTIATE_TEST_SUITE_P(Cpu, QuantisedWideTest, testing::ValuesIn(wideBuilds()),
                         [](const auto &info) { return buildName(info.param); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(QuantisedWideTest);

TEST(Quantised, WeightsThatAreNotFiniteAreOneLineThatNamesTheTensor) {
  for (const char *weights : {"int8", "int4"})
    for (double value : {std::nan(""), std::numeric_limits<double>::infinity()})
      for (const char *name : {"layers.0.attn.k_proj.weight", "layers.2.ssm.in_proj.weight", "lm_head.weight"}) {
        ModelOnDisk onDisk(cpuBuild("native", Precision::F32, weights));
        onDisk.model.parameters.at(name).values[7] = value;
        writeModel(onDisk.model, onDisk.directory.path());
        ProcessResult result = onDisk.run({"--tokens", onDisk.writeArray<int32_t>("tokens.npy", {2}, {1, 2})});
        EXPECT_EQ(result.status, 1) << result.describe();
        EXPECT_EQ(countLines(result.err), 1) << result.err;
        EXPECT_NE(result.err.find(name), std::string::npos) << result.err;
      }
}

} // namespace
