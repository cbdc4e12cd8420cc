// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One launch of a kernel, put together buffer by buffer.

#ifndef CHIMERA_PASSES_KERNEL_CALL_H
#define CHIMERA_PASSES_KERNEL_CALL_H

#include "codegen/kernel/Kernel.h"
#include "dialect/IR/Ops.h"

#include "mlir/IR/PatternMatch.h"

namespace chimera {

/// What `op` applies, as kernels call it.
template <typename Op> kernel::Activation activationOf(Op op) {
  return static_cast<kernel::Activation>(op.getActivationAttr().getValue());
}
static_assert(static_cast<int>(kernel::Activation::GeluTanh) == static_cast<int>(ir::Activation::GELUTanh) &&
              static_cast<int>(kernel::Activation::Relu2) == static_cast<int>(ir::Activation::ReLU2));

/// A `chimera.call` under construction in the place of `op`: its buffers in kernel order, then the kernel.
class KernelCall {
public:
  KernelCall(mlir::IRRewriter &rewriter, mlir::Operation *op) : rewriter(rewriter), op(op) {}

  /// The five arrays of a rows value.
  KernelCall &rows(mlir::Value rows) { return in(rows); }
  /// Only the starts of a rows value; of a list, only its lengths.
  KernelCall &start(mlir::Value value);
  KernelCall &in(mlir::Value value);
  KernelCall &in(mlir::ValueRange values);
  KernelCall &optional(mlir::Value value) { return value ? in(value) : *this; }
  /// A cache or tensor that the kernel brings up to date in place; its new version is a result, after all others.
  KernelCall &update(mlir::Value value);
  KernelCall &out(mlir::Type type);
  KernelCall &out(mlir::TypeRange types);
  /// A result with one entry a sequence, and one more.
  KernelCall &outStart();
  KernelCall &constant(int64_t value);

  /// Makes the call.
  mlir::ResultRange emit(const kernel::Kernel &kernel);
  /// Makes the call and replaces the op by its results.
  void replace(const kernel::Kernel &kernel) { rewriter.replaceOp(op, emit(kernel)); }

private:
  mlir::IRRewriter &rewriter;
  mlir::Operation *op;
  llvm::SmallVector<mlir::Value> inputs;
  llvm::SmallVector<mlir::Type> results, updatedTypes;
  llvm::SmallVector<std::pair<bool, size_t>> buffers, starts; // (is a result, number)
  llvm::SmallVector<int64_t> updated, constants;
};

/// The kernels' name of an element type: f64, f32 or bf16.
kernel::Scalar scalarOf(mlir::Type type);
/// The same of a tensor's elements.
kernel::Scalar scalarOf(mlir::Value tensor);

/// The kernels' numbers of modes: their canonical indices.
std::vector<int> modeIndices(mlir::ArrayAttr modes);

} // namespace chimera

#endif // CHIMERA_PASSES_KERNEL_CALL_H
