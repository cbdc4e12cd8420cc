// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The oracle's model: one sequence, token by token, over doubles for values and over Vars for gradients.
#ifndef CHIMERA_TEST_SUPPORT_ORACLEMODEL_H
#define CHIMERA_TEST_SUPPORT_ORACLEMODEL_H

#include "test/support/OracleMixers.h"

#include <array>

namespace chimera::test::oracle {

/// Sums over the tokens that a layer's router saw: wanted [4], admitted [4] and p [4] by canonical mode, the entropy
/// -sum p ln p, and how many were refused.
using RouterStatistics = std::array<double, 14>;

/// The values at which gradients are stopped, kept from a first evaluation for those that repeat it with other
/// parameters. So finite differences see what a straight-through gradient is the gradient of.
class StoppedValues {
public:
  /// `current` on the first evaluation; after rewind(), what it was there.
  double at(double current) {
    if (next == values.size())
      values.push_back(current);
    return values[next++];
  }
  void rewind() { next = 0; }

private:
  std::vector<double> values;
  size_t next = 0;
};

/// Of a layer: price, push and pull of each canonical mode, and the coefficient of the entropy.
using LayerPrices = std::array<double, 13>;

struct EvaluationOptions {
  OperandRounding rounding = OperandRounding::None;
  /// Soft routing: z = x + sum_k p_k mixer_k(h), without capacity.
  bool soft = false;
  double temperature = 1.0;
  /// [L]; null: none.
  const std::vector<LayerPrices> *prices = nullptr;
  StoppedValues *stopped = nullptr;
};

/// What one layer remembers of one sequence: everything, so that nothing hides in how a cache is laid out.
template <typename T> struct LayerState {
  std::vector<std::vector<T>> tokenConvInputs;
  SsmStateOf<T> ssm;
  AttentionInputsOf<T> attentionInputs;
  std::vector<EntryOf<T>> ring;
  std::vector<EntryOf<T>> list;
  std::array<int64_t, kModeCount> admitted{};
};

/// What a router says of one token.
template <typename T> struct Routing {
  /// The admitted mode; in soft routing the wanted one.
  int8_t mode;
  T gate;
  /// ln p of each mode, by canonical index; 0 for the only mode of a layer.
  std::array<T, kModeCount> logProbability{};
};

/// One sequence through the model. `config` and `parameters` outlive it; an absent router bias is zero.
template <typename T> class Evaluation {
public:
  Evaluation(const Config &config, const TensorMapOf<T> &parameters, const EvaluationOptions &options)
      : statistics(config.numLayers), config(config), parameters(parameters), options(options),
        layers(config.numLayers) {}

  /// The next token through the whole model. Returns its logits [V]; `modes` receives the admitted mode of each layer.
  /// `forced` [L] overrides admission where it is not kNotForced; `noise` [L][4] times the temperature is added to the
  /// scores before the choice. Both may be null.
  std::vector<T> step(int token, const std::vector<int8_t> *forced, const double *noise, std::vector<int8_t> &modes);

  double smallestMargin = std::numeric_limits<double>::infinity();
  /// How much the last expert that was chosen was better than the next, at the closest choice of the last token.
  double expertMargin = std::numeric_limits<double>::infinity();
  int64_t refusals = 0;
  /// The sum over tokens and layers of what the prices make of p.
  T priced = 0.0;
  /// [L]; zeros in layers without a router.
  std::vector<RouterStatistics> statistics;

private:
  std::vector<T> norm(NormKind kind, const std::string &name, const std::vector<T> &x) const;
  std::vector<T> normOfLayer(size_t layer, const std::string &name, const std::vector<T> &x) const;
  std::vector<T> runLayer(size_t layer, const std::vector<T> &x, int8_t forced, const double *noise, int8_t &mode);
  std::vector<T> feedForward(size_t layer, const std::vector<T> &z);
  std::vector<T> network(size_t layer, const std::string &name, const std::vector<T> &u) const;
  std::vector<T> experts(size_t layer, const std::vector<T> &u);
  std::vector<size_t> chooseExperts(const Vector &keys);
  bool hasExperts(size_t layer) const {
    return config.experts.count > 0 && (config.experts.layers.empty() || config.experts.layers[layer]);
  }
  bool hasMixer(size_t layer) const;
  std::vector<T> postNormed(size_t layer, const std::string &name, const std::vector<T> &y) const;

  Routing<T> route(size_t layer, const std::vector<T> &h, int8_t forced, const double *noise);
  std::vector<T> routerLogits(size_t layer, const std::vector<T> &h) const;
  size_t choose(const std::vector<T> &scores, const std::vector<Mode> &modes, const double *noise);
  T gateOf(const T &logProbability);
  void account(size_t layer, int8_t wanted, const Routing<T> &routing, bool refused);
  int8_t admit(size_t layer, int8_t wanted) const;
  bool hasRoom(int8_t mode, const LayerState<T> &state) const;

  std::vector<T> mix(size_t layer, const std::vector<T> &x, const std::vector<T> &h, const Routing<T> &routing);
  std::vector<T> runMixer(size_t layer, int8_t mode, const std::vector<T> &h, const Routing<T> &routing, bool read,
                          bool keep);
  bool keeps(size_t layer, int8_t mode, const Routing<T> &routing) const;
  std::optional<Mode> besideOf(size_t layer) const {
    return config.parallelModes.empty() ? std::nullopt : config.parallelModes[layer];
  }
  bool weighted(size_t layer) const { return config.router.writeGate && config.layerModes[layer].size() > 1; }

  bool layerHas(size_t layer, int8_t mode) const {
    const std::vector<Mode> &modes = config.layerModes[layer];
    return std::find(modes.begin(), modes.end(), static_cast<Mode>(mode)) != modes.end();
  }
  LayerParametersOf<T> tensorsOf(size_t layer) const { return {parameters, layer, options.rounding}; }

  const Config &config;
  const TensorMapOf<T> &parameters;
  EvaluationOptions options;
  std::vector<LayerState<T>> layers;
  int64_t position = 0;
};

extern template class Evaluation<double>;
extern template class Evaluation<Var>;

} // namespace chimera::test::oracle

#endif
