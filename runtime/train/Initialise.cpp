// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Initialise.h"

#include "runtime/core/Sampler.h"
#include "runtime/io/Affixes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <string_view>

namespace chimera {

using io::endsWith;

namespace {

constexpr double pi = 3.14159265358979323846;
constexpr double matrixDeviation = 0.02;
constexpr double shortestStep = 1e-3, longestStep = 1e-1;

/// Random numbers that are a function of a seed, a name and an index, so that elements can be made in any order.
class Noise {
public:
  /// The name enters by its FNV-1a hash (Fowler, Noll, Vo).
  Noise(uint64_t seed, std::string_view name) : seed(seed), stream(0xcbf29ce484222325) {
    for (unsigned char byte : name)
      stream = (stream ^ byte) * 0x100000001b3;
  }

  /// Uniform in (low, high).
  double uniform(uint64_t index, double low, double high) const { return low + (high - low) * pair(index)[0]; }
  /// Standard normal, by Box and Muller.
  double normal(uint64_t index) const {
    auto [radius, angle] = pair(index);
    return std::sqrt(-2.0 * std::log(radius)) * std::cos(2.0 * pi * angle);
  }

private:
  /// Two numbers in (0, 1), never an end.
  std::array<double, 2> pair(uint64_t index) const {
    std::array<uint32_t, 4> words =
        philox4x32({uint32_t(index), uint32_t(index >> 32), uint32_t(stream), uint32_t(stream >> 32)},
                   {uint32_t(seed), uint32_t(seed >> 32)});
    auto unit = [](uint32_t high, uint32_t low) {
      return (double(((uint64_t(high) << 32) | low) >> 12) + 0.5) * 0x1p-52;
    };
    return {unit(words[0], words[1]), unit(words[2], words[3])};
  }

  uint64_t seed, stream;
};

bool isNorm(std::string_view name) {
  return endsWith(name, "norm.weight") || endsWith(name, "norm.bias");
}

bool writesResidual(std::string_view name) {
  return endsWith(name, ".o_proj.weight") || endsWith(name, ".out_proj.weight") || endsWith(name, ".down_proj.weight");
}

/// A time step as Mamba-2 draws it: log-uniform.
double timeStep(const Noise &noise, uint64_t index) {
  return std::exp(noise.uniform(index, std::log(shortestStep), std::log(longestStep)));
}

using Rule = std::function<double(const Noise &, uint64_t)>;

Rule constant(double value) {
  return [value](const Noise &, uint64_t) { return value; };
}

Rule uniformOverTaps(int64_t taps) {
  double bound = 1.0 / std::sqrt(double(taps));
  return [bound](const Noise &noise, uint64_t i) { return noise.uniform(i, -bound, bound); };
}

/// How the elements of a parameter are drawn, by our name for it.
Rule ruleFor(const Config &config, std::string_view name) {
  if (isNorm(name)) { // all start as 1, those with a unit offset as 1 + 0
    bool offset =
        config.normUnitOffset && !endsWith(name, ".ssm.norm.weight") && !endsWith(name, ".router.norm.weight");
    return constant(endsWith(name, "weight") && !offset ? 1.0 : 0.0);
  }
  if (endsWith(name, ".token_conv.weight"))
    return uniformOverTaps(config.tokenConvKernel);
  if (endsWith(name, ".ssm.conv.weight") || endsWith(name, ".ssm.conv.bias"))
    return uniformOverTaps(config.ssm.convKernel);
  if (endsWith(name, ".bias"))
    return constant(0.0);
  if (endsWith(name, ".ssm.D"))
    return constant(1.0);
  if (endsWith(name, ".ssm.A_log"))
    return [](const Noise &noise, uint64_t i) { return std::log(noise.uniform(i, 1.0, 16.0)); };
  if (endsWith(name, ".ssm.dt_bias"))
    return [](const Noise &noise, uint64_t i) { return std::log(std::expm1(timeStep(noise, i))); };
  if (endsWith(name, ".ssm.decay"))
    return [](const Noise &noise, uint64_t i) {
      double forgotten = timeStep(noise, i);
      return std::log1p(-forgotten) - std::log(forgotten);
    };
  double deviation = matrixDeviation;
  if (writesResidual(name))
    deviation /= std::sqrt(2.0 * double(config.numLayers));
  return [deviation](const Noise &noise, uint64_t i) { return deviation * noise.normal(i); };
}

size_t elementsOf(const std::vector<int64_t> &shape) {
  size_t elements = 1;
  for (int64_t size : shape)
    elements *= size_t(size);
  return elements;
}

} // namespace

InitialTensor initialTensor(const Config &config, const ParameterSpec &parameter, uint64_t seed) {
  bool isPart = parameter.sourceRow.has_value();
  InitialTensor tensor{parameter.source.empty() ? parameter.name : parameter.source,
                       isPart || parameter.sourceShape.empty() ? parameter.shape : parameter.sourceShape,
                       {}};
  tensor.values.resize(elementsOf(tensor.shape));
  Noise noise(seed, parameter.name);
  Rule rule = ruleFor(config, parameter.name);
  for (uint64_t i = 0; i < tensor.values.size(); ++i)
    tensor.values[i] = float(rule(noise, i));
  return tensor;
}

std::vector<InitialTensor> initialTensors(const Config &config, uint64_t seed) {
  std::vector<InitialTensor> tensors;
  std::map<std::string, size_t> shared; // by name: the tensors that are put together from parts
  for (const ParameterSpec &parameter : parameters(config)) {
    InitialTensor part = initialTensor(config, parameter, seed);
    if (!parameter.sourceRow) {
      tensors.push_back(std::move(part));
      continue;
    }
    auto [found, isNew] = shared.insert({part.name, tensors.size()});
    if (isNew)
      tensors.push_back({part.name, parameter.sourceShape, std::vector<float>(elementsOf(parameter.sourceShape))});
    auto rowElements = int64_t(part.values.size()) / parameter.shape.front();
    std::copy(part.values.begin(), part.values.end(),
              tensors[found->second].values.begin() + *parameter.sourceRow * rowElements);
  }
  return tensors;
}

} // namespace chimera
