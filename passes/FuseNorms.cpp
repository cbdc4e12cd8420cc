// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-fuse-norms: norms that write what is rounded from them.

#include "dialect/IR/Checks.h"
#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace chimera {
#define GEN_PASS_DEF_FUSENORMS
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The casts of an f32 value to bf16, all of one type.
static SmallVector<CastOp> castsOf(Value value) {
  SmallVector<CastOp> casts;
  if (!elementOf(value).isF32()) {
    return casts;
  }
  for (Operation *user : value.getUsers()) {
    auto cast = dyn_cast<CastOp>(user);
    if (cast && elementOf(cast.getResult()).isBF16() &&
        (casts.empty() || cast.getResult().getType() == casts.front().getResult().getType())) {
      casts.push_back(cast);
    }
  }
  return casts;
}

/// A norm and its casts become one op with a result for each type that is used.
static void fuseNorm(IRRewriter &rewriter, NormOp op) {
  SmallVector<CastOp> casts = castsOf(op.getResult());
  if (casts.empty()) {
    return;
  }
  bool exact = casts.size() < static_cast<size_t>(std::distance(op->use_begin(), op->use_end()));
  SmallVector<Type> types;
  if (exact) {
    types.push_back(op.getResult().getType());
  }
  types.push_back(casts.front().getResult().getType());
  rewriter.setInsertionPoint(op);
  auto fused = rewriter.create<FusedNormOp>(op.getLoc(), types, op.getKind(), op.getInput(), op.getWeight(),
                                            op.getBias(), op.getEps(), op.getGroups(), op.getUnitOffset());
  for (CastOp cast : casts) {
    rewriter.replaceOp(cast, fused.getResults().back());
  }
  rewriter.replaceOp(op, fused.getResults().front());
}

static void fuseGatedNorm(IRRewriter &rewriter, GatedNormOp op) {
  SmallVector<CastOp> casts = castsOf(op.getResult());
  if (casts.size() != 1 || !op->hasOneUse()) {
    return;
  }
  rewriter.setInsertionPoint(op);
  rewriter.replaceOpWithNewOp<FusedGatedNormOp>(casts.front(), casts.front().getResult().getType(), op.getInput(),
                                                op.getGate(), op.getWeight(), op.getGroups(), op.getEps());
  rewriter.eraseOp(op);
}

namespace {
struct FuseNorms : chimera::impl::FuseNormsBase<FuseNorms> {
  void runOnOperation() override {
    if (getOperation()->hasAttr(attrs::training)) {
      return;
    }
    LayerListener layers;
    IRRewriter rewriter(&getContext(), &layers);
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<NormOp, GatedNormOp>(op)) {
        ops.push_back(op);
      }
    });
    for (Operation *op : ops) {
      layers.follow(op);
      if (auto norm = dyn_cast<NormOp>(op)) {
        fuseNorm(rewriter, norm);
      } else {
        fuseGatedNorm(rewriter, cast<GatedNormOp>(op));
      }
    }
  }
};
} // namespace
