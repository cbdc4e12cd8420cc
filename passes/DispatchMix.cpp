// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-dispatch-mix: mixers on slices of the batch, sorted by mode once.

#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace chimera {
#define GEN_PASS_DEF_DISPATCHMIX
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// What the block of the mix's k-th region takes, on the slice `own` of its mode.
static SmallVector<Value> mixerArguments(IRRewriter &rewriter, MixOp op, unsigned k, Value own) {
  Location loc = op.getLoc();
  Value seen = op.seesAllRows(k) ? Value(op.getRows()) : own;
  SmallVector<Value> arguments = {
      rewriter.createOrFold<GatherOp>(loc, op.getTokens().getType(), op.getTokens(), op.getRows(), seen), seen, own};
  if (op.getLogP()) {
    auto type = cast<RankedTensorType>(op.getLogP().getType());
    auto column = llvm::find(*op.getLogPModes(), op.getModes()[k]) - op.getLogPModes()->begin();
    arguments.push_back(rewriter.create<WriteWeightOp>(
        loc, RankedTensorType::get({ShapedType::kDynamic}, type.getElementType()), op.getLogP(), column, seen));
  }
  llvm::append_range(arguments, op.getCaches().slice(op.cacheBegin(k), op.getCacheCounts()[k]));
  return arguments;
}

/// Replaces a routed mix by its dispatched form.
static void dispatch(IRRewriter &rewriter, MixOp op) {
  rewriter.setInsertionPoint(op);
  Location loc = op.getLoc();
  unsigned count = op.getModes().size();
  SmallVector<Type> sliceTypes(count, op.getRows().getType());
  auto inverseType = RankedTensorType::get({ShapedType::kDynamic}, rewriter.getI32Type());
  auto dispatchOp =
      rewriter.create<DispatchOp>(loc, inverseType, sliceTypes, op.getModes(), op.getMode(), op.getRows());

  SmallVector<Value> results(1), outputs;
  SmallVector<Attribute> outputModes;
  for (unsigned k = 0; k < count; ++k) {
    SmallVector<Value> arguments = mixerArguments(rewriter, op, k, dispatchOp.getSlices()[k]);
    Block &block = op.getMixers()[k].front();
    auto yield = cast<YieldOp>(block.getTerminator());
    rewriter.inlineBlockBefore(&block, op, arguments);
    SmallVector<Value> yielded(yield.getValues());
    rewriter.eraseOp(yield);
    if (static_cast<int64_t>(yielded.size()) > op.getCacheCounts()[k]) {
      outputs.push_back(yielded.front());
      outputModes.push_back(op.getModes()[k]);
      yielded.erase(yielded.begin());
    }
    llvm::append_range(results, yielded);
  }
  rewriter.setInsertionPoint(op);
  if (outputs.empty()) {
    results[0] = op.getResidual();
  } else {
    results[0] =
        rewriter.create<CombineOp>(loc, op.getResidual().getType(), rewriter.getArrayAttr(outputModes),
                                   op.getResidual(), op.getMode(), dispatchOp.getInverse(), op.getGate(), outputs);
  }
  rewriter.replaceOp(op, results);
}

namespace {
struct DispatchMix : chimera::impl::DispatchMixBase<DispatchMix> {
  void runOnOperation() override {
    SmallVector<MixOp> mixes;
    getOperation().walk([&](MixOp op) { mixes.push_back(op); });
    LayerListener layers;
    IRRewriter rewriter(&getContext(), &layers);
    for (MixOp op : mixes) {
      if (!op.getMode()) {
        op.emitOpError("has one mode: canonicalize folds it away before dispatch");
        return signalPassFailure();
      }
      layers.follow(op);
      dispatch(rewriter, op);
    }
  }
};
} // namespace
