// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One op to one launch of a ref kernel.

#ifndef CHIMERA_PASSES_REF_CALLS_H
#define CHIMERA_PASSES_REF_CALLS_H

#include "codegen/ref/Kernels.h"
#include "dialect/IR/Ops.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace chimera {

/// Replaces ops by calls of ref kernels, which it puts into `kernels`.
class RefCalls {
public:
  RefCalls(mlir::IRRewriter &rewriter, mlir::ModuleOp kernels, mlir::Value batch, mlir::Value forced)
      : rewriter(rewriter), kernels(kernels), batch(batch), forced(forced) {}

  /// Replaces `op` if it is a launch; leaves parameters and what is not of the dialect. Fails with a diagnostic.
  mlir::LogicalResult lower(mlir::Operation *op);

private:
  mlir::LogicalResult lowerRowwise(mlir::Operation *op);
  mlir::LogicalResult lowerRouting(mlir::Operation *op);
  mlir::LogicalResult lowerMixer(mlir::Operation *op);
  bool lowerExperts(mlir::Operation *op);

  void lowerNorm(ir::NormOp op);
  void lowerLinear(ir::LinearOp op);
  void lowerRoute(ir::RouteOp op);
  void lowerDispatch(ir::DispatchOp op);
  void lowerCombine(ir::CombineOp op);
  void lowerRouteExperts(ir::RouteExpertsOp op);
  void lowerDispatchExperts(ir::DispatchExpertsOp op);
  void lowerAddExpert(ir::AddExpertOp op);
  mlir::Value ownCopy(mlir::Operation *op, mlir::Value input);
  void lowerAttend(ir::AttendOp op);
  void lowerAppend(ir::AppendOp op);
  void lowerConv(ir::CausalConvOp op);
  void lowerSsmScan(ir::SsmScanOp op);
  void lowerLtiScan(ir::LtiScanOp op);

  mlir::IRRewriter &rewriter;
  mlir::ModuleOp kernels;
  mlir::Value batch;  ///< the rows of the whole step
  mlir::Value forced; ///< the forced modes of the whole step
};

/// What kernels of any target ask of an op of the dialect: that it is dispatched, that only the number of its rows is
/// open, and that its rows are known. Fails with a diagnostic.
mlir::LogicalResult checkLaunch(mlir::Operation *op);

/// What limits the admissions to each of the modes of a routing; empty without any limit.
std::vector<ref::Capacity> capacitiesOf(size_t modes, std::optional<llvm::ArrayRef<double>> rates,
                                        std::optional<llvm::ArrayRef<int64_t>> maxTokens);

} // namespace chimera

#endif // CHIMERA_PASSES_REF_CALLS_H
