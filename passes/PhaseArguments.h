// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the lowerings to a target's kernels share: a phase's step arrays, and the walk over its ops.

#ifndef CHIMERA_PASSES_PHASE_ARGUMENTS_H
#define CHIMERA_PASSES_PHASE_ARGUMENTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace chimera {

struct PhaseArguments {
  mlir::Value batch;  ///< the rows of the whole step
  mlir::Value forced; ///< the forced modes of the whole step; null if the phase has none
};

/// Finds and checks them. Fails with a diagnostic.
mlir::FailureOr<PhaseArguments> phaseArguments(mlir::func::FuncOp phase);

/// Calls `lower` on each op of the phase, the last first: an op's rows are found through the ops before it, which must
/// still be there.
mlir::LogicalResult lowerBackwards(mlir::func::FuncOp phase,
                                   llvm::function_ref<mlir::LogicalResult(mlir::Operation *)> lower);

/// Notes in `chimera.unforced_layers` the layers whose routing nobody can force, for the manifest: the kernel reads
/// forced modes all the same.
void recordUnforcedLayers(mlir::ModuleOp module);

} // namespace chimera

#endif // CHIMERA_PASSES_PHASE_ARGUMENTS_H
