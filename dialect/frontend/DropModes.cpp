// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/DropModes.h"

#include "runtime/io/Npy.h"
#include "runtime/io/Safetensors.h"

#include <algorithm>
#include <numeric>

namespace chimera {

static bool contains(const std::vector<Mode> &modes, Mode mode) {
  return std::find(modes.begin(), modes.end(), mode) != modes.end();
}

io::Result<ModeCounts> countModes(const std::string &path, const Config &config) {
  io::Result<io::NpyArray> array = io::readIntegers(path);
  if (!array)
    return array.error();
  if (array->dtype != io::DType::I8 || array->shape.empty() || array->shape.back() != config.numLayers)
    return io::Error{path + ": i8 [.., " + std::to_string(config.numLayers) +
                     "] is needed, a mode for each token and layer, not " + io::nameOf(array->dtype) + " " +
                     io::shapeText(array->shape)};
  ModeCounts counts(static_cast<size_t>(config.numLayers));
  auto elements = static_cast<int64_t>(array->data.size());
  for (int64_t i = 0; i < elements; ++i) {
    int64_t layer = i % config.numLayers, mode = array->integer(i);
    if (mode == -1)
      continue;
    if (mode < 0 || mode >= static_cast<int64_t>(numModes) ||
        !contains(config.layerModes[static_cast<size_t>(layer)], allModes[static_cast<size_t>(mode)]))
      return io::Error{path + ": element " + std::to_string(i) + ": layer " + std::to_string(layer) + " has no mode " +
                       std::to_string(mode)};
    ++counts[static_cast<size_t>(layer)][static_cast<size_t>(mode)];
  }
  for (const auto &layer : counts)
    if (std::accumulate(layer.begin(), layer.end(), int64_t(0)) == 0)
      return io::Error{path + ": holds no token, so that nothing can be said of the modes"};
  return counts;
}

namespace {

/// The mode of a layer that takes what all before it refuse.
Mode lastOf(const std::vector<Mode> &modes) {
  for (Mode last : {Mode::Identity, Mode::Ssm, Mode::Swa})
    if (contains(modes, last))
      return last;
  return Mode::Full;
}

std::string namesOf(const std::vector<Mode> &modes) {
  std::string text;
  for (Mode mode : modes)
    text += (text.empty() ? "" : ", ") + std::string(modeName(mode));
  return text;
}

} // namespace

std::vector<std::string> dropModes(Config &config, const ModeCounts &counts, double share) {
  std::vector<std::string> lines;
  config.droppedModes.assign(static_cast<size_t>(config.numLayers), {});
  for (size_t layer = 0; layer < counts.size(); ++layer) {
    std::vector<Mode> &modes = config.layerModes[layer], &dropped = config.droppedModes[layer];
    int64_t tokens = std::accumulate(counts[layer].begin(), counts[layer].end(), int64_t(0)), most = 0;
    for (Mode mode : modes) {
      int64_t taken = counts[layer][static_cast<size_t>(mode)];
      if (modes.size() > 1 && mode != lastOf(modes) &&
          static_cast<double>(taken) <= share * static_cast<double>(tokens)) {
        dropped.push_back(mode);
        most = std::max(most, taken);
      }
    }
    if (dropped.empty())
      continue;
    std::vector<Mode> kept = config.mixersOf(static_cast<int64_t>(layer));
    lines.push_back("layer " + std::to_string(layer) + ": drops " + namesOf(dropped) + " (at most " +
                    std::to_string(most) + " of " + std::to_string(tokens) + " tokens each), keeps " + namesOf(kept));
    if (kept == std::vector<Mode>{Mode::Identity} && config.identityOutput == IdentityOutput::Zero) {
      modes = kept;
      dropped.clear();
    }
  }
  return lines;
}

} // namespace chimera
