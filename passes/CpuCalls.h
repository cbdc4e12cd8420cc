// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One op to one launch of a cpu kernel; of a ref kernel where there is none.

#ifndef CHIMERA_PASSES_CPU_CALLS_H
#define CHIMERA_PASSES_CPU_CALLS_H

#include "codegen/cpu/Kernels.h"
#include "passes/KernelCall.h"
#include "passes/PhaseArguments.h"
#include "passes/RefCalls.h"

namespace chimera {

/// What a phase is lowered for.
struct CpuTarget {
  cpu::Isa isa;
  std::optional<cpu::WeightFormat> quantised; ///< of matrices; none: as the model has them
  bool singleRows;                            ///< every sequence of a step has one row
  bool training;                              ///< whole sequences, weights that change
};

/// Replaces ops by calls of kernels, which it puts into `kernels`.
class CpuCalls {
public:
  CpuCalls(mlir::IRRewriter &rewriter, mlir::ModuleOp kernels, const CpuTarget &target, const PhaseArguments &arguments)
      : rewriter(rewriter), kernels(kernels), target(target), arguments(arguments),
        refCalls(rewriter, kernels, arguments.batch, arguments.forced) {}

  /// Replaces `op` if it is a launch; leaves parameters and what is not of the dialect, and drops columns that only
  /// kernels read, where they are. Fails with a diagnostic.
  mlir::LogicalResult lower(mlir::Operation *op);

  /// A matrix or some columns of one.
  struct Columns {
    mlir::Value matrix;
    cpu::View view;
  };
  /// What kernels read for a value: columns of columns lie where the matrix has them.
  static Columns columns(mlir::Value value);

private:
  mlir::LogicalResult lowerInF64(mlir::Operation *op);
  mlir::LogicalResult lowerOne(mlir::Operation *op);
  mlir::LogicalResult lowerLinear(ir::FusedLinearOp op);
  cpu::WeightFormat weightFormat(ir::FusedLinearOp op) const;
  template <typename Op> void lowerNorm(Op op);
  template <typename Op> void lowerGatedNorm(Op op);
  void lowerRope(ir::FusedRopeOp op);
  void lowerLoneRope(ir::RopeOp op);
  mlir::LogicalResult lowerAttend(ir::FusedAttendOp op);
  void lowerSplitAttend(ir::FusedAttendOp op, const cpu::AttendSpec &spec);
  void lowerAppend(ir::AppendOp op);
  void lowerConv(ir::FusedConvOp op);
  void lowerSsmScan(ir::SsmScanOp op);
  void lowerLtiScan(ir::LtiScanOp op);

  mlir::IRRewriter &rewriter;
  mlir::ModuleOp kernels;
  CpuTarget target;
  PhaseArguments arguments;
  RefCalls refCalls;
  llvm::DenseMap<mlir::Attribute, mlir::Value> loneTables; ///< by frequencies, for embeddings that were not fused
};

} // namespace chimera

#endif // CHIMERA_PASSES_CPU_CALLS_H
