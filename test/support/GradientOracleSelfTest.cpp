// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The gradient oracle against central finite differences of its own forward pass in double.
#include "test/support/GradientOracle.h"
#include "test/support/Random.h"
#include "test/support/RandomModel.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace chimera;
using namespace chimera::test;
using nlohmann::json;

namespace {

constexpr int kSequences = 2, kLength = 12;

/// `text` with the same options and sizes so small that thousands of forward passes take no time.
std::string shrunk(const std::string &text) {
  json config = json::parse(text);
  auto atMost = [](json &value, int limit) { value = std::min(value.get<int>(), limit); };
  config["vocab_size"] = 11;
  config["hidden_size"] = 8;
  atMost(config["intermediate_size"], 5);
  atMost(config["window"], 5);
  if (config["num_hidden_layers"].get<int>() > 2) {
    config["num_hidden_layers"] = 2;
    for (const char *key : {"modes", "rope_layers", "ffn_layers"})
      if (config.contains(key) && !config[key][0].is_string())
        config[key] = json::array({config[key][0], config[key][1]});
    if (config.contains("parallel_modes"))
      config["parallel_modes"].erase(config["parallel_modes"].begin() + 2, config["parallel_modes"].end());
    if (config.contains("experts"))
      config["experts"].erase("layers");
  }
  if (config.contains("head_dim") && config["head_dim"].get<int>() > 4) {
    config["head_dim"] = 4;
    config["partial_rotary_factor"] = std::max(config["partial_rotary_factor"].get<double>(), 0.5);
  }
  if (config.contains("ssm")) {
    json &ssm = config["ssm"];
    atMost(ssm["state_size"], 3);
    if (ssm["kind"] == "mamba2") {
      atMost(ssm["head_dim"], 4);
      int heads = ssm.value("expand", 2) * 8 / ssm["head_dim"].get<int>();
      ssm["n_groups"] = std::gcd(ssm["n_groups"].get<int>(), heads);
    }
  }
  if (config["router"].contains("hidden_size"))
    atMost(config["router"]["hidden_size"], 4);
  return config.dump();
}

/// A model with a batch, prices and noise: all that the objective depends on.
struct Problem {
  RandomModel model;
  TrainingBatch batch;
  TrainingRouting routing;
  TrainingExtras extras;

  Problem(const std::string &text, TrainingRouting routing, uint64_t seed)
      : model(makeModel(text, Precision::F64, seed)), batch(randomBatch(model.config, kSequences, kLength, seed)),
        routing(routing) {
    Random random(seed);
    extras.temperature = random.uniform(0.6, 1.5);
    for (int64_t layer = 0; layer < model.config.numLayers; ++layer) {
      extras.prices.emplace_back();
      for (double &price : extras.prices.back())
        price = 0.05 * random.normal();
    }
    if (random.chance(0.5))
      for (int64_t i = 0; i < kSequences * kLength * model.config.numLayers * kModeCount; ++i)
        extras.noise.push_back(0.7 * random.normal());
  }

  GradientResult gradients() const { return gradientOracle(model.config, model.parameters, batch, routing, extras); }
};

/// Differences of the objective along a direction in one parameter.
class Differences {
public:
  Differences(const Problem &problem)
      : problem(problem), parameters(problem.model.parameters), modes(evaluate().modes) {}

  /// The derivative of the objective when the named tensor moves by `step * direction`: the central difference of
  /// fourth order. False if some token chose another mode on the way, where the objective is not continuous.
  bool along(const std::string &name, const std::vector<double> &direction, double step, double &derivative) {
    const double weights[] = {1.0 / 12, -2.0 / 3, 0, 2.0 / 3, -1.0 / 12};
    const Tensor centre = parameters.at(name);
    derivative = 0.0;
    bool continuous = true;
    for (int k : {-2, -1, 1, 2}) {
      Tensor &moved = parameters.at(name);
      for (size_t i = 0; i < direction.size(); ++i)
        moved.values[i] = centre.values[i] + k * step * direction[i];
      TrainingResult result = evaluate();
      continuous = continuous && result.modes == modes;
      derivative += weights[k + 2] * result.objective / step;
    }
    parameters.at(name) = centre;
    return continuous;
  }

private:
  TrainingResult evaluate() {
    stopped.rewind();
    return trainingOracle(problem.model.config, parameters, problem.batch, problem.routing, problem.extras, &stopped);
  }

  const Problem &problem;
  TensorMap parameters;
  oracle::StoppedValues stopped;
  std::vector<RoutingTable> modes;
};

double normOf(const std::vector<double> &x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

/// What was compared, so that a test can tell that it compared enough.
struct Comparisons {
  int made = 0, skipped = 0;
};

/// Holds <gradient, direction> against the difference, relative to the norm of the gradient of that parameter.
void compare(Differences &differences, const std::string &name, const Tensor &gradient,
             const std::vector<double> &direction, Comparisons &comparisons) {
  double expected = std::inner_product(direction.begin(), direction.end(), gradient.values.begin(), 0.0);
  double scale = normOf(gradient.values) + 1e-3, error = 1e300;
  bool continuous = false;
  // The bounds of dt are kinks, which a shorter step stays clear of.
  for (double step : {1e-4, 1e-5, 1e-6}) {
    double measured = 0.0;
    if (error < 1e-8 * scale || !differences.along(name, direction, step, measured))
      continue;
    continuous = true;
    error = std::min(error, std::abs(measured - expected));
  }
  comparisons.skipped += !continuous;
  comparisons.made += continuous;
  if (continuous) {
    EXPECT_LE(error, 1e-7 * scale) << name << ": " << expected;
  }
}

std::vector<double> randomDirection(size_t size, Random &random) {
  std::vector<double> direction(size);
  for (double &value : direction)
    value = random.normal();
  double length = normOf(direction);
  for (double &value : direction)
    value /= length;
  return direction;
}

std::vector<double> axis(size_t size, size_t i) {
  std::vector<double> direction(size, 0.0);
  direction[i] = 1.0;
  return direction;
}

std::string routingName(const testing::TestParamInfo<TrainingRouting> &info) {
  return info.param == TrainingRouting::Hard ? "Hard" : "Soft";
}

class GradientOfEveryOption : public testing::TestWithParam<TrainingRouting> {};

/// Every parameter of every config along a random direction, in which each element has a part, and along the axis of
/// its steepest element.
TEST_P(GradientOfEveryOption, AgreesWithFiniteDifferences) {
  Comparisons comparisons;
  uint64_t seed = 0;
  for (const std::string &text : pairwiseConfigs(5)) {
    SCOPED_TRACE("seed " + std::to_string(++seed) + "\n" + shrunk(text));
    Problem problem(shrunk(text), GetParam(), seed);
    GradientResult result = problem.gradients();
    Differences differences(problem);
    Random random(seed);
    for (const auto &[name, gradient] : result.gradients) {
      size_t size = gradient.values.size();
      auto less = [](double a, double b) { return std::abs(a) < std::abs(b); };
      auto steepest = std::max_element(gradient.values.begin(), gradient.values.end(), less) - gradient.values.begin();
      compare(differences, name, gradient, randomDirection(size, random), comparisons);
      compare(differences, name, gradient, axis(size, static_cast<size_t>(steepest)), comparisons);
    }
  }
  EXPECT_GT(comparisons.made, 1500);
  EXPECT_LT(comparisons.skipped, comparisons.made / 20);
}

INSTANTIATE_TEST_SUITE_P(Routing, GradientOfEveryOption, testing::Values(TrainingRouting::Hard, TrainingRouting::Soft),
                         routingName);

/// Models of a few hundred parameters, with all that has parameters in some of them.
const char *const tiny[] = {
    R"({"model_type": "chimera", "vocab_size": 5, "hidden_size": 4, "num_hidden_layers": 2, "intermediate_size": 3,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "partial_rotary_factor": 0.5,
        "norm": "layer", "token_conv_kernel": 2, "tie_word_embeddings": true, "window": 3,
        "ssm": {"state_size": 2, "head_dim": 2, "n_groups": 2, "conv_kernel": 3},
        "router": {"kind": "mlp", "hidden_size": 3, "input_norm": "layer", "write_gate": true}})",
    R"({"model_type": "chimera", "vocab_size": 5, "hidden_size": 4, "num_hidden_layers": 2, "intermediate_size": 0,
        "num_attention_heads": 2, "head_dim": 2, "identity_output": "normed_input", "window": 2,
        "ssm": {"kind": "lti", "state_size": 3},
        "router": {"input_norm": "rms", "gate": "one", "bias_in_gate": true, "capacity_factor": 1.2}})",
    R"({"model_type": "chimera", "vocab_size": 5, "hidden_size": 4, "num_hidden_layers": 3, "intermediate_size": 2,
        "num_attention_heads": 1, "head_dim": 4, "cache_write": "all", "qkv_bias": true, "attention_out_bias": true,
        "mlp_bias": true, "qk_norm": true, "rope_layers": [true, true, false],
        "attention_multiplier": 0.3, "embedding_multiplier": 2, "residual_multiplier": 0.4, "logits_scaling": 0.5,
        "modes": [["ssm", "full"], ["ssm"], ["ssm", "swa", "identity"]], "window": 4,
        "ssm": {"state_size": 2, "head_dim": 4, "expand": 1, "conv_kernel": 2, "proj_bias": true,
                "time_step_limit": [0.1, 0.6]},
        "router": {"gate": "one", "write_gate": true}})",
    R"({"model_type": "chimera", "vocab_size": 5, "hidden_size": 4, "num_hidden_layers": 1, "intermediate_size": 0,
        "num_attention_heads": 2, "head_dim": 2, "modes": ["ssm", "swa", "full"], "window": 3,
        "ssm": {"kind": "lti", "state_size": 2}, "router": {"write_gate": true}})"};

class GradientOfEveryElement : public testing::TestWithParam<TrainingRouting> {};

TEST_P(GradientOfEveryElement, AgreesWithFiniteDifferences) {
  Comparisons comparisons;
  uint64_t seed = 0;
  for (const char *text : tiny) {
    SCOPED_TRACE(text);
    Problem problem(text, GetParam(), ++seed);
    GradientResult result = problem.gradients();
    Differences differences(problem);
    for (const auto &[name, gradient] : result.gradients)
      for (size_t i = 0; i < gradient.values.size(); ++i)
        compare(differences, name, gradient, axis(gradient.values.size(), i), comparisons);
  }
  EXPECT_GT(comparisons.made, 1000);
  EXPECT_LT(comparisons.skipped, comparisons.made / 20);
}

INSTANTIATE_TEST_SUITE_P(Routing, GradientOfEveryElement, testing::Values(TrainingRouting::Hard, TrainingRouting::Soft),
                         routingName);

} // namespace
