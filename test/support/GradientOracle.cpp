// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/GradientOracle.h"

#include "test/support/Random.h"

#include <algorithm>
#include <string_view>

namespace chimera::test {
namespace {

using namespace oracle;

bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

EvaluationOptions optionsOf(TrainingRouting routing, const TrainingExtras &extras, StoppedValues *stopped) {
  EvaluationOptions options;
  options.soft = routing == TrainingRouting::Soft;
  options.temperature = extras.temperature;
  options.prices = extras.prices.empty() ? nullptr : &extras.prices;
  options.stopped = stopped;
  return options;
}

/// Adds the cross entropy of one position to `sum`, if its target counts.
template <typename T> void addCrossEntropy(const std::vector<T> &logits, int target, T &sum, TrainingResult &result) {
  if (target == kIgnoredTarget)
    return;
  const T &wanted = logits.at(static_cast<size_t>(target));
  sum += logSumExp(logits) - wanted;
  auto greater = [](const T &a, const T &b) { return valueOf(a) < valueOf(b); };
  ++result.targets;
  result.correct += std::max_element(logits.begin(), logits.end(), greater) - logits.begin() == target;
}

template <typename T> void addStatistics(const Evaluation<T> &evaluation, TrainingResult &result) {
  result.smallestMargin = std::min(result.smallestMargin, evaluation.smallestMargin);
  for (size_t layer = 0; layer < result.statistics.size(); ++layer)
    for (size_t i = 0; i < result.statistics[layer].size(); ++i)
      result.statistics[layer][i] += evaluation.statistics[layer][i];
}

/// Runs every sequence by itself. Returns the objective; `result` receives all that is not a gradient.
template <typename T>
T evaluate(const Config &config, const TensorMapOf<T> &parameters, const TrainingBatch &batch,
           const EvaluationOptions &options, const std::vector<double> &noise, TrainingResult &result) {
  T crossEntropy = 0.0, priced = 0.0;
  size_t row = 0, noiseOfRow = static_cast<size_t>(config.numLayers) * kModeCount;
  result.smallestMargin = std::numeric_limits<double>::infinity();
  result.statistics.assign(static_cast<size_t>(config.numLayers), {});
  for (size_t b = 0; b < batch.tokens.size(); ++b) {
    Evaluation<T> evaluation(config, parameters, options);
    RoutingTable &modes = result.modes.emplace_back();
    for (size_t t = 0; t < batch.tokens[b].size(); ++t, ++row)
      addCrossEntropy(evaluation.step(batch.tokens[b][t], nullptr, noise.empty() ? nullptr : &noise[row * noiseOfRow],
                                      modes.emplace_back()),
                      batch.targets.at(b).at(t), crossEntropy, result);
    priced += evaluation.priced;
    addStatistics(evaluation, result);
  }
  T loss = result.targets > 0 ? crossEntropy / static_cast<double>(result.targets) : T(0.0);
  result.loss = valueOf(loss);
  T objective = loss + priced;
  result.objective = valueOf(objective);
  return objective;
}

/// Every parameter as numbers of `tape`: those with a gradient as variables, the others as constants.
TensorMapOf<Var> variables(const TensorMap &parameters, Tape &tape) {
  TensorMapOf<Var> result;
  for (const auto &[name, tensor] : parameters) {
    TensorOf<Var> &copy = result[name];
    copy.shape = tensor.shape;
    for (double value : tensor.values)
      copy.values.push_back(hasGradient(name) ? tape.variable(value) : Var(value));
  }
  return result;
}

} // namespace

bool hasGradient(const std::string &parameter) {
  return !endsWith(parameter, ".router.bias") && !endsWith(parameter, ".router.ema");
}

TrainingResult trainingOracle(const Config &config, const TensorMap &parameters, const TrainingBatch &batch,
                              TrainingRouting routing, const TrainingExtras &extras, StoppedValues *stopped) {
  TrainingResult result;
  evaluate(config, parameters, batch, optionsOf(routing, extras, stopped), extras.noise, result);
  return result;
}

GradientResult gradientOracle(const Config &config, const TensorMap &parameters, const TrainingBatch &batch,
                              TrainingRouting routing, const TrainingExtras &extras) {
  Tape tape;
  TensorMapOf<Var> numbers = variables(parameters, tape);
  GradientResult result;
  Gradient gradient(evaluate(config, numbers, batch, optionsOf(routing, extras, nullptr), extras.noise, result));
  for (const auto &[name, tensor] : numbers) {
    if (!hasGradient(name))
      continue;
    Tensor &values = result.gradients[name];
    values.shape = tensor.shape;
    for (const Var &number : tensor.values)
      values.values.push_back(gradient.by(number));
  }
  return result;
}

TrainingBatch randomBatch(const Config &config, int sequences, int length, uint64_t seed) {
  Random random(seed);
  TrainingBatch batch;
  for (int b = 0; b < sequences; ++b) {
    std::vector<int> &tokens = batch.tokens.emplace_back(), &targets = batch.targets.emplace_back();
    for (int t = 0; t < length; ++t) {
      tokens.push_back(static_cast<int>(random.below(config.vocabSize)));
      auto target = static_cast<int>(random.below(config.vocabSize));
      bool counts = random.below(3) != 0 || (b == 0 && t == 0);
      targets.push_back(counts ? target : kIgnoredTarget);
    }
  }
  return batch;
}

} // namespace chimera::test
