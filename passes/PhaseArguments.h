// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the lowerings to a target's kernels share: a phase's step arrays, and the walk over its ops.

#ifndef CHIMERA_PASSES_PHASE_ARGUMENTS_H
#define CHIMERA_PASSES_PHASE_ARGUMENTS_H

#include "passes/Phase.h"

#include <functional>

namespace chimera {

struct PhaseArguments {
  mlir::Value batch;  ///< the rows of the whole step; null in an optimizer's program, which has none
  mlir::Value forced; ///< the forced modes of the whole step; null if the phase has none
};

/// Lowers the phases of a module to calls of kernels, for which it adds the empty module `@kernels`. `begin` is called
/// once a phase and gives what lowers one op of it; ops come the last first: an op's rows are found through the ops
/// before it, which must still be there. The layers whose routing nobody can force are noted in
/// `chimera.unforced_layers`, for the manifest: the kernel reads forced modes all the same. Fails with a diagnostic,
/// also if there is a symbol `@kernels` already.
using LowerOp = std::function<mlir::LogicalResult(mlir::Operation *)>;
mlir::LogicalResult lowerPhases(
    mlir::ModuleOp module,
    llvm::function_ref<LowerOp(mlir::func::FuncOp phase, mlir::ModuleOp kernels, const PhaseArguments &)> begin);

} // namespace chimera

#endif // CHIMERA_PASSES_PHASE_ARGUMENTS_H
