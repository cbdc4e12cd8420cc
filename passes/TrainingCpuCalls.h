// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One op of training to launches of cpu kernels, where there are some.

#ifndef CHIMERA_PASSES_TRAINING_CPU_CALLS_H
#define CHIMERA_PASSES_TRAINING_CPU_CALLS_H

#include "codegen/cpu/Isa.h"
#include "dialect/IR/Ops.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace chimera {

/// Replaces ops of training programs, with accumulators in f32, by calls of cpu kernels, which it puts into `kernels`.
class TrainingCpuCalls {
public:
  TrainingCpuCalls(mlir::IRRewriter &rewriter, mlir::ModuleOp kernels, const cpu::Isa &isa)
      : rewriter(rewriter), kernels(kernels), isa(isa) {}

  /// Replaces `op` and returns true if there are cpu kernels for it; else returns false and leaves it.
  bool lower(mlir::Operation *op) { return lowerProduct(op) || lowerMixer(op) || lowerRowwise(op); }

private:
  bool lowerProduct(mlir::Operation *op); ///< TrainingCpuProducts.cpp
  bool lowerMixer(mlir::Operation *op);   ///< TrainingCpuMixers.cpp
  bool lowerRowwise(mlir::Operation *op); ///< TrainingCpuRowwise.cpp

  mlir::IRRewriter &rewriter;
  mlir::ModuleOp kernels;
  cpu::Isa isa;
};

/// Whether a tensor among the operands or results of `op` is in f64.
bool hasF64(mlir::Operation *op);

} // namespace chimera

#endif // CHIMERA_PASSES_TRAINING_CPU_CALLS_H
