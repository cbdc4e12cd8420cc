// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/OracleMixers.h"

#include <algorithm>
#include <cmath>

namespace chimera::test::oracle {

//===-- State-space mixers --------------------------------------------------------------------------------------===//

/// One step of the recurrence of one head: S = exp(dt A) S + dt x (outer) B, y = S C + D x. Advances `state` [P][N].
template <typename T>
static std::vector<T> advanceHead(T *state, const std::vector<T> &x, const std::vector<T> &inputMap,
                                  const std::vector<T> &outputMap, const T &dt, const T &decayRate,
                                  const T &writeWeight, const T &skip) {
  using std::exp;
  size_t stateSize = inputMap.size();
  T weightedDt = dt * writeWeight;
  T decay = exp(weightedDt * decayRate);
  std::vector<T> y(x.size());
  for (size_t row = 0; row < x.size(); ++row) {
    T *elements = state + row * stateSize;
    for (size_t column = 0; column < stateSize; ++column)
      elements[column] = decay * elements[column] + weightedDt * x[row] * inputMap[column];
    y[row] = dot(elements, outputMap.data(), stateSize) + skip * x[row];
  }
  return y;
}

template <typename T>
std::vector<T> advanceMamba2(const Config &config, const LayerParametersOf<T> &parameters, const std::vector<T> &h,
                             const T &weight, SsmStateOf<T> &ssm) {
  using std::exp;
  size_t headSize = config.ssm.headDim, stateSize = config.ssm.stateSize, groups = config.ssm.groups;
  size_t heads = config.ssm.heads > 0 ? config.ssm.heads : config.ssm.expand * config.hiddenSize / headSize;
  size_t inner = heads * headSize;
  size_t groupWidth = groups * stateSize, convolved = inner + 2 * groupWidth;

  // in_proj gives z, then what is convolved (x, B, C), then a dt for each head.
  std::vector<T> projected = parameters.project("ssm.in_proj", scaled(h, config.ssm.inputMultiplier));
  const size_t widths[] = {inner, inner, groupWidth, groupWidth, heads};
  for (size_t part = 0, i = 0; part < 5; ++part)
    for (size_t end = i + widths[part]; i < end; ++i)
      projected[i] = projected[i] * config.ssm.projectionMultipliers[part];
  std::vector<T> z = slice(projected, 0, inner);
  std::vector<T> timeSteps = slice(projected, inner + convolved, heads);
  ssm.convolutionInputs.push_back(slice(projected, inner, convolved));
  std::vector<T> xBC = causalConvolution(ssm.convolutionInputs, parameters.tensor("ssm.conv.weight"),
                                         parameters.vector("ssm.conv.bias"));
  for (T &value : xBC)
    value = silu(value);

  if (ssm.state.empty())
    ssm.state.assign(heads * headSize * stateSize, 0.0);
  std::vector<T> gated;
  for (size_t head = 0; head < heads; ++head) {
    size_t group = head * groups / heads;
    T dt = clamp(softplus(timeSteps[head] + parameters.vector("ssm.dt_bias").at(head)), config.ssm.timeStepMin,
                 config.ssm.timeStepMax);
    T decayRate = -exp(parameters.vector("ssm.A_log").at(head));
    std::vector<T> y = advanceHead(&ssm.state[head * headSize * stateSize], slice(xBC, head * headSize, headSize),
                                   slice(xBC, inner + group * stateSize, stateSize),
                                   slice(xBC, inner + groupWidth + group * stateSize, stateSize), dt, decayRate, weight,
                                   parameters.vector("ssm.D").at(head));
    for (size_t i = 0; i < headSize; ++i)
      gated.push_back(y[i] * silu(z[head * headSize + i]));
  }
  if (config.ssm.gatedNorm)
    gated = groupedRmsNorm(gated, parameters.vector("ssm.norm.weight"), config.normEps, groups);
  return scaled(parameters.project("ssm.out_proj", gated), config.ssm.outputMultiplier);
}

template <typename T>
std::vector<T> advanceLti(const Config &config, const LayerParametersOf<T> &parameters, const std::vector<T> &h,
                          const T &weight, SsmStateOf<T> &ssm) {
  std::vector<T> input = parameters.project("ssm.in_proj", h);
  if (ssm.state.empty())
    ssm.state.assign(config.ssm.stateSize, 0.0);
  for (size_t i = 0; i < ssm.state.size(); ++i)
    ssm.state[i] = sigmoid(parameters.vector("ssm.decay").at(i)) * ssm.state[i] + weight * input.at(i);
  return parameters.project("ssm.out_proj", ssm.state);
}

//===-- Attention -----------------------------------------------------------------------------------------------===//

/// Llama 3.1's scaling of one inverse frequency: long wavelengths are stretched by the factor, short ones kept, and
/// those between the two bounds blended by how often they fit into the original context.
static double scaleLlama3(const RopeScaling &scaling, double frequency) {
  double original = static_cast<double>(scaling.originalMaxPositionEmbeddings);
  double turns = original * frequency / (2.0 * 3.14159265358979323846);
  if (turns < scaling.lowFreqFactor)
    return frequency / scaling.factor;
  if (turns > scaling.highFreqFactor)
    return frequency;
  double blend = (turns - scaling.lowFreqFactor) / (scaling.highFreqFactor - scaling.lowFreqFactor);
  return (1.0 - blend) * frequency / scaling.factor + blend * frequency;
}

/// YaRN's ramp over `count` pairs of dimensions: 0 where a pair turns more than betaFast times over the original
/// context, 1 where it turns less than betaSlow times.
static Vector yarnRamp(const RopeScaling &scaling, double theta, size_t count) {
  double dimensions = 2.0 * static_cast<double>(count);
  auto pairThatTurns = [&](double times) {
    // theta^(-2 p / dimensions) * original = 2 pi * times, solved for p.
    double wavelength = static_cast<double>(scaling.originalMaxPositionEmbeddings) / times;
    return dimensions * std::log(wavelength / (2.0 * 3.14159265358979323846)) / (2.0 * std::log(theta));
  };
  double first = pairThatTurns(scaling.betaFast), last = pairThatTurns(scaling.betaSlow);
  if (scaling.truncate) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, dimensions - 1.0);
  double width = first == last ? 0.001 : last - first;
  Vector ramp;
  for (size_t pair = 0; pair < count; ++pair)
    ramp.push_back(std::min(std::max((static_cast<double>(pair) - first) / width, 0.0), 1.0));
  return ramp;
}

/// The base and the scaling of a mode's rotation. Where swa has a base of its own, it is not scaled.
static std::pair<double, RopeScaling> rotationOf(const Config &config, int8_t mode) {
  if (mode == kSwa && config.swaRopeTheta)
    return {*config.swaRopeTheta, RopeScaling()};
  return {config.ropeTheta, config.ropeScaling};
}

Vector rotaryFrequencies(const Config &config, int8_t mode) {
  auto rotated = static_cast<size_t>(std::llround(config.partialRotaryFactor * static_cast<double>(config.headDim)));
  auto [theta, scaling] = rotationOf(config, mode);
  Vector ramp = scaling.kind == RopeScalingKind::Yarn ? yarnRamp(scaling, theta, rotated / 2) : Vector();
  Vector frequencies;
  for (size_t pair = 0; pair < rotated / 2; ++pair) {
    double frequency = std::pow(theta, -2.0 * static_cast<double>(pair) / static_cast<double>(rotated));
    if (scaling.kind == RopeScalingKind::Linear)
      frequency /= scaling.factor;
    if (scaling.kind == RopeScalingKind::Llama3)
      frequency = scaleLlama3(scaling, frequency);
    if (scaling.kind == RopeScalingKind::Yarn)
      frequency *= ramp[pair] / scaling.factor + 1.0 - ramp[pair];
    frequencies.push_back(frequency);
  }
  return frequencies;
}

/// Turns the first dimensions of each head of `x` [heads * head size]: the i-th of their first half with the i-th of
/// their second half.
template <typename T> static void rotateHeads(const Config &config, std::vector<T> &x, int64_t position, int8_t mode) {
  Vector frequencies = rotaryFrequencies(config, mode);
  size_t half = frequencies.size();
  for (size_t head = 0; head < x.size(); head += config.headDim)
    for (size_t pair = 0; pair < half; ++pair) {
      double angle = static_cast<double>(position) * frequencies[pair];
      T first = x[head + pair], second = x[head + half + pair];
      x[head + pair] = first * std::cos(angle) - second * std::sin(angle);
      x[head + half + pair] = second * std::cos(angle) + first * std::sin(angle);
    }
}

static bool rotates(const Config &config, size_t layer) {
  return config.ropeLayers.empty() || config.ropeLayers.at(layer);
}

/// Queries, keys or values of a token, convolved with those before it if the model does that.
template <typename T>
static std::vector<T> projectedOf(const Config &config, const LayerParametersOf<T> &parameters,
                                  const std::string &which, const std::vector<T> &h,
                                  std::vector<std::vector<T>> *before) {
  std::vector<T> x = parameters.project("attn." + which + "_proj", scaled(h, config.attentionInputMultiplier));
  if (config.attentionConvKernel == 0)
    return x;
  before->push_back(std::move(x));
  return causalConvolution(*before, parameters.tensor("attn." + which + "_conv.weight"),
                           parameters.vector("attn." + which + "_conv.bias"));
}

/// The heads of queries or keys as they are compared: normalised each by itself, rotated, rounded.
template <typename T>
static std::vector<T> headsOf(const Config &config, const LayerParametersOf<T> &parameters, const std::string &which,
                              const std::vector<T> &h, int64_t position, int8_t mode,
                              std::vector<std::vector<T>> *before) {
  std::vector<T> x = projectedOf(config, parameters, which, h, before);
  size_t size = config.headDim;
  std::vector<T> weight = config.qkNorm ? parameters.vector("attn." + which + "_norm.weight") : std::vector<T>();
  for (T &w : weight)
    w = config.normUnitOffset ? w + 1.0 : w;
  for (size_t head = 0; config.qkNorm && head < x.size(); head += size) {
    std::vector<T> normed = rmsNorm(slice(x, head, size), weight, config.normEps);
    std::copy(normed.begin(), normed.end(), x.begin() + static_cast<std::ptrdiff_t>(head));
  }
  if (rotates(config, parameters.index))
    rotateHeads(config, x, position, mode);
  return parameters.operand(x);
}

template <typename T>
EntryOf<T> makeEntry(const Config &config, const LayerParametersOf<T> &parameters, const std::vector<T> &h,
                     int64_t position, const T &logWeight, int8_t mode, AttentionInputsOf<T> *inputs) {
  std::vector<T> value = projectedOf(config, parameters, "v", h, inputs ? &inputs->v : nullptr);
  return {headsOf(config, parameters, "k", h, position, mode, inputs ? &inputs->k : nullptr), parameters.operand(value),
          logWeight};
}

/// One query head's weighted mean of the values of KV head `kvHead` over entries first .. end. Scores are scaled, then
/// capped, then weighted.
template <typename T>
static std::vector<T> attendHead(const std::vector<T> &query, size_t kvHead, const std::vector<EntryOf<T>> &entries,
                                 size_t first, double scale, const std::optional<double> &softCap) {
  using std::exp;
  size_t headSize = query.size();
  std::vector<T> scores;
  for (size_t e = first; e < entries.size(); ++e) {
    T score = dot(query.data(), &entries[e].key[kvHead * headSize], headSize);
    scores.push_back(softCapped<T>(score * scale, softCap) + entries[e].logWeight);
  }
  T normalizer = logSumExp(scores);
  std::vector<T> mean(headSize, 0.0);
  for (size_t e = first; e < entries.size(); ++e) {
    T share = exp(scores[e - first] - normalizer);
    for (size_t i = 0; i < headSize; ++i)
      mean[i] += share * entries[e].value[kvHead * headSize + i];
  }
  return mean;
}

template <typename T>
std::vector<T> attend(const Config &config, const LayerParametersOf<T> &parameters, const std::vector<T> &h,
                      int64_t position, const std::vector<EntryOf<T>> &entries, size_t reach, int8_t mode,
                      AttentionInputsOf<T> *inputs) {
  size_t heads = config.numAttentionHeads, kvHeads = config.numKeyValueHeads, headSize = config.headDim;
  size_t first = entries.size() > reach ? entries.size() - reach : 0;
  double scale = config.attentionMultiplier ? *config.attentionMultiplier : 1.0 / std::sqrt(config.headDim);
  if (rotates(config, parameters.index)) // YaRN stretches queries and keys
    scale *= std::pow(rotationOf(config, mode).second.attentionFactor, 2);
  std::vector<T> queries = headsOf(config, parameters, "q", h, position, mode, inputs ? &inputs->q : nullptr);
  std::vector<T> outputs;
  for (size_t head = 0; head < heads; ++head) {
    std::vector<T> mean = attendHead(slice(queries, head * headSize, headSize), head * kvHeads / heads, entries, first,
                                     scale, config.attentionSoftCap);
    outputs.insert(outputs.end(), mean.begin(), mean.end());
  }
  return scaled(parameters.project("attn.o_proj", outputs), config.attentionOutputMultiplier);
}

//===-- For both scalars ----------------------------------------------------------------------------------------===//

#define CHIMERA_MIXERS_OVER(T)                                                                                         \
  template std::vector<T> advanceMamba2(const Config &, const LayerParametersOf<T> &, const std::vector<T> &,          \
                                        const T &, SsmStateOf<T> &);                                                   \
  template std::vector<T> advanceLti(const Config &, const LayerParametersOf<T> &, const std::vector<T> &, const T &,  \
                                     SsmStateOf<T> &);                                                                 \
  template EntryOf<T> makeEntry(const Config &, const LayerParametersOf<T> &, const std::vector<T> &, int64_t,         \
                                const T &, int8_t, AttentionInputsOf<T> *);                                            \
  template std::vector<T> attend(const Config &, const LayerParametersOf<T> &, const std::vector<T> &, int64_t,        \
                                 const std::vector<EntryOf<T>> &, size_t, int8_t, AttentionInputsOf<T> *);
CHIMERA_MIXERS_OVER(double)
CHIMERA_MIXERS_OVER(Var)
#undef CHIMERA_MIXERS_OVER

} // namespace chimera::test::oracle
