// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-lower-to-ref: every op becomes a launch of a ref kernel.

#include "passes/Passes.h"
#include "passes/PhaseArguments.h"
#include "passes/RefCalls.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace chimera {
#define GEN_PASS_DEF_LOWERTOREF
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;

namespace {
struct LowerToRef : chimera::impl::LowerToRefBase<LowerToRef> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto kernels = builder.create<ModuleOp>(module.getLoc(), StringRef("kernels"));
    recordUnforcedLayers(module);
    for (auto phase : module.getOps<func::FuncOp>()) {
      if (phase->hasAttr("chimera.limits") && failed(lowerPhase(phase, kernels))) {
        return signalPassFailure();
      }
    }
  }

  LogicalResult lowerPhase(func::FuncOp phase, ModuleOp kernels) {
    FailureOr<PhaseArguments> arguments = phaseArguments(phase);
    if (failed(arguments)) {
      return failure();
    }
    IRRewriter rewriter(&getContext());
    RefCalls calls(rewriter, kernels, arguments->batch, arguments->forced);
    return lowerBackwards(phase, [&](Operation *op) { return calls.lower(op); });
  }
};
} // namespace
