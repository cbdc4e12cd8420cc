// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-lower-to-ref: every op becomes a launch of a ref kernel.

#include "passes/Passes.h"
#include "passes/RefCalls.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/SetVector.h"

namespace chimera {
#define GEN_PASS_DEF_LOWERTOREF
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;

/// The argument of a phase that is the step's array `name`; null if it has none.
static Value stepArgument(func::FuncOp phase, StringRef name) {
  for (BlockArgument argument : phase.getArguments()) {
    auto step = phase.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "chimera.step");
    if (step && step.getValue() == name) {
      return argument;
    }
  }
  return nullptr;
}

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

  /// Layers whose routing nobody can force, for the manifest: the kernel reads forced modes all the same.
  void recordUnforcedLayers(ModuleOp module) {
    llvm::SetVector<Attribute> layers;
    module.walk([&](ir::RouteOp route) {
      if (!route.getForced()) {
        layers.insert(route.getLayerAttr());
      }
    });
    if (!layers.empty()) {
      module->setAttr("chimera.unforced_layers", ArrayAttr::get(&getContext(), layers.getArrayRef()));
    }
  }

  LogicalResult lowerPhase(func::FuncOp phase, ModuleOp kernels) {
    if (!phase.getBody().hasOneBlock()) {
      return phase.emitOpError("is a phase: it must have a body of one block");
    }
    Value batch = stepArgument(phase, "rows"), forced = stepArgument(phase, "forced");
    if (!batch || !isa<ir::RowsType>(batch.getType())) {
      return phase.emitOpError("has no argument with chimera.step = \"rows\"");
    }
    auto forcedType = forced ? dyn_cast<RankedTensorType>(forced.getType()) : RankedTensorType();
    if (forced && (!forcedType || forcedType.getRank() != 2 || forcedType.isDynamicDim(1) ||
                   !forcedType.getElementType().isInteger(8))) {
      return phase.emitOpError("its forced modes must be i8 [rows, layers], got ") << forced.getType();
    }
    IRRewriter rewriter(&getContext());
    RefCalls calls(rewriter, kernels, batch, forced);
    // Backwards: an op's rows are found through the ops before it, which must still be there.
    SmallVector<Operation *> ops;
    for (Operation &op : phase.getBody().front()) {
      ops.push_back(&op);
    }
    for (Operation *op : llvm::reverse(ops)) {
      if (failed(calls.lower(op))) {
        return failure();
      }
    }
    return success();
  }
};
} // namespace
