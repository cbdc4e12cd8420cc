// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-fuse-attention: entries are committed first where attention loses none by it, and outputs rounded.

#include "dialect/IR/Checks.h"
#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace chimera {
#define GEN_PASS_DEF_FUSEATTENTION
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The append that commits what `attend` reads besides the cache; null if nothing does.
static AppendOp appendOf(AttendOp attend) {
  for (Operation *user : attend.getCache().getUsers()) {
    auto append = dyn_cast<AppendOp>(user);
    if (append && append->getBlock() == attend->getBlock() && append.getKey() == attend.getKey() &&
        append.getValue() == attend.getValue() && append.getWrite() == attend.getWrite() &&
        append.getRows() == attend.getRows()) {
      return append;
    }
  }
  return nullptr;
}

/// True if nothing but these two uses the cache: then its commit may move before the attention.
static bool readByOthers(AttendOp attend, AppendOp append) {
  return llvm::any_of(attend.getCache().getUsers(), [&](Operation *user) { return user != attend && user != append; });
}

static void fuse(IRRewriter &rewriter, AttendOp attend, bool singleRows) {
  Operation *replaced = attend;
  if (attend->hasOneUse()) {
    auto cast = dyn_cast<CastOp>(*attend->user_begin());
    if (cast && elementOf(attend.getResult()).isF32() && elementOf(cast.getResult()).isBF16()) {
      replaced = cast;
    }
  }
  Type resultType = replaced->getResult(0).getType();
  Value key = attend.getKey(), value = attend.getValue(), write = attend.getWrite(), cache = attend.getCache();
  AppendOp append = appendOf(attend);
  bool losesNone = isa<ListType>(cache.getType()) || singleRows;
  if (append && losesNone && !readByOthers(attend, append)) {
    rewriter.moveOpBefore(append, attend);
    key = value = write = nullptr;
    cache = append.getResult();
  }
  rewriter.setInsertionPoint(attend);
  auto fused =
      rewriter.create<FusedAttendOp>(attend.getLoc(), resultType, attend.getQuery(), key, value, write, cache,
                                     attend.getOwn(), attend.getRows(), attend.getScale(), attend.getSoftCapAttr());
  rewriter.replaceOp(replaced, fused.getResult());
  if (replaced != attend) {
    rewriter.eraseOp(attend);
  }
}

namespace {
struct FuseAttention : chimera::impl::FuseAttentionBase<FuseAttention> {
  void runOnOperation() override {
    LayerListener layers;
    IRRewriter rewriter(&getContext(), &layers);
    bool singleRows = getOperation()->hasAttr(attrs::singleRows);
    SmallVector<AttendOp> attends;
    getOperation().walk([&](AttendOp op) { attends.push_back(op); });
    for (AttendOp attend : attends) {
      layers.follow(attend);
      fuse(rewriter, attend, singleRows);
    }
  }
};
} // namespace
