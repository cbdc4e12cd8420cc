// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One op of training to one launch, or a few, of ref kernels.

#ifndef CHIMERA_PASSES_TRAINING_CALLS_H
#define CHIMERA_PASSES_TRAINING_CALLS_H

#include "codegen/ref/TrainingKernels.h"
#include "dialect/IR/Ops.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace chimera {

/// Replaces the ops of training by calls of ref kernels, which it puts into `kernels`.
class TrainingCalls {
public:
  TrainingCalls(mlir::IRRewriter &rewriter, mlir::ModuleOp kernels) : rewriter(rewriter), kernels(kernels) {}

  /// Replaces `op` and returns true if it is an op of training; else returns false. Parameters stay.
  bool lower(mlir::Operation *op);

private:
  bool lowerRouting(mlir::Operation *op);
  bool lowerCombination(mlir::Operation *op);
  bool lowerRowwise(mlir::Operation *op);
  bool lowerSums(mlir::Operation *op);
  bool lowerLoss(mlir::Operation *op);
  bool lowerAttention(mlir::Operation *op);
  bool lowerConv(mlir::Operation *op);
  bool lowerScan(mlir::Operation *op);
  bool lowerOptimizer(mlir::Operation *op);
  void lowerSquaredNorm(ir::SquaredNormOp op);

  mlir::IRRewriter &rewriter;
  mlir::ModuleOp kernels;
};

} // namespace chimera

#endif // CHIMERA_PASSES_TRAINING_CALLS_H
