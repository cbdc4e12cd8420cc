// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-soften-mix: every row through every mixer, weighted by the routing's probabilities.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"

namespace chimera {
#define GEN_PASS_DEF_SOFTENMIX
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

namespace {

/// Softens one mix.
class Softening {
public:
  Softening(IRRewriter &rewriter, MixOp mix, SeqRouteOp route) : rewriter(rewriter), mix(mix), route(route) {}

  void run();

private:
  SmallVector<Value> inlineMixer(unsigned k);
  Value slice(unsigned k);
  void makeTentative(Operation *op, unsigned k);

  /// Whether the k-th mode keeps every row that it computes: all of them, where entries carry their weights.
  bool keepsAll(unsigned k) { return mix.getLogP() || mix.seesAllRows(k); }

  IRRewriter &rewriter;
  MixOp mix;
  SeqRouteOp route;
  DispatchOp dispatch; ///< made when the first mode needs its slice
};

} // namespace

/// The rows that want the k-th mode.
Value Softening::slice(unsigned k) {
  if (!dispatch) {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointAfter(route);
    auto inverse = RankedTensorType::get({ShapedType::kDynamic}, rewriter.getI32Type());
    SmallVector<Type> slices(mix.getModes().size(), mix.getRows().getType());
    dispatch = rewriter.create<DispatchOp>(mix.getLoc(), inverse, slices, mix.getModes(), mix.getMode(), mix.getRows());
  }
  return dispatch.getSlices()[k];
}

/// Lets an op that computes every row look back on the kept ones alone.
void Softening::makeTentative(Operation *op, unsigned k) {
  rewriter.setInsertionPoint(op);
  auto kept = [&](Value value) -> Value {
    return rewriter.create<GatherOp>(op->getLoc(), value.getType(), value, mix.getRows(), slice(k));
  };
  TypeSwitch<Operation *>(op)
      .Case([&](SeqAttendOp attend) {
        Value key = attend.getKey(), value = attend.getValue();
        Value keptKey = kept(key), keptValue = kept(value);
        rewriter.replaceOpWithNewOp<SeqAttendOp>(attend, attend.getResult().getType(), attend.getLse().getType(),
                                                 attend.getQuery(), keptKey, keptValue, Value(), ValueRange{key, value},
                                                 attend.getOwn(), slice(k), attend.getKvHeads(), attend.getHeadDim(),
                                                 attend.getWindow(), attend.getScale());
      })
      .Case([&](SeqConvOp conv) {
        if (columnsOf(conv.getWeight()) > 1) {
          Value input = kept(conv.getInput());
          rewriter.replaceOpWithNewOp<SeqConvOp>(conv, conv.getResult().getType(), conv.getInput(), conv.getWeight(),
                                                 conv.getBias(), input, slice(k), conv.getRows(), conv.getActivation());
        }
      })
      .Case<SeqSsmScanOp, SeqLtiScanOp>(
          [&](auto scan) { rewriter.modifyOpInPlace(scan, [&] { scan.getModeMutable().assign(mix.getMode()); }); });
}

/// The k-th region on all rows, in the place of the mix. Gives what it yields.
SmallVector<Value> Softening::inlineMixer(unsigned k) {
  SmallVector<Value> arguments = {mix.getTokens(), mix.getRows(), mix.getRows()};
  if (mix.getLogP()) {
    auto column = llvm::find(*mix.getLogPModes(), mix.getModes()[k]) - mix.getLogPModes()->begin();
    auto type = RankedTensorType::get({ShapedType::kDynamic}, elementOf(mix.getLogP()));
    rewriter.setInsertionPoint(mix);
    arguments.push_back(rewriter.create<WriteWeightOp>(mix.getLoc(), type, mix.getLogP(), column, mix.getRows()));
  }
  Block &block = mix.getMixers()[k].front();
  auto yield = cast<YieldOp>(block.getTerminator());
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator()) {
    ops.push_back(&op);
  }
  rewriter.inlineBlockBefore(&block, mix, arguments);
  if (!keepsAll(k)) {
    for (Operation *op : ops) {
      makeTentative(op, k);
    }
  }
  SmallVector<Value> yielded(yield.getValues());
  rewriter.eraseOp(yield);
  return yielded;
}

void Softening::run() {
  SmallVector<Value> outputs;
  SmallVector<Attribute> outputModes;
  for (unsigned k = 0; k < mix.getModes().size(); ++k) {
    SmallVector<Value> yielded = inlineMixer(k);
    if (!yielded.empty()) {
      outputs.push_back(yielded.front());
      outputModes.push_back(mix.getModes()[k]);
    }
  }
  rewriter.setInsertionPoint(mix);
  rewriter.replaceOpWithNewOp<SoftCombineOp>(mix, mix.getResult().getType(), rewriter.getArrayAttr(outputModes),
                                             mix.getResidual(), route.getLogP(), route.getModes(), outputs);
}

namespace {
struct SoftenMix : chimera::impl::SoftenMixBase<SoftenMix> {
  void runOnOperation() override {
    if (!getOperation()->hasAttr("chimera.soft")) {
      return;
    }
    SmallVector<MixOp> mixes;
    getOperation().walk([&](MixOp op) { mixes.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (MixOp mix : mixes) {
      auto route = mix.getMode() ? mix.getMode().getDefiningOp<SeqRouteOp>() : SeqRouteOp();
      if (!route || !mix.getCaches().empty()) {
        mix.emitOpError("is not in its training form: it must be routed by chimera.seq_route and have no caches");
        return signalPassFailure();
      }
      Softening(rewriter, mix, route).run();
    }
  }
};
} // namespace
