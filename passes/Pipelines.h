// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pipelines, one readable list each. Every one starts where the one before it stops.

#ifndef CHIMERA_PASSES_PIPELINES_H
#define CHIMERA_PASSES_PIPELINES_H

#include <cstdint>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace chimera {

/// What one step of a binary holds at most.
struct StepLimits {
  int64_t maxTokens = 1024;
  int64_t maxSeqs = 64;
};

/// Model level → dispatched: canonical form, one function a phase, no regions. (`--emit=dispatched`)
void buildDispatchedPipeline(mlir::OpPassManager &manager, const StepLimits &limits);

/// Dispatched → one op a launch, for the ref target. (`--emit=fused`)
void buildRefCallsPipeline(mlir::OpPassManager &manager);

/// One op a launch → programs over an arena, beside the kernels in `@kernels`. (`--emit=kernels`)
void buildProgramsPipeline(mlir::OpPassManager &manager);

} // namespace chimera

#endif // CHIMERA_PASSES_PIPELINES_H
