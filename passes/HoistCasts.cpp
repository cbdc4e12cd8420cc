// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-hoist-casts: rounded once for the batch, not once a slice.

#include "dialect/IR/Checks.h"
#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace chimera {
#define GEN_PASS_DEF_HOISTCASTS
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// cast(gather(x)) to gather(cast(x)): rows are rounded alone, so the bits are the same.
static void hoist(IRRewriter &rewriter, CastOp cast, GatherOp gather) {
  Value source = gather.getInput();
  Type type = mlir::cast<RankedTensorType>(source.getType()).clone(elementOf(cast.getResult()));
  if (cast.getResult().getType() != type) {
    return;
  }
  rewriter.setInsertionPointAfterValue(source);
  Value rounded;
  for (Operation *user : source.getUsers()) {
    auto other = dyn_cast<CastOp>(user);
    if (other && other.getResult().getType() == type && other->getBlock() == gather->getBlock() &&
        other->isBeforeInBlock(gather)) {
      rounded = other.getResult();
    }
  }
  if (!rounded) {
    rounded = rewriter.create<CastOp>(cast.getLoc(), type, source);
  }
  rewriter.setInsertionPoint(gather);
  rewriter.replaceOpWithNewOp<GatherOp>(cast, cast.getResult().getType(), rounded, gather.getFrom(), gather.getTo());
  if (gather->use_empty()) {
    rewriter.eraseOp(gather);
  }
}

namespace {
struct HoistCasts : chimera::impl::HoistCastsBase<HoistCasts> {
  void runOnOperation() override {
    if (getOperation()->hasAttr(attrs::training)) {
      return;
    }
    LayerListener layers;
    IRRewriter rewriter(&getContext(), &layers);
    SmallVector<CastOp> casts;
    getOperation().walk([&](CastOp op) { casts.push_back(op); });
    for (CastOp cast : casts) {
      if (auto gather = cast.getInput().getDefiningOp<GatherOp>()) {
        layers.follow(cast);
        hoist(rewriter, cast, gather);
      }
    }
  }
};
} // namespace
