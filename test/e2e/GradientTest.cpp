// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The gradients that compiled training programs make, against the oracle's automatic differentiation and against finite
// differences of what the compiled evaluation gives.
#include "test/e2e/Cases.h"
#include "test/e2e/TrainingEngine.h"
#include "test/support/Random.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <stdexcept>

using namespace chimera;
using namespace chimera::test;

namespace {

/// A model's kinds of routing are one test: the programs of both are one binary.
struct GradientCase {
  size_t model;
  Build build;
};

void PrintTo(const GradientCase &gradientCase, std::ostream *out) {
  *out << modelCases()[gradientCase.model].name << " " << buildName(gradientCase.build);
}

std::string caseName(const testing::TestParamInfo<GradientCase> &info) {
  return modelCases()[info.param.model].name + "_" + buildName(info.param.build);
}

/// Every model in f64; every second in f32 of the cpu target for ISAs in turn, and of the others every fourth in bf16
/// of it; some in f32 or bf16 of `ref`.
std::vector<GradientCase> gradientCases() {
  std::vector<GradientCase> cases;
  for (size_t model = 0; model < modelCases().size(); ++model) {
    std::vector<Build> builds = {refBuild(Precision::F64)};
    if (model % 16 == 0 || longMode())
      builds.push_back(refBuild(Precision::F32));
    if (model % 16 == 8 || longMode())
      builds.push_back(refBuild(Precision::BF16));
    if (!hostIsas().empty() && (model % 2 == 0 || longMode()))
      builds.push_back(cpuBuild(hostIsas()[model / 2 % hostIsas().size()], Precision::F32));
    if (!hostIsas().empty() && (model % 8 == 1 || longMode()))
      builds.push_back(cpuBuild(hostIsas()[model / 8 % hostIsas().size()], Precision::BF16));
    for (const Build &build : builds)
      cases.push_back({model, trainingBuild(build)});
  }
  return cases;
}

/// How close a build comes to the oracle.
struct Closeness {
  /// Of a gradient, by the norm of a tensor, and of the loss.
  double gradient, loss;
  /// Of the sums over tokens that the router keeps, by token.
  double statistics;
  /// A tensor whose norm is below this share of the whole gradient's counts as if it had it: a gradient that is zero
  /// but for roundings has no direction to agree on.
  double floor;
  /// The smallest margin of a decision that no rounding changes.
  double margin;
  /// Of a batch. Roundings of bf16 are so large that only among few tokens there is none with a close decision.
  int sequences, length;
};

const Closeness &closeness(Precision precision) {
  static const Closeness f64 = {1e-8, 1e-10, 1e-11, 1e-6, 0, 4, 20}, f32 = {1e-4, 1e-4, 1e-4, 1e-3, 1e-4, 4, 20};
  // An operand is off by up to 2^-9 of itself; some twenty of them lie one behind the other on the way to the loss, and
  // as many on the way back: errors that add up like a random walk are 2^-9 sqrt(40) = 1.2e-2, four times that where
  // few tokens have a norm of a nearly constant row. A target less in twelve is 0.2 and more.
  static const Closeness bf16 = {5e-2, 2e-2, 2e-2, 5e-2, 5e-2, 2, 6};
  return precision == Precision::F64 ? f64 : precision == Precision::F32 ? f32 : bf16;
}

double squares(const std::vector<double> &values) {
  double sum = 0;
  for (double value : values)
    sum += value * value;
  return sum;
}

double normOf(const TensorMap &tensors) {
  double sum = 0;
  for (const auto &[name, tensor] : tensors)
    sum += squares(tensor.values);
  return std::sqrt(sum);
}

/// |a - b| / |b| by the norm of a tensor; a norm below `scale` counts as it.
double relativeDistance(const std::vector<double> &a, const std::vector<double> &b, double scale) {
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i)
    difference[i] = a[i] - b[i];
  return std::sqrt(squares(difference)) / std::max(std::sqrt(squares(b)), scale);
}

/// Prices, pushes, pulls and coefficients of the entropy, on the scale of a mean over tokens.
std::vector<oracle::LayerPrices> randomPrices(int64_t layers, double tokens, Random &random) {
  std::vector<oracle::LayerPrices> prices(layers);
  for (oracle::LayerPrices &layer : prices)
    for (double &price : layer)
      price = random.uniform(-1, 1) / tokens;
  return prices;
}

class GradientTest : public testing::TestWithParam<GradientCase> {
protected:
  const ModelCase &modelCase() const { return modelCases()[GetParam().model]; }
  Precision precision() const { return GetParam().build.precision; }
  const Closeness &close() const { return closeness(precision()); }

  void SetUp() override {
    model = makeModel(modelCase().configText, precision(), modelCase().seed);
    ModelCase limits = modelCase();
    limits.maxTokens = close().sequences * close().length;
    limits.maxSeqs = close().sequences;
    writeModel(model, directory.path());
    engine = std::make_unique<TrainingEngine>(compileModel(limits, GetParam().build), directory.path(),
                                              close().sequences, close().length);
  }

  bool hasRouter() const {
    for (int64_t layer = 0; layer < model.config.numLayers; ++layer)
      if (model.config.hasRouter(layer))
        return true;
    return false;
  }

  /// Without routers there is one kind of routing.
  std::vector<TrainingRouting> kinds() const {
    return hasRouter() ? std::vector<TrainingRouting>{TrainingRouting::Hard, TrainingRouting::Soft}
                       : std::vector<TrainingRouting>{TrainingRouting::Hard};
  }

  /// A batch whose routing no rounding of the dtype can change.
  TrainingBatch robustBatch(const TrainingRun &run) const {
    for (uint64_t i = 0; i < 10000; ++i) {
      TrainingBatch batch = randomBatch(model.config, close().sequences, close().length, modelCase().seed + i);
      if (close().margin == 0 ||
          trainingOracle(model.config, model.parameters, batch, run.routing, run.extras).smallestMargin >
              close().margin)
        return batch;
    }
    throw std::runtime_error("every batch has a token that is hard to route");
  }

  void expectGradients(TrainingRun run);
  void expectEvaluation(const TrainingRun &run);
  void expectDifferences(const TrainingRun &run);

  RandomModel model;
  TemporaryDirectory directory;
  std::unique_ptr<TrainingEngine> engine;
  double worst = 0;
};

/// How far the gradients are from those of the oracle, by the worst tensor, which is named.
double worstDistance(const TensorMap &actual, const TensorMap &expected, double floor, std::string &where) {
  double scale = normOf(expected) * floor, worst = 0;
  where.clear();
  for (const auto &[name, tensor] : actual)
    if (expected.find(name) == expected.end()) {
      where = name + " is one too many";
      return INFINITY;
    }
  for (const auto &[name, tensor] : expected) {
    auto found = actual.find(name);
    if (found == actual.end() || found->second.shape != tensor.shape) {
      where = name + " is missing or has another shape";
      return INFINITY;
    }
    double distance = relativeDistance(found->second.values, tensor.values, scale);
    if (!(distance <= worst))
      worst = distance, where = name;
  }
  return worst;
}

/// With prices of all kinds, and soft routing with noise.
void GradientTest::expectGradients(TrainingRun run) {
  Random random(modelCase().seed);
  run.extras.temperature = random.uniform(0.5, 2);
  run.extras.prices = randomPrices(model.config.numLayers, close().sequences * close().length, random);
  if (run.routing == TrainingRouting::Soft)
    run.extras.noise = engine->noise(model.config.numLayers);
  TrainingBatch batch = robustBatch(run);
  GradientResult expected = gradientOracle(model.config, model.parameters, batch, run.routing, run.extras);
  GradientResult actual = engine->gradients(batch, run);
  EXPECT_NEAR(actual.loss, expected.loss, close().loss * std::max(1.0, expected.loss));
  EXPECT_EQ(actual.targets, expected.targets);
  std::string where;
  double distance = worstDistance(actual.gradients, expected.gradients, close().floor, where);
  EXPECT_LE(distance, close().gradient) << where;
  worst = std::max(worst, distance);

  // So that closeness says something: one target less is another gradient.
  for (std::vector<int> &targets : batch.targets)
    for (int &target : targets)
      if (target != kIgnoredTarget) {
        target = kIgnoredTarget;
        GradientResult other = engine->gradients(batch, run);
        EXPECT_GT(worstDistance(other.gradients, expected.gradients, close().floor, where), close().gradient);
        return;
      }
}

void GradientTest::expectEvaluation(const TrainingRun &run) {
  TrainingBatch batch = robustBatch(run);
  TrainingResult expected = trainingOracle(model.config, model.parameters, batch, run.routing, run.extras);
  TrainingResult actual = engine->evaluate(batch, run);
  EXPECT_NEAR(actual.loss, expected.loss, close().loss * std::max(1.0, expected.loss));
  EXPECT_EQ(actual.modes, expected.modes);
  EXPECT_EQ(actual.targets, expected.targets);
  if (precision() == Precision::F64)
    EXPECT_EQ(actual.correct, expected.correct);
  for (size_t layer = 0; layer < expected.statistics.size(); ++layer)
    for (size_t i = 0; i < expected.statistics[layer].size(); ++i)
      EXPECT_NEAR(actual.statistics[layer][i], expected.statistics[layer][i],
                  close().statistics * close().sequences * close().length)
          << "layer " << layer << ", entry " << i;
}

/// The compiled loss along random directions against the compiled gradient.
void GradientTest::expectDifferences(const TrainingRun &run) {
  // What is not differentiable has a gradient by definition: that of a token's one mode, whatever its probability.
  if (run.routing == TrainingRouting::Hard && hasRouter() && model.config.router.gate == GateKind::One)
    return;
  TrainingBatch batch = robustBatch(run);
  TensorMap gradients = engine->gradients(batch, run).gradients;
  std::vector<RoutingTable> modes = engine->evaluate(batch, run).modes;
  Random random(modelCase().seed + 1);
  int made = 0;
  for (int trial = 0; trial < 2; ++trial) {
    TensorMap direction;
    double expected = 0;
    for (const auto &[name, gradient] : gradients) {
      Tensor &part = direction[name] = gradient;
      for (double &value : part.values)
        value = random.normal();
      double length = std::sqrt(squares(part.values) * static_cast<double>(gradients.size()));
      for (size_t i = 0; i < part.values.size(); ++i)
        expected += (part.values[i] /= length) * gradient.values[i];
    }
    double error = INFINITY;
    // Bounds, as those of dt, are kinks, which a shorter step stays clear of; so it does of other modes.
    for (double step : {1e-4, 1e-5, 1e-6})
      if (std::optional<double> measured = engine->derivative(batch, run, modes, model, direction, step))
        error = std::min(error, std::abs(*measured - expected));
    if (error == INFINITY)
      continue;
    ++made;
    EXPECT_LE(error, 1e-8 * (normOf(gradients) + 1e-3)) << expected;
  }
  EXPECT_GT(made, 0) << "every step changes the routing";
}

TEST_P(GradientTest, AgreesWithTheOracle) {
  SCOPED_TRACE("seed " + std::to_string(modelCase().seed) + ", config:\n" + model.configText);
  for (TrainingRouting routing : kinds()) {
    SCOPED_TRACE(routing == TrainingRouting::Hard ? "hard" : "soft");
    TrainingRun run;
    run.routing = routing;
    expectGradients(run);
    expectEvaluation(run);
    if (precision() == Precision::F64)
      expectDifferences(run);
  }
  RecordProperty("worst_distance", std::to_string(worst));
}

INSTANTIATE_TEST_SUITE_P(Models, GradientTest, testing::ValuesIn(gradientCases()), caseName);

} // namespace
