// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of the arrays that a training step gives to programs, and of what scans keep for their gradients. Ops are
// verified, and kernels address memory, by the same numbers; docs/model-binary.md says what the arrays hold.

#ifndef CHIMERA_DIALECT_IR_TRAINING_LAYOUT_H
#define CHIMERA_DIALECT_IR_TRAINING_LAYOUT_H

#include <cstdint>

namespace chimera::ir {

/// The most leaves of a step.
constexpr int64_t maxLeaves = 16;

/// i32 elements of `leaves`: their number, the first sequence of each, and the number of sequences.
constexpr int64_t leavesLength = maxLeaves + 2;

/// f64 elements of `hyper`, the numbers that change from step to step.
constexpr int64_t hyperLength = 16;

/// f64 elements of `prices` for each layer: price, push and pull of each canonical mode, the coefficient of the
/// entropy.
constexpr int64_t pricesPerLayer = 13;

/// What a routing says of a row: wanted, admitted and p by canonical mode, the entropy of p, refused.
constexpr int64_t routeStatistics = 14;

/// Rows between two states that a scan keeps for its gradient.
constexpr int64_t scanBlockRows = 32;

/// Elements a row of the tensor of kept states, T [., scanStates(...)].
constexpr int64_t scanStates(int64_t heads, int64_t dim, int64_t size) {
  return (heads * dim * size + scanBlockRows - 1) / scanBlockRows;
}

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_TRAINING_LAYOUT_H
