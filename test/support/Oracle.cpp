// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/Oracle.h"

#include "test/support/OracleMixers.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>

namespace chimera::test {
namespace {

using namespace oracle;

/// What one layer remembers of one sequence: everything, so that nothing hides in how a cache is laid out.
struct LayerState {
  std::vector<Vector> tokenConvInputs;
  SsmState ssm;
  std::vector<Entry> ring;
  std::vector<Entry> list;
  std::array<int64_t, kModeCount> admitted{};
};

struct Routing {
  int8_t mode;
  double gate;
  /// ln p of each mode, by canonical index; 0 for the only mode of a layer.
  std::array<double, kModeCount> logProbability{};
};

class Evaluation {
public:
  Evaluation(const Config &config, const TensorMap &parameters, OperandRounding rounding)
      : config(config), parameters(parameters), rounding(rounding), layers(config.numLayers) {}

  Vector step(int token, const std::vector<int8_t> *forced, std::vector<int8_t> &modes);

  double smallestMargin = std::numeric_limits<double>::infinity();
  int64_t refusals = 0;

private:
  Vector norm(NormKind kind, const TensorMap &tensors, const std::string &name, const Vector &x) const;
  Vector normOfLayer(size_t layer, const std::string &name, const Vector &x) const;
  Vector runLayer(size_t layer, const Vector &x, int8_t forced, int8_t &mode);
  Routing route(size_t layer, const Vector &h, int8_t forced, LayerState &state);
  Vector routerLogits(const LayerParameters &tensors, size_t layer, const Vector &h) const;
  int8_t admit(size_t layer, int8_t wanted, const LayerState &state) const;
  bool hasRoom(int8_t mode, const LayerState &state) const;
  Vector mix(size_t layer, const Vector &h, const Routing &routing, LayerState &state) const;
  Vector feedForward(size_t layer, const Vector &z) const;

  bool layerHas(size_t layer, int8_t mode) const {
    const std::vector<Mode> &modes = config.layerModes[layer];
    return std::find(modes.begin(), modes.end(), static_cast<Mode>(mode)) != modes.end();
  }

  const Config &config;
  const TensorMap &parameters;
  OperandRounding rounding;
  std::vector<LayerState> layers;
  int64_t position = 0;
};

Vector Evaluation::norm(NormKind kind, const TensorMap &tensors, const std::string &name, const Vector &x) const {
  if (kind == NormKind::None)
    return x;
  const Vector &weight = tensors.at(name + ".weight").values;
  if (kind == NormKind::Rms)
    return rmsNorm(x, weight, config.normEps);
  return layerNorm(x, weight, tensors.at(name + ".bias").values, config.normEps);
}

Vector Evaluation::normOfLayer(size_t layer, const std::string &name, const Vector &x) const {
  return norm(config.norm, parameters, "layers." + std::to_string(layer) + "." + name, x);
}

/// One token through the whole model. Returns its logits [V]; `modes` receives the admitted mode of each layer.
Vector Evaluation::step(int token, const std::vector<int8_t> *forced, std::vector<int8_t> &modes) {
  size_t width = config.hiddenSize;
  const Tensor &embedding = parameters.at("embed_tokens.weight");
  Vector x = slice(embedding.values, static_cast<size_t>(token) * width, width);
  modes.resize(layers.size());
  for (size_t layer = 0; layer < layers.size(); ++layer)
    x = runLayer(layer, x, forced ? forced->at(layer) : static_cast<int8_t>(kNotForced), modes[layer]);
  ++position;
  return linear(config.tieWordEmbeddings ? embedding : parameters.at("lm_head.weight"),
                rounded(norm(config.norm, parameters, "norm", x), rounding));
}

Vector Evaluation::runLayer(size_t layer, const Vector &x, int8_t forced, int8_t &mode) {
  LayerParameters tensors(parameters, layer, rounding);
  LayerState &state = layers[layer];
  Vector h = normOfLayer(layer, "input_norm", x);
  if (config.tokenConvKernel > 0) {
    state.tokenConvInputs.push_back(h);
    h = add(h, causalConvolution(state.tokenConvInputs, tensors.tensor("token_conv.weight"),
                                 tensors.vector("token_conv.bias")));
  }
  Routing routing = route(layer, h, forced, state);
  mode = routing.mode;
  Vector mixed = mix(layer, h, routing, state);
  Vector z(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    z[i] = x[i] + routing.gate * mixed[i];
  return config.intermediateSize > 0 ? add(z, feedForward(layer, z)) : z;
}

Vector Evaluation::feedForward(size_t layer, const Vector &z) const {
  LayerParameters tensors(parameters, layer, rounding);
  Vector u = normOfLayer(layer, "ffn_norm", z);
  Vector gate = tensors.project("ffn.gate_proj.weight", u);
  Vector up = tensors.project("ffn.up_proj.weight", u);
  for (size_t i = 0; i < gate.size(); ++i)
    up[i] *= silu(gate[i]);
  return tensors.project("ffn.down_proj.weight", up);
}

Vector Evaluation::routerLogits(const LayerParameters &tensors, size_t layer, const Vector &h) const {
  Vector u = norm(config.router.inputNorm, parameters, "layers." + std::to_string(layer) + ".router.norm", h);
  if (config.router.kind == RouterKind::Linear)
    return linear(tensors.tensor("router.proj.weight"), u);
  Vector hidden = linear(tensors.tensor("router.fc1.weight"), u);
  for (double &value : hidden)
    value = silu(value);
  return linear(tensors.tensor("router.fc2.weight"), hidden);
}

/// Whether `mode` may take the token at the current position: n < min(ceil(r (t+1)), max_tokens), r the product of
/// capacity factor and target, every product rounded once to double.
bool Evaluation::hasRoom(int8_t mode, const LayerState &state) const {
  auto count = static_cast<double>(state.admitted[mode]);
  if (config.router.capacityFactor) {
    double rate = *config.router.capacityFactor * config.router.target[mode];
    if (!(count < std::ceil(rate * static_cast<double>(position + 1))))
      return false;
  }
  return !config.router.maxTokens[mode] || state.admitted[mode] < *config.router.maxTokens[mode];
}

/// The first mode with room from `wanted` on along full, swa, ssm, identity; identity and the layer's last one always
/// have it.
int8_t Evaluation::admit(size_t layer, int8_t wanted, const LayerState &state) const {
  std::vector<int8_t> chain;
  for (int8_t mode : {kFull, kSwa, kSsm, kIdentity})
    if (layerHas(layer, mode) && (!chain.empty() || mode == wanted))
      chain.push_back(mode);
  for (int8_t mode : chain)
    if (mode == kIdentity || mode == chain.back() || hasRoom(mode, state))
      return mode;
  assert(false && "the last mode of the chain always has room");
  return wanted;
}

Routing Evaluation::route(size_t layer, const Vector &h, int8_t forced, LayerState &state) {
  const std::vector<Mode> &modes = config.layerModes[layer];
  Routing routing{static_cast<int8_t>(modes.front()), 1.0, {}};
  if (modes.size() > 1) {
    LayerParameters tensors(parameters, layer, rounding);
    Vector logits = routerLogits(tensors, layer, h);
    Vector scores = tensors.has("router.bias") ? add(logits, tensors.vector("router.bias")) : logits;
    size_t best = std::max_element(scores.begin(), scores.end()) - scores.begin(); // the first of equals
    for (size_t k = 0; k < scores.size(); ++k)
      if (k != best)
        smallestMargin = std::min(smallestMargin, scores[best] - scores[k]);

    Vector q = config.router.biasInGate ? scores : logits;
    for (double &value : q)
      value /= config.router.temperature;
    for (size_t k = 0; k < modes.size(); ++k)
      routing.logProbability[static_cast<size_t>(modes[k])] = q[k] - logSumExp(q);

    auto wanted = static_cast<int8_t>(modes[best]);
    routing.mode = forced == kNotForced ? admit(layer, wanted, state) : forced;
    refusals += routing.mode != wanted && forced == kNotForced;
    if (config.router.gate == GateKind::Prob)
      routing.gate = std::exp(routing.logProbability[routing.mode]);
  }
  ++state.admitted[routing.mode];
  return routing;
}

/// The output of the admitted mode [D]; every cache that the token writes is advanced.
Vector Evaluation::mix(size_t layer, const Vector &h, const Routing &routing, LayerState &state) const {
  LayerParameters tensors(parameters, layer, rounding);
  bool writesAll = config.cacheWrite == CacheWrite::All;
  bool weighted = config.router.writeGate && config.layerModes[layer].size() > 1;
  auto logWeight = [&](int8_t mode) { return weighted ? routing.logProbability[mode] : 0.0; };

  Vector output(h.size(), 0.0);
  if (layerHas(layer, kSsm) && (routing.mode == kSsm || writesAll)) {
    double weight = weighted ? std::exp(logWeight(kSsm)) : 1.0;
    Vector y = config.ssm.kind == SsmKind::Mamba2 ? advanceMamba2(config, tensors, h, weight, state.ssm)
                                                  : advanceLti(config, tensors, h, weight, state.ssm);
    if (routing.mode == kSsm)
      output = y;
  }
  if (layerHas(layer, kSwa) && (routing.mode == kSwa || writesAll)) {
    state.ring.push_back(makeEntry(config, tensors, h, position, logWeight(kSwa)));
    if (routing.mode == kSwa)
      output = attend(config, tensors, h, position, state.ring, config.window);
  }
  if (routing.mode == kFull) {
    state.list.push_back(makeEntry(config, tensors, h, position, logWeight(kFull)));
    output = attend(config, tensors, h, position, state.list);
  }
  if (routing.mode == kIdentity && config.identityOutput == IdentityOutput::NormedInput)
    output = h;
  return output;
}

} // namespace

OracleResult runOracle(const Config &config, const TensorMap &parameters, const std::vector<int> &tokens,
                       const RoutingTable *forced, OperandRounding rounding) {
  Evaluation evaluation(config, parameters, rounding);
  OracleResult result;
  for (size_t t = 0; t < tokens.size(); ++t) {
    result.routing.emplace_back();
    result.logits.push_back(evaluation.step(tokens[t], forced ? &forced->at(t) : nullptr, result.routing.back()));
  }
  result.smallestMargin = evaluation.smallestMargin;
  result.refusals = evaluation.refusals;
  return result;
}

} // namespace chimera::test
