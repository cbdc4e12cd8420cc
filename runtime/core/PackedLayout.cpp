// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/PackedLayout.h"

#include <numeric>

namespace chimera::runtime {

static int64_t blocksOf(int64_t size, int64_t block) {
  return (size + block - 1) / block;
}

PanelShape panelShape(const PackedWeights &packed, const std::vector<int64_t> &outputs, int64_t inputs) {
  bool isI8 = packed.format == WeightFormat::I8;
  int64_t multiple = isI8 ? scaleGroup : packed.group;
  PanelShape shape;
  shape.inputs = inputs;
  shape.padded = blocksOf(inputs, multiple) * multiple;
  shape.panels = packed.interleaved
                     ? 2 * blocksOf(outputs[0], packed.panel)
                     : blocksOf(std::accumulate(outputs.begin(), outputs.end(), int64_t(0)), packed.panel);
  // An eight-bit number for each weight, and an exponent for each 32 of them.
  int64_t rowBytes =
      isI8 ? shape.padded + shape.padded / scaleGroup : shape.padded * (packed.format == WeightFormat::BF16 ? 2 : 4);
  shape.panelBytes = packed.panel * rowBytes;
  return shape;
}

} // namespace chimera::runtime
