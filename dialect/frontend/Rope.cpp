// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/Config.h"

#include <algorithm>
#include <cmath>

namespace chimera {

namespace {

constexpr double pi = 3.14159265358979323846;

/// Llama 3.1: short wavelengths stay, long ones are stretched by `factor`, those in between are blended linearly in
/// original / wavelength.
double scaleLlama3(double frequency, const RopeScaling &scaling) {
  double turns = static_cast<double>(scaling.originalMaxPositionEmbeddings) * frequency / (2.0 * pi);
  if (turns > scaling.highFreqFactor)
    return frequency;
  if (turns < scaling.lowFreqFactor)
    return frequency / scaling.factor;
  double kept = (turns - scaling.lowFreqFactor) / (scaling.highFreqFactor - scaling.lowFreqFactor);
  return (1.0 - kept) * frequency / scaling.factor + kept * frequency;
}

/// YaRN (Peng et al. 2023, "NTK-by-parts"): the pair of dimensions, as a fraction, that turns `turns` times over the
/// original context.
double yarnPair(double turns, double theta, int64_t dims, const RopeScaling &scaling) {
  return static_cast<double>(dims) *
         std::log(static_cast<double>(scaling.originalMaxPositionEmbeddings) / (turns * 2.0 * pi)) /
         (2.0 * std::log(theta));
}

/// Pair `i` of `dims` / 2: fast ones stay, slow ones are stretched by `factor`, those in between are blended linearly
/// in i.
double scaleYarn(double frequency, int64_t i, double theta, int64_t dims, const RopeScaling &scaling) {
  double low = yarnPair(scaling.betaFast, theta, dims, scaling),
         high = yarnPair(scaling.betaSlow, theta, dims, scaling);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(dims - 1));
  if (low == high)
    high += 0.001; // as the transformers library has it: a step
  double stretched = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
  return stretched * frequency / scaling.factor + (1.0 - stretched) * frequency;
}

} // namespace

std::vector<double> ropeFrequencies(const Config &config, Mode mode) {
  int64_t dims = config.rotaryDims();
  double theta = mode == Mode::Swa ? config.swaRopeTheta.value_or(config.ropeTheta) : config.ropeTheta;
  const RopeScaling &scaling = config.scalingOf(mode);
  std::vector<double> frequencies;
  for (int64_t i = 0; i < dims / 2; ++i) {
    double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(dims));
    switch (scaling.kind) {
    case RopeScalingKind::None:
      break;
    case RopeScalingKind::Linear:
      frequency /= scaling.factor;
      break;
    case RopeScalingKind::Llama3:
      frequency = scaleLlama3(frequency, scaling);
      break;
    case RopeScalingKind::Yarn:
      frequency = scaleYarn(frequency, i, theta, dims, scaling);
      break;
    }
    frequencies.push_back(frequency);
  }
  return frequencies;
}

} // namespace chimera
