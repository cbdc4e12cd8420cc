// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What passes ask of a phase, each with one clear error: the verifier checks what is there, but any function may come
// without.

#ifndef CHIMERA_PASSES_PHASE_H
#define CHIMERA_PASSES_PHASE_H

#include "passes/Pipelines.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace chimera {

/// The rows and the sequences that a step of `phase` holds at most: its `chimera.limits`. Fails with a diagnostic
/// if it has none.
mlir::FailureOr<StepLimits> phaseLimits(mlir::func::FuncOp phase);

/// The `return` of a phase, which ends its only block. Fails with a diagnostic if it is a declaration, has more blocks,
/// or ends otherwise.
mlir::FailureOr<mlir::func::ReturnOp> phaseReturn(mlir::func::FuncOp phase);

/// The argument of a phase that is the step's array `name`; null if it has none.
mlir::Value stepArgument(mlir::func::FuncOp phase, mlir::StringRef name);

/// Fails with a diagnostic if `module` has a symbol `name` already, which a pass is about to add.
mlir::LogicalResult checkSymbolFree(mlir::ModuleOp module, mlir::StringRef name);

/// The most bytes of all tensors of a phase together: arithmetic on them stays far from its limits.
constexpr int64_t mostPhaseBytes = int64_t(1) << 56;

/// The bytes of a result, a ranked tensor, in steps of these limits: where the first size is open, it is the rows, or,
/// if the result is an array of `starts`, one more than the sequences. Fails with a diagnostic if another size is open,
/// if its elements are no numbers, and beyond 2^50 bytes.
mlir::FailureOr<int64_t> resultBytes(mlir::OpResult result, const StepLimits &limits, bool starts = false);

} // namespace chimera

#endif // CHIMERA_PASSES_PHASE_H
