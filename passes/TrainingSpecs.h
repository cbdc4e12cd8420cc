// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which kernel an op of training asks for: what its lowerings to ref and cpu kernels share.

#ifndef CHIMERA_PASSES_TRAINING_SPECS_H
#define CHIMERA_PASSES_TRAINING_SPECS_H

#include "codegen/ref/TrainingKernels.h"
#include "dialect/IR/Checks.h"
#include "passes/KernelCall.h"

namespace chimera {

/// Which of `modes` are among `outputModes`.
inline std::vector<bool> presence(mlir::ArrayAttr modes, mlir::ArrayAttr outputModes) {
  std::vector<bool> present;
  for (mlir::Attribute mode : modes) {
    present.push_back(llvm::is_contained(outputModes, mode));
  }
  return present;
}

/// The elements of a parameter or its gradient.
inline int64_t elementsOf(mlir::Value tensor) {
  return llvm::cast<mlir::RankedTensorType>(tensor.getType()).getNumElements();
}

/// Of an attention or one of its gradients; `result` has the accumulators' type.
template <typename Op> ref::SeqAttendSpec attendSpec(Op op, bool tentative, mlir::Value result) {
  return {ir::columnsOf(op.getQuery()) / static_cast<int64_t>(op.getHeadDim()),
          static_cast<int64_t>(op.getKvHeads()),
          static_cast<int64_t>(op.getHeadDim()),
          static_cast<int64_t>(op.getWindow()),
          op.getScale().convertToDouble(),
          bool(op.getWrite()),
          tentative,
          scalarOf(op.getQuery()),
          scalarOf(result),
          softCapOf(op)};
}

/// Of a convolution or one of its gradients, with an input or a gradient [., C], and weights [C, K] or their gradient.
inline ref::SeqConvSpec convSpec(mlir::Value matrix, mlir::Value weight, bool silu, bool tentative) {
  return {ir::columnsOf(matrix), ir::columnsOf(weight), silu, tentative, scalarOf(matrix)};
}

/// Of a Mamba-2 scan or its gradient.
template <typename Op> ref::SeqSsmScanSpec ssmSpec(Op op) {
  return {static_cast<int64_t>(op.getHeads()),
          static_cast<int64_t>(op.getDim()),
          static_cast<int64_t>(op.getSize()),
          static_cast<int64_t>(op.getGroups()),
          op.getDtMin().convertToDouble(),
          op.getDtMax().convertToDouble(),
          bool(op.getWrite()),
          bool(op.getMode()),
          scalarOf(op.getXbc())};
}

/// Of a linear time-invariant scan or its gradient.
template <typename Op> ref::SeqLtiScanSpec ltiSpec(Op op) {
  return {ir::columnsOf(op.getInput()), bool(op.getWrite()), bool(op.getMode()), scalarOf(op.getInput())};
}

} // namespace chimera

#endif // CHIMERA_PASSES_TRAINING_SPECS_H
