// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks that verifiers share. Each emits one error that names the operand and says what was expected.

#ifndef CHIMERA_DIALECT_IR_CHECKS_H
#define CHIMERA_DIALECT_IR_CHECKS_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/OperationSupport.h"

#include <optional>

namespace chimera::ir {

inline mlir::Type elementOf(mlir::Value tensor) {
  return llvm::cast<mlir::RankedTensorType>(tensor.getType()).getElementType();
}

/// The columns of an [R, C] tensor.
inline int64_t columnsOf(mlir::Value tensor) {
  return llvm::cast<mlir::RankedTensorType>(tensor.getType()).getDimSize(1);
}

/// `value`, an [R, C] tensor, has `columns` columns.
mlir::LogicalResult checkColumns(mlir::Operation *op, llvm::StringRef name, mlir::Value value, int64_t columns);

/// `value`, a parameter vector, has `length` elements.
mlir::LogicalResult checkLength(mlir::Operation *op, llvm::StringRef name, mlir::Value value, int64_t length);

/// `value`, a parameter matrix, is [rows, columns].
mlir::LogicalResult checkShape(mlir::Operation *op, llvm::StringRef name, mlir::Value value, int64_t rows,
                               int64_t columns);

/// Both have one element type.
mlir::LogicalResult checkSameElement(mlir::Operation *op, llvm::StringRef nameA, mlir::Value a, llvm::StringRef nameB,
                                     mlir::Value b);

/// `value`'s element type is that of the accumulator for operands of type `operand`: f64 for f64, else f32.
mlir::LogicalResult checkAccumulator(mlir::Operation *op, llvm::StringRef name, mlir::Value value, mlir::Type operand);

/// `value` has the element type of masters, gradients and moments: f64 or f32.
mlir::LogicalResult checkMaster(mlir::Operation *op, llvm::StringRef name, mlir::Value value);

/// The arrays of a step that ops of training read: f64 [hyperLength] and i32 [leavesLength].
mlir::LogicalResult checkHyper(mlir::Operation *op, mlir::Value hyper);
mlir::LogicalResult checkLeaves(mlir::Operation *op, mlir::Value leaves);

/// Modes are listed once each, in canonical order.
mlir::LogicalResult verifyModeList(mlir::Operation *op, mlir::ArrayAttr modes);

/// The operands of `op` that are caches. Asks nothing of `op`: verifiers look at users that are not verified yet.
llvm::SmallVector<mlir::OpOperand *> cacheOperandsOf(mlir::Operation *op);

/// `groups` equal parts can be made of `count` columns or heads; `what` says which of them.
mlir::LogicalResult checkGroups(mlir::Operation *op, int64_t groups, int64_t count, llvm::StringRef what);

/// An attribute is finite and above zero.
mlir::LogicalResult checkPositive(mlir::Operation *op, llvm::StringRef name, const llvm::APFloat &value);

/// A soft cap, if there is one, is finite and above zero.
mlir::LogicalResult checkSoftCap(mlir::Operation *op, const std::optional<llvm::APFloat> &softCap);

/// `weights` [R, E] have a column for `expert`, and the element type of `like`, which is called `name`.
mlir::LogicalResult checkExpert(mlir::Operation *op, uint64_t expert, mlir::Value weights, llvm::StringRef name,
                                mlir::Value like);

/// What norms and their gradients have in common.
struct NormParts {
  bool layer; ///< else rms
  mlir::Value input, weight;
  int64_t groups;
  bool unitOffset;
  llvm::APFloat eps;
};

/// A norm's weight has a number for each column of a group; groups and a unit offset are of an rms norm.
mlir::LogicalResult checkRowNorm(mlir::Operation *op, const NormParts &norm);

/// Keys, values and write weights (null: none) fit the cache that they are entries of.
mlir::LogicalResult checkEntries(mlir::Operation *op, mlir::Value key, mlir::Value value, mlir::Value write,
                                 mlir::Type cacheType);

/// The operands of a causal convolution fit each other; `tail` is null where there is none.
mlir::LogicalResult checkConv(mlir::Operation *op, mlir::Value input, mlir::Value weight, mlir::Value bias,
                              mlir::Value tail);

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_CHECKS_H
