// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/PackedLayout.h"

#include <numeric>

namespace chimera::runtime {

static int64_t blocksOf(int64_t size, int64_t block) {
  return (size + block - 1) / block;
}

PanelShape panelShape(const PackedWeights &packed, const std::vector<int64_t> &outputs, int64_t inputs) {
  bool quantised = abi::isQuantised(packed.format);
  int64_t multiple = quantised ? scaleGroup : packed.group;
  PanelShape shape;
  shape.inputs = inputs;
  shape.padded = blocksOf(inputs, multiple) * multiple;
  shape.panels = packed.interleaved
                     ? 2 * blocksOf(outputs[0], packed.panel)
                     : blocksOf(std::accumulate(outputs.begin(), outputs.end(), int64_t(0)), packed.panel);
  int64_t rowBytes = quantised ? shape.padded / scaleGroup * abi::scaleGroupBytes(packed.format)
                               : shape.padded * abi::bitsOf(packed.format) / 8;
  shape.panelBytes = packed.panel * rowBytes;
  return shape;
}

} // namespace chimera::runtime
