// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The gradients that compiled training programs make, against the oracle's automatic differentiation.
#include "test/e2e/Cases.h"
#include "test/e2e/TrainingEngine.h"
#include "test/support/Random.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace chimera;
using namespace chimera::test;

namespace {

constexpr int sequences = 4, length = 20;

struct GradientCase {
  size_t model;
  Build build;
  TrainingRouting routing;
};

void PrintTo(const GradientCase &gradientCase, std::ostream *out) {
  *out << modelCases()[gradientCase.model].name << " " << buildName(gradientCase.build);
}

std::string caseName(const testing::TestParamInfo<GradientCase> &info) {
  return modelCases()[info.param.model].name + "_" + buildName(info.param.build) +
         (info.param.routing == TrainingRouting::Hard ? "_hard" : "_soft");
}

/// Without routers there is one kind of routing.
bool hasRouter(const ModelCase &modelCase) {
  Config config = std::get<Config>(parseConfig(modelCase.configText, modelCase.name));
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    if (config.hasRouter(layer))
      return true;
  return false;
}

/// Every model, hard and soft, in f64; every second in f32 of the cpu target for ISAs in turn; some in f32 of `ref`.
std::vector<GradientCase> gradientCases() {
  std::vector<GradientCase> cases;
  for (size_t model = 0; model < modelCases().size(); ++model) {
    std::vector<Build> builds = {refBuild(Precision::F64)};
    if (model % 8 == 0 || longMode())
      builds.push_back(refBuild(Precision::F32));
    if (!hostIsas().empty() && (model % 2 == 0 || longMode()))
      builds.push_back(cpuBuild(hostIsas()[model / 2 % hostIsas().size()], Precision::F32));
    for (const Build &build : builds)
      for (TrainingRouting routing : {TrainingRouting::Hard, TrainingRouting::Soft})
        if (routing == TrainingRouting::Hard || hasRouter(modelCases()[model]))
          cases.push_back({model, trainingBuild(build), routing});
  }
  return cases;
}

/// |a - b| / |b| by the norm of a tensor; a norm below `scale` counts as it.
double relativeDistance(const std::vector<double> &a, const std::vector<double> &b, double scale) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference) / std::max(std::sqrt(size), scale);
}

double normOf(const TensorMap &tensors) {
  double sum = 0;
  for (const auto &[name, tensor] : tensors)
    for (double value : tensor.values)
      sum += value * value;
  return std::sqrt(sum);
}

/// A few prices and a coefficient of the entropy, on the scale of a mean over tokens.
std::vector<std::array<double, 5>> randomPrices(int64_t layers, Random &random) {
  std::vector<std::array<double, 5>> prices(layers);
  for (std::array<double, 5> &layer : prices)
    for (double &price : layer)
      price = random.uniform(-1, 1) / (sequences * length);
  return prices;
}

class GradientTest : public testing::TestWithParam<GradientCase> {
protected:
  const ModelCase &modelCase() const { return modelCases()[GetParam().model]; }
  bool exact() const { return GetParam().build.precision == Precision::F64; }

  void SetUp() override {
    model = makeModel(modelCase().configText, GetParam().build.precision, modelCase().seed);
    run.routing = GetParam().routing;
    ModelCase limits = modelCase();
    limits.maxTokens = sequences * length;
    limits.maxSeqs = sequences;
    writeModel(model, directory.path());
    engine =
        std::make_unique<TrainingEngine>(compileModel(limits, GetParam().build), directory.path(), sequences, length);
  }

  /// A batch whose routing no rounding of the dtype can change.
  TrainingBatch robustBatch() {
    for (uint64_t seed = modelCase().seed;; ++seed) {
      TrainingBatch batch = randomBatch(model.config, sequences, length, seed);
      if (exact() ||
          trainingOracle(model.config, model.parameters, batch, run.routing, run.extras).smallestMargin > 1e-4)
        return batch;
    }
  }

  RandomModel model;
  TemporaryDirectory directory;
  std::unique_ptr<TrainingEngine> engine;
  TrainingRun run;
};

TEST_P(GradientTest, AgreesWithTheOracleByEveryParameter) {
  SCOPED_TRACE("seed " + std::to_string(modelCase().seed) + ", config:\n" + model.configText);

  Random random(modelCase().seed);
  run.extras.temperature = random.uniform(0.5, 2);
  run.extras.prices = randomPrices(model.config.numLayers, random);
  TrainingBatch batch = robustBatch();
  GradientResult expected = gradientOracle(model.config, model.parameters, batch, run.routing, run.extras);
  GradientResult actual = engine->gradients(batch, run);

  double tolerance = exact() ? 1e-8 : 1e-3;
  EXPECT_NEAR(actual.loss, expected.loss, tolerance * std::max(1.0, expected.loss));
  EXPECT_EQ(actual.targets, expected.targets);
  // A gradient that is zero but for roundings has no direction to agree on.
  double scale = normOf(expected.gradients) * (exact() ? 1e-6 : 1e-3);
  EXPECT_EQ(actual.gradients.size(), expected.gradients.size());
  double worst = 0;
  for (const auto &[name, tensor] : expected.gradients) {
    ASSERT_TRUE(actual.gradients.count(name)) << name;
    ASSERT_EQ(actual.gradients.at(name).shape, tensor.shape) << name;
    double distance = relativeDistance(actual.gradients.at(name).values, tensor.values, scale);
    EXPECT_LE(distance, tolerance) << name;
    worst = std::max(worst, distance);
  }
  RecordProperty("worst_distance", std::to_string(worst));
}

TEST_P(GradientTest, EvaluationAgreesWithTheOracle) {
  SCOPED_TRACE("seed " + std::to_string(modelCase().seed) + ", config:\n" + model.configText);
  TrainingBatch batch = robustBatch();
  TrainingResult expected = trainingOracle(model.config, model.parameters, batch, run.routing, run.extras);
  TrainingResult actual = engine->evaluate(batch, run);

  EXPECT_NEAR(actual.loss, expected.loss, (exact() ? 1e-10 : 1e-4) * std::max(1.0, expected.loss));
  EXPECT_EQ(actual.modes, expected.modes);
  EXPECT_EQ(actual.targets, expected.targets);
  if (exact())
    EXPECT_EQ(actual.correct, expected.correct);
  for (size_t layer = 0; layer < expected.statistics.size(); ++layer)
    for (size_t i = 0; i < expected.statistics[layer].size(); ++i)
      EXPECT_NEAR(actual.statistics[layer][i], expected.statistics[layer][i], exact() ? 1e-9 : 1e-2)
          << "layer " << layer << ", entry " << i;
}

INSTANTIATE_TEST_SUITE_P(Models, GradientTest, testing::ValuesIn(gradientCases()), caseName);

} // namespace
