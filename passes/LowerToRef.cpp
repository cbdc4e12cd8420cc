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
    IRRewriter rewriter(&getContext());
    auto begin = [&](func::FuncOp, ModuleOp kernels, const PhaseArguments &arguments) -> LowerOp {
      auto calls = std::make_shared<RefCalls>(rewriter, kernels, arguments.batch, arguments.forced);
      return [calls](Operation *op) { return calls->lower(op); };
    };
    if (failed(lowerPhases(getOperation(), begin))) {
      signalPassFailure();
    }
  }
};
} // namespace
