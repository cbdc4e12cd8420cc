// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/PackedLayout.h"

#include <numeric>

namespace chimera::runtime {

static int64_t blocksOf(int64_t size, int64_t block) {
  return (size + block - 1) / block;
}

PanelShape panelShape(const PackedWeights &packed, const std::vector<int64_t> &outputs, int64_t inputs) {
  PanelShape shape;
  shape.inputs = inputs;
  shape.padded = abi::paddedInputs(packed.format, packed.group, inputs);
  shape.panels = packed.interleaved
                     ? 2 * blocksOf(outputs[0], packed.panel)
                     : blocksOf(std::accumulate(outputs.begin(), outputs.end(), int64_t(0)), packed.panel);
  shape.panelBytes = packed.panel * abi::packedRowBytes(packed.format, shape.padded);
  return shape;
}

} // namespace chimera::runtime
