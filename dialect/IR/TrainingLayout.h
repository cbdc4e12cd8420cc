// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of the arrays that a training step gives to programs, and of what scans keep for their gradients. Ops are
// verified, and kernels address memory, by the same numbers; docs/model-binary.md says what the arrays hold.

#ifndef CHIMERA_DIALECT_IR_TRAINING_LAYOUT_H
#define CHIMERA_DIALECT_IR_TRAINING_LAYOUT_H

#include "runtime/abi/Layout.h"

#include <cstdint>

namespace chimera::ir {

using abi::hyperLength;
using abi::leavesLength;
using abi::maxLeaves;
using abi::pricesPerLayer;
using abi::routeStatistics;

/// Rows between two states that a scan keeps for its gradient.
constexpr int64_t scanBlockRows = 32;

/// Elements a row of the tensor of kept states, T [., scanStates(...)].
constexpr int64_t scanStates(int64_t heads, int64_t dim, int64_t size) {
  return (heads * dim * size + scanBlockRows - 1) / scanBlockRows;
}

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_TRAINING_LAYOUT_H
