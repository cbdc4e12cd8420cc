// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/Config.h"

#include <cmath>

namespace chimera {

namespace {

/// Llama 3.1: short wavelengths stay, long ones are stretched by `factor`, those in between are blended linearly in
/// original / wavelength.
double scaleLlama3(double frequency, const RopeScaling &scaling) {
  constexpr double pi = 3.14159265358979323846;
  double turns = static_cast<double>(scaling.originalMaxPositionEmbeddings) * frequency / (2.0 * pi);
  if (turns > scaling.highFreqFactor)
    return frequency;
  if (turns < scaling.lowFreqFactor)
    return frequency / scaling.factor;
  double kept = (turns - scaling.lowFreqFactor) / (scaling.highFreqFactor - scaling.lowFreqFactor);
  return (1.0 - kept) * frequency / scaling.factor + kept * frequency;
}

} // namespace

std::vector<double> ropeFrequencies(const Config &config) {
  int64_t dims = config.rotaryDims();
  std::vector<double> frequencies;
  for (int64_t i = 0; i < dims / 2; ++i) {
    double frequency = std::pow(config.ropeTheta, -2.0 * static_cast<double>(i) / static_cast<double>(dims));
    switch (config.ropeScaling.kind) {
    case RopeScalingKind::None:
      break;
    case RopeScalingKind::Linear:
      frequency /= config.ropeScaling.factor;
      break;
    case RopeScalingKind::Llama3:
      frequency = scaleLlama3(frequency, config.ropeScaling);
      break;
    }
    frequencies.push_back(frequency);
  }
  return frequencies;
}

} // namespace chimera
