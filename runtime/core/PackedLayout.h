// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weight matrices in panels, as matrix kernels read them: the layout of docs/model-binary.md, "Packed weights".
#ifndef CHIMERA_RUNTIME_CORE_PACKEDLAYOUT_H
#define CHIMERA_RUNTIME_CORE_PACKEDLAYOUT_H

#include "runtime/abi/WeightFormat.h"

#include <cstdint>
#include <vector>

namespace chimera::runtime {

using abi::scaleGroup;
using abi::WeightFormat;

/// Parameters of equal inputs, stacked or interleaved, in panels of `panel` outputs.
struct PackedWeights {
  std::vector<int64_t> parameters;
  WeightFormat format = WeightFormat::F32;
  int64_t panel = 1;
  int64_t group = 1;
  bool interleaved = false; ///< Panel 2p is panel p of the first of two parameters, 2p + 1 of the second.
  int64_t bytes = 0;
};

/// The numbers that follow from a layout and the shapes of its parameters.
struct PanelShape {
  int64_t inputs = 0;     ///< Of every parameter.
  int64_t padded = 0;     ///< Inputs with the padding.
  int64_t panels = 0;     ///< Of all parameters together.
  int64_t panelBytes = 0; ///< Of one panel.

  int64_t bytes() const { return panels * panelBytes; }
};

/// `outputs`: the rows of each parameter. All sizes are in 0 .. 2^41 with products of at most 2^41, at most 64
/// parameters, panel in 1 .. 4096, group in 1 .. 32, so that nothing overflows.
PanelShape panelShape(const PackedWeights &packed, const std::vector<int64_t> &outputs, int64_t inputs);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_PACKEDLAYOUT_H
