// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/RandomWeights.h"

#include "runtime/io/Affixes.h"
#include "runtime/io/Safetensors.h"
#include "tools/chimera-bench/TemporaryFolder.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

namespace chimera::bench {

/// A 64-bit finaliser (the one of splitmix64: G. Steele, D. Lea, C. Flood, OOPSLA 2014).
static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

namespace {
/// Uniform numbers by index, and what a parameter makes of them: low + (high - low) u.
struct Rule {
  uint64_t stream;
  double low, high;

  double at(uint64_t index) const {
    return low + (high - low) * double(mix(stream + index * 0x9e3779b97f4a7c15) >> 11) * 0x1p-53;
  }
};
} // namespace

static Rule ruleFor(uint64_t seed, const std::string &name) {
  uint64_t stream = mix(seed);
  for (unsigned char byte : name)
    stream = mix(stream ^ byte);
  if (io::endsWith(name, "norm.weight") || io::endsWith(name, ".D"))
    return {stream, 1, 1};
  if (io::endsWith(name, "bias") && !io::endsWith(name, "dt_bias"))
    return {stream, 0, 0};
  if (io::endsWith(name, "dt_bias"))
    return {stream, -6, -2}; // Steps of 0.002 to 0.13.
  if (io::endsWith(name, "A_log"))
    return {stream, 0, 2.7}; // Decay rates of 1 to 15.
  if (io::endsWith(name, "decay"))
    return {stream, 1, 5};
  if (io::endsWith(name, "conv.weight"))
    return {stream, -0.5, 0.5};
  return {stream, -0.035, 0.035}; // A deviation of 0.02.
}

std::vector<uint8_t> randomTensor(uint64_t seed, const std::string &name, io::DType type, int64_t elements) {
  Rule rule = ruleFor(seed, name);
  std::vector<uint8_t> bytes(size_t(elements * io::sizeOf(type)));
  constexpr int64_t chunk = 4096;
  std::vector<double> values;
  for (int64_t at = 0; at < elements; at += chunk) {
    values.resize(size_t(std::min(chunk, elements - at)));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = rule.at(uint64_t(at) + i);
    io::convertElements(io::DType::F64, values.data(), type, bytes.data() + at * io::sizeOf(type),
                        int64_t(values.size()));
  }
  return bytes;
}

io::Result<WeightsHandle> makeRandomWeights(const chimera_model *model, const runtime::Manifest &manifest,
                                            uint64_t seed) {
  io::Result<TemporaryFolder> folder = TemporaryFolder::create("model.safetensors");
  if (!folder)
    return folder.error();
  std::vector<std::vector<uint8_t>> storage;
  std::vector<io::TensorView> tensors;
  std::map<std::string, size_t> made; // Several parameters may be rows of one tensor.
  for (const runtime::Parameter &parameter : manifest.parameters) {
    auto [found, isNew] = made.insert({parameter.source, tensors.size()});
    if (isNew) {
      storage.emplace_back(size_t(parameter.sourceElements * io::sizeOf(parameter.dtype)));
      tensors.push_back({parameter.source, parameter.dtype, parameter.sourceShape, storage.back().data(),
                         uint64_t(storage.back().size())});
    }
    const io::TensorView &tensor = tensors[found->second];
    if (tensor.shape != parameter.sourceShape)
      continue; // Loading will say so.
    std::vector<uint8_t> part = randomTensor(seed, parameter.name, tensor.dtype, parameter.elements);
    std::copy(part.begin(), part.end(),
              storage[found->second].begin() + parameter.sourceBegin() * io::sizeOf(tensor.dtype));
  }
  std::string path = folder->file();
  if (io::Status status = io::writeSafetensors(path, tensors); !status)
    return status.error();
  ErrorSlot error;
  chimera_weights *weights = nullptr;
  if (chimera_weights_load(model, path.c_str(), &weights, error))
    return error.take();
  return WeightsHandle(weights);
}

} // namespace chimera::bench
