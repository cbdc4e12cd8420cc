// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/OracleModel.h"

#include <cassert>
#include <cmath>

namespace chimera::test::oracle {

//===-- The layers ----------------------------------------------------------------------------------------------===//

template <typename T>
std::vector<T> Evaluation<T>::norm(NormKind kind, const std::string &name, const std::vector<T> &x) const {
  if (kind == NormKind::None)
    return x;
  std::vector<T> weight = parameters.at(name + ".weight").values;
  if (config.normUnitOffset && name.find("router.") == std::string::npos)
    for (T &w : weight)
      w = w + 1.0;
  if (kind == NormKind::Rms)
    return rmsNorm(x, weight, config.normEps);
  return layerNorm(x, weight, parameters.at(name + ".bias").values, config.normEps);
}

template <typename T>
std::vector<T> Evaluation<T>::normOfLayer(size_t layer, const std::string &name, const std::vector<T> &x) const {
  return norm(config.norm, "layers." + std::to_string(layer) + "." + name, x);
}

template <typename T>
std::vector<T> Evaluation<T>::step(int token, const std::vector<int8_t> *forced, const double *noise,
                                   std::vector<int8_t> &modes) {
  size_t width = config.hiddenSize;
  const TensorOf<T> &embedding = parameters.at("embed_tokens.weight");
  std::vector<T> x =
      scaled(slice(embedding.values, static_cast<size_t>(token) * width, width), config.embeddingMultiplier);
  modes.resize(layers.size());
  expertMargin = std::numeric_limits<double>::infinity();
  for (size_t layer = 0; layer < layers.size(); ++layer)
    x = runLayer(layer, x, forced ? forced->at(layer) : static_cast<int8_t>(kNotForced),
                 noise ? noise + layer * kModeCount : nullptr, modes[layer]);
  ++position;
  std::vector<T> logits =
      linear(config.tieWordEmbeddings ? embedding : parameters.at("lm_head.weight"),
             rounded(scaled(norm(config.norm, "norm", x), 1.0 / config.logitsScaling), options.rounding));
  for (T &logit : logits)
    logit = softCapped(logit, config.logitsSoftCap);
  return logits;
}

template <typename T>
std::vector<T> Evaluation<T>::runLayer(size_t layer, const std::vector<T> &x, int8_t forced, const double *noise,
                                       int8_t &mode) {
  LayerParametersOf<T> tensors = tensorsOf(layer);
  std::vector<T> h = hasMixer(layer) ? normOfLayer(layer, "input_norm", x) : x;
  if (hasMixer(layer) && config.tokenConvKernel > 0) {
    std::vector<std::vector<T>> &history = layers[layer].tokenConvInputs;
    history.push_back(h);
    h = add(h, causalConvolution(history, tensors.tensor("token_conv.weight"), tensors.vector("token_conv.bias")));
  }
  Routing<T> routing = route(layer, h, forced, noise);
  mode = routing.mode;
  std::vector<T> z = hasMixer(layer) ? mix(layer, x, h, routing) : x;
  bool hasNetwork =
      (config.intermediateSize > 0 || hasExperts(layer)) && (config.ffnLayers.empty() || config.ffnLayers[layer]);
  return hasNetwork ? add(z, scaled(feedForward(layer, z), config.residualMultiplier)) : z;
}

/// Whether the layer has more than a mode that adds nothing.
template <typename T> bool Evaluation<T>::hasMixer(size_t layer) const {
  return config.layerModes[layer].size() > 1 || config.layerModes[layer].front() != Mode::Identity ||
         config.identityOutput == IdentityOutput::NormedInput || besideOf(layer);
}

/// What a mixer or the network puts out, normalised if the model does that.
template <typename T>
std::vector<T> Evaluation<T>::postNormed(size_t layer, const std::string &name, const std::vector<T> &y) const {
  return config.postNorms ? normOfLayer(layer, name, y) : y;
}

template <typename T> std::vector<T> Evaluation<T>::feedForward(size_t layer, const std::vector<T> &z) {
  std::vector<T> u = normOfLayer(layer, "ffn_norm", z);
  return postNormed(layer, "post_ffn_norm", hasExperts(layer) ? experts(layer, u) : network(layer, "ffn", u));
}

/// The network whose matrices are NAME.gate_proj and so on.
template <typename T>
std::vector<T> Evaluation<T>::network(size_t layer, const std::string &name, const std::vector<T> &u) const {
  LayerParametersOf<T> tensors = tensorsOf(layer);
  std::vector<T> up = tensors.project(name + ".up_proj", u);
  std::vector<T> gate = up;
  if (config.mlpGated)
    gate = scaled(tensors.project(name + ".gate_proj", u), config.mlpGateMultiplier);
  for (size_t i = 0; i < up.size(); ++i)
    up[i] = config.mlpGated ? activated(config.mlpActivation, gate[i]) * up[i] : activated(config.mlpActivation, up[i]);
  return scaled(tensors.project(name + ".down_proj", up), config.mlpOutputMultiplier);
}

/// The experts with the greatest keys, the best first; of equals the first.
template <typename T> std::vector<size_t> Evaluation<T>::chooseExperts(const Vector &keys) {
  std::vector<size_t> order(keys.size());
  for (size_t e = 0; e < order.size(); ++e)
    order[e] = e;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return keys[a] != keys[b] ? keys[a] > keys[b] : a < b; });
  auto count = static_cast<size_t>(config.experts.active);
  if (count < order.size()) {
    expertMargin = std::min(expertMargin, keys[order[count - 1]] - keys[order[count]]);
    smallestMargin = std::min(smallestMargin, expertMargin);
  }
  order.resize(count);
  return order;
}

/// A mixture of experts: the sum of what the chosen ones make of u, each times its share, and of what the network
/// beside them does.
template <typename T> std::vector<T> Evaluation<T>::experts(size_t layer, const std::vector<T> &u) {
  using std::exp;
  const ExpertConfig &own = config.experts;
  LayerParametersOf<T> tensors = tensorsOf(layer);
  std::vector<T> logits = linear(tensors.tensor("ffn.router.weight"), u), scores = logits;
  T normalizer = logSumExp(logits);
  for (T &score : scores)
    score = own.score == ExpertScore::Sigmoid ? sigmoid(score) : exp(score - normalizer);
  Vector keys;
  for (size_t e = 0; e < scores.size(); ++e) {
    double bias = tensors.has("ffn.router.bias") ? valueOf(tensors.vector("ffn.router.bias")[e]) : 0.0;
    keys.push_back(own.bias ? valueOf(scores[e]) + bias : valueOf(logits[e]));
  }
  std::vector<size_t> chosen = chooseExperts(keys);
  T sum = 0.0;
  for (size_t e : chosen)
    sum += scores[e];
  std::vector<T> y(u.size(), T(0.0));
  if (own.sharedIntermediateSize > 0) {
    y = network(layer, "ffn", u);
    for (T &value : y)
      if (own.sharedGate)
        value = value * sigmoid(linear(tensors.tensor("ffn.router.shared.weight"), u)[0]);
  }
  for (size_t e : chosen) {
    T share = own.scale * (own.normalized ? scores[e] / sum : scores[e]);
    std::vector<T> output = network(layer, "ffn.experts." + std::to_string(e), u);
    for (size_t i = 0; i < y.size(); ++i)
      y[i] += share * output[i];
  }
  return y;
}

//===-- Routing -------------------------------------------------------------------------------------------------===//

template <typename T> std::vector<T> Evaluation<T>::routerLogits(size_t layer, const std::vector<T> &h) const {
  LayerParametersOf<T> tensors = tensorsOf(layer);
  std::vector<T> u = norm(config.router.inputNorm, "layers." + std::to_string(layer) + ".router.norm", h);
  if (config.router.kind == RouterKind::Linear)
    return linear(tensors.tensor("router.proj.weight"), u);
  std::vector<T> hidden = linear(tensors.tensor("router.fc1.weight"), u);
  for (T &value : hidden)
    value = silu(value);
  return linear(tensors.tensor("router.fc2.weight"), hidden);
}

/// Whether `mode` may take the token at the current position: n < min(ceil(r (t+1)), max_tokens), r the product of
/// capacity factor and target, every product rounded once to double.
template <typename T> bool Evaluation<T>::hasRoom(int8_t mode, const LayerState<T> &state) const {
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
template <typename T> int8_t Evaluation<T>::admit(size_t layer, int8_t wanted) const {
  std::vector<int8_t> chain;
  for (int8_t mode : {kFull, kSwa, kSsm, kIdentity})
    if (layerHas(layer, mode) && (!chain.empty() || mode == wanted))
      chain.push_back(mode);
  for (int8_t mode : chain)
    if (mode == kIdentity || mode == chain.back() || hasRoom(mode, layers[layer]))
      return mode;
  assert(false && "the last mode of the chain always has room");
  return wanted;
}

/// The index of the greatest score, noise included; the first of equals.
template <typename T>
size_t Evaluation<T>::choose(const std::vector<T> &scores, const std::vector<Mode> &modes, const double *noise) {
  Vector values;
  for (size_t k = 0; k < scores.size(); ++k)
    values.push_back(valueOf(scores[k]) + (noise ? options.temperature * noise[static_cast<size_t>(modes[k])] : 0.0));
  size_t best = std::max_element(values.begin(), values.end()) - values.begin();
  for (size_t k = 0; k < values.size(); ++k)
    if (k != best)
      smallestMargin = std::min(smallestMargin, values[best] - values[k]);
  return best;
}

/// p, or 1 with the straight-through gradient: the gradient of p - stop(p) + 1.
template <typename T> T Evaluation<T>::gateOf(const T &logProbability) {
  using std::exp;
  T probability = exp(logProbability);
  if (config.router.gate == GateKind::Prob)
    return probability;
  if (options.stopped)
    return probability - options.stopped->at(valueOf(probability)) + 1.0;
  return straightThrough(probability, 1.0);
}

/// What a mode's probability costs; 1 - p is the sum of the others, which keeps its digits where p is near 1.
template <typename T>
static T priceOf(const LayerPrices &prices, const std::vector<Mode> &modes, Mode mode, const Routing<T> &routing) {
  using std::exp;
  using std::log;
  T others = 0.0;
  for (Mode other : modes)
    if (other != mode)
      others += exp(routing.logProbability[static_cast<size_t>(other)]);
  auto k = static_cast<size_t>(mode);
  return prices[k] * exp(routing.logProbability[k]) - prices[kModeCount + k] * log(others) -
         prices[2 * kModeCount + k] * routing.logProbability[k];
}

/// Adds a token to the statistics of its layer's router, and what its probabilities cost to the sum of prices.
template <typename T>
void Evaluation<T>::account(size_t layer, int8_t wanted, const Routing<T> &routing, bool refused) {
  using std::exp;
  RouterStatistics &sums = statistics[layer];
  T entropy = 0.0;
  for (Mode mode : config.layerModes[layer]) {
    auto k = static_cast<size_t>(mode);
    T probability = exp(routing.logProbability[k]);
    entropy += -(probability * routing.logProbability[k]);
    sums[2 * kModeCount + k] += valueOf(probability);
    if (options.prices)
      priced += priceOf(options.prices->at(layer), config.layerModes[layer], mode, routing);
  }
  if (options.prices)
    priced += options.prices->at(layer)[3 * kModeCount] * entropy;
  sums[wanted] += 1.0;
  sums[kModeCount + routing.mode] += 1.0;
  sums[3 * kModeCount] += valueOf(entropy);
  sums[3 * kModeCount + 1] += refused ? 1.0 : 0.0;
  refusals += refused;
}

template <typename T>
Routing<T> Evaluation<T>::route(size_t layer, const std::vector<T> &h, int8_t forced, const double *noise) {
  const std::vector<Mode> &modes = config.layerModes[layer];
  Routing<T> routing{static_cast<int8_t>(modes.front()), 1.0, {}};
  if (modes.size() > 1) {
    LayerParametersOf<T> tensors = tensorsOf(layer);
    std::vector<T> logits = routerLogits(layer, h);
    std::vector<T> scores = tensors.has("router.bias") ? add(logits, tensors.vector("router.bias")) : logits;

    std::vector<T> q = config.router.biasInGate ? scores : logits;
    for (size_t k = 0; k < modes.size(); ++k)
      q[k] = q[k] / options.temperature + (options.soft && noise ? noise[static_cast<size_t>(modes[k])] : 0.0);
    T normalizer = logSumExp(q);
    for (size_t k = 0; k < modes.size(); ++k)
      routing.logProbability[static_cast<size_t>(modes[k])] = q[k] - normalizer;

    auto wanted = static_cast<int8_t>(modes[choose(scores, modes, noise)]);
    routing.mode = forced != kNotForced ? forced : options.soft ? wanted : admit(layer, wanted);
    if (!options.soft)
      routing.gate = gateOf(routing.logProbability[routing.mode]);
    account(layer, wanted, routing, routing.mode != wanted && forced == kNotForced);
  }
  ++layers[layer].admitted[routing.mode];
  return routing;
}

//===-- Mixing --------------------------------------------------------------------------------------------------===//

/// Whether what the token writes for `mode` stays in the cache.
template <typename T> bool Evaluation<T>::keeps(size_t layer, int8_t mode, const Routing<T> &routing) const {
  if (mode == routing.mode || (options.soft && weighted(layer)))
    return true;
  return config.cacheWrite == CacheWrite::All && (mode == kSsm || mode == kSwa);
}

/// The output of `mode` [D], computed as for a token that was admitted there; `keep` says whether its cache advances.
/// It is empty where identity adds nothing; where nobody reads it, attention may leave it so.
template <typename T>
std::vector<T> Evaluation<T>::runMixer(size_t layer, int8_t mode, const std::vector<T> &h, const Routing<T> &routing,
                                       bool read, bool keep) {
  using std::exp;
  if (mode == kIdentity)
    return config.identityOutput == IdentityOutput::NormedInput ? h : std::vector<T>();

  LayerParametersOf<T> tensors = tensorsOf(layer);
  LayerState<T> &state = layers[layer];
  T logWeight = weighted(layer) ? routing.logProbability[mode] : T(0.0);
  if (mode == kSsm) {
    SsmStateOf<T> tentative = keep ? std::move(state.ssm) : state.ssm;
    T weight = exp(logWeight);
    std::vector<T> y = config.ssm.kind == SsmKind::Mamba2 ? advanceMamba2(config, tensors, h, weight, tentative)
                                                          : advanceLti(config, tensors, h, weight, tentative);
    if (keep)
      state.ssm = std::move(tentative);
    return y;
  }
  std::vector<EntryOf<T>> &entries = mode == kSwa ? state.ring : state.list;
  entries.push_back(makeEntry(config, tensors, h, position, logWeight, mode, &state.attentionInputs));
  std::vector<T> y;
  if (read)
    y = attend(config, tensors, h, position, entries,
               mode == kSwa ? static_cast<size_t>(config.window) : std::numeric_limits<size_t>::max(), mode,
               &state.attentionInputs);
  if (!keep)
    entries.pop_back();
  return y;
}

/// z = x + g mixer_m(h), or in soft routing x + sum_k p_k mixer_k(h); and what the mode beside them makes of h. Every
/// cache that the token writes is advanced.
template <typename T>
std::vector<T> Evaluation<T>::mix(size_t layer, const std::vector<T> &x, const std::vector<T> &h,
                                  const Routing<T> &routing) {
  using std::exp;
  std::vector<T> z = x;
  for (Mode each : config.layerModes[layer]) {
    auto mode = static_cast<int8_t>(each);
    bool read = options.soft || mode == routing.mode, keep = keeps(layer, mode, routing);
    if (!read && !keep)
      continue;
    std::vector<T> output = runMixer(layer, mode, h, routing, read, keep);
    if (!read || output.empty())
      continue;
    output = postNormed(layer, "post_mixer_norm", output);
    T share = options.soft ? exp(routing.logProbability[mode]) : routing.gate;
    for (size_t i = 0; i < z.size(); ++i)
      z[i] += share * (config.residualMultiplier * output[i]);
  }
  if (std::optional<Mode> beside = besideOf(layer)) {
    Routing<T> taken{static_cast<int8_t>(*beside), 1.0, {}};
    std::vector<T> output = runMixer(layer, taken.mode, h, taken, /*read=*/true, /*keep=*/true);
    z = add(z, scaled(postNormed(layer, "post_mixer_norm", output), config.residualMultiplier));
  }
  return z;
}

template class Evaluation<double>;
template class Evaluation<Var>;

} // namespace chimera::test::oracle
