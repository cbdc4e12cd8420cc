// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the lowerings to a target's kernels share.

#include "passes/PhaseArguments.h"

#include "dialect/IR/Attributes.h"
#include "dialect/IR/Ops.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace chimera;

/// Finds and checks the step's arrays. Fails with a diagnostic.
static FailureOr<PhaseArguments> phaseArguments(func::FuncOp phase) {
  if (failed(phaseLimits(phase)) || failed(phaseReturn(phase))) {
    return failure();
  }
  Value batch = stepArgument(phase, "rows"), forced = stepArgument(phase, "forced");
  // What changes parameters alone has no rows.
  if (!batch && phase->hasAttr(ir::attrs::training)) {
    return PhaseArguments{batch, forced};
  }
  if (!batch || !isa<ir::RowsType>(batch.getType())) {
    return phase.emitOpError("has no argument with chimera.step = \"rows\"");
  }
  return PhaseArguments{batch, forced};
}

static void recordUnforcedLayers(ModuleOp module) {
  llvm::SetVector<Attribute> layers;
  module.walk([&](ir::RouteOp route) {
    if (!route.getForced()) {
      layers.insert(route.getLayerAttr());
    }
  });
  if (!layers.empty()) {
    module->setAttr(ir::attrs::unforcedLayers, ArrayAttr::get(module.getContext(), layers.getArrayRef()));
  }
}

LogicalResult chimera::lowerPhases(ModuleOp module,
                                   llvm::function_ref<LowerOp(func::FuncOp, ModuleOp, const PhaseArguments &)> begin) {
  if (failed(checkSymbolFree(module, "kernels"))) {
    return failure();
  }
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto kernels = builder.create<ModuleOp>(module.getLoc(), StringRef("kernels"));
  recordUnforcedLayers(module);
  for (auto phase : module.getOps<func::FuncOp>()) {
    if (!phase->hasAttr(ir::attrs::limits)) {
      continue;
    }
    FailureOr<PhaseArguments> arguments = phaseArguments(phase);
    if (failed(arguments)) {
      return failure();
    }
    LowerOp lower = begin(phase, kernels, *arguments);
    SmallVector<Operation *> ops;
    for (Operation &op : phase.getBody().front()) {
      ops.push_back(&op);
    }
    for (Operation *op : llvm::reverse(ops)) {
      if (failed(lower(op))) {
        return failure();
      }
    }
  }
  return success();
}
