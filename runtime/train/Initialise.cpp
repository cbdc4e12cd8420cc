// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Initialise.h"

#include "runtime/io/Affixes.h"

#include <cmath>
#include <map>
#include <string_view>

namespace chimera {

using io::endsWith;

namespace {

constexpr double matrixDeviation = 0.02;
constexpr double shortestStep = 1e-3, longestStep = 1e-1;

bool isNorm(std::string_view name) {
  return endsWith(name, "norm.weight") || endsWith(name, "norm.bias");
}

bool writesResidual(std::string_view name) {
  return endsWith(name, ".o_proj.weight") || endsWith(name, ".out_proj.weight") || endsWith(name, ".down_proj.weight");
}

/// A time step as Mamba-2 draws it: log-uniform.
double timeStep(const InitialNoise &noise, uint64_t index) {
  return std::exp(noise.uniform(index, std::log(shortestStep), std::log(longestStep)));
}

using Rule = std::function<double(const InitialNoise &, uint64_t)>;

Rule constant(double value) {
  return [value](const InitialNoise &, uint64_t) { return value; };
}

Rule uniformOverTaps(int64_t taps) {
  double bound = 1.0 / std::sqrt(double(taps));
  return [bound](const InitialNoise &noise, uint64_t i) { return noise.uniform(i, -bound, bound); };
}

/// How the elements of a parameter are drawn, by our name for it; nothing: from a normal distribution.
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
    return [](const InitialNoise &noise, uint64_t i) { return std::log(noise.uniform(i, 1.0, 16.0)); };
  if (endsWith(name, ".ssm.dt_bias"))
    return [](const InitialNoise &noise, uint64_t i) { return std::log(std::expm1(timeStep(noise, i))); };
  if (endsWith(name, ".ssm.decay"))
    return [](const InitialNoise &noise, uint64_t i) {
      double forgotten = timeStep(noise, i);
      return std::log1p(-forgotten) - std::log(forgotten);
    };
  return {};
}

double deviationFor(const Config &config, std::string_view name) {
  return writesResidual(name) ? matrixDeviation / std::sqrt(2.0 * double(config.numLayers)) : matrixDeviation;
}

} // namespace

uint64_t InitialTensor::elements() const {
  uint64_t elements = 1;
  for (int64_t size : shape)
    elements *= uint64_t(size);
  return elements;
}

InitialValues::InitialValues(const Config &config, const ParameterSpec &parameter, uint64_t seed)
    : noise(seed, parameter.name), rule(ruleFor(config, parameter.name)) {
  if (!rule)
    deviation = deviationFor(config, parameter.name);
}

void InitialValues::fill(uint64_t first, size_t count, float *to) const {
  if (!rule)
    return noise.fillNormal(deviation, first, count, to);
  for (size_t i = 0; i < count; ++i)
    to[i] = float(rule(noise, first + i));
}

/// The parameter's tensor, or what it is of one, without values.
static InitialTensor tensorOf(const ParameterSpec &parameter) {
  bool isPart = parameter.sourceRow.has_value();
  return {parameter.source.empty() ? parameter.name : parameter.source,
          isPart || parameter.sourceShape.empty() ? parameter.shape : parameter.sourceShape,
          {}};
}

InitialTensor initialTensor(const Config &config, const ParameterSpec &parameter, uint64_t seed) {
  InitialTensor tensor = tensorOf(parameter);
  tensor.values.resize(tensor.elements());
  InitialValues(config, parameter, seed).fill(0, tensor.values.size(), tensor.values.data());
  return tensor;
}

InitialCheckpoint initialCheckpoint(const Config &config, uint64_t seed) {
  InitialCheckpoint checkpoint;
  std::map<std::string, size_t> shared; // by name: the tensors that are put together from parts
  for (const ParameterSpec &parameter : parameters(config)) {
    InitialTensor tensor = tensorOf(parameter);
    InitialPart part{checkpoint.tensors.size(), 0, tensor.elements(), {config, parameter, seed}};
    if (!parameter.sourceRow) {
      checkpoint.tensors.push_back(std::move(tensor));
    } else {
      auto [found, isNew] = shared.insert({tensor.name, part.tensor});
      if (isNew)
        checkpoint.tensors.push_back({tensor.name, parameter.sourceShape, {}});
      part.tensor = found->second;
      part.begin = uint64_t(*parameter.sourceRow) * (part.count / uint64_t(parameter.shape.front()));
    }
    checkpoint.parts.push_back(std::move(part));
  }
  return checkpoint;
}

std::vector<InitialTensor> initialTensors(const Config &config, uint64_t seed) {
  InitialCheckpoint checkpoint = initialCheckpoint(config, seed);
  for (InitialTensor &tensor : checkpoint.tensors)
    tensor.values.resize(tensor.elements());
  for (const InitialPart &part : checkpoint.parts)
    part.values.fill(0, part.count, checkpoint.tensors[part.tensor].values.data() + part.begin);
  return std::move(checkpoint.tensors);
}

} // namespace chimera
