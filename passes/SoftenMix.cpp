// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-soften-mix: every row through every mixer, weighted by the routing's probabilities.

#include "dialect/IR/Checks.h"
#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

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

  /// Fails with a diagnostic at an op that has no tentative form where it needs one.
  LogicalResult run();

private:
  FailureOr<SmallVector<Value>> inlineMixer(unsigned k);
  Value slice(unsigned k);
  LogicalResult makeTentative(Operation *op, unsigned k);

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

/// Lets an op that computes every row look back on the kept ones alone. An op that computes each row alone, or of
/// parameters, is right as it is.
LogicalResult Softening::makeTentative(Operation *op, unsigned k) {
  if (auto looksBack = dyn_cast<LooksBackOpInterface>(op)) {
    rewriter.setInsertionPoint(op);
    return looksBack.makeTentative(rewriter, {mix.getMode(), mix.getRows(), [&] { return slice(k); }});
  }
  auto isStatic = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.hasStaticShape();
  };
  if (op->hasTrait<RowLocal>() || llvm::all_of(op->getResultTypes(), isStatic)) {
    return success();
  }
  return op->emitOpError("does not say how it looks back on other rows, so it cannot be in a mixer of soft routing");
}

/// The k-th region on all rows, in the place of the mix. Gives what it yields.
FailureOr<SmallVector<Value>> Softening::inlineMixer(unsigned k) {
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
      if (failed(makeTentative(op, k))) {
        return failure();
      }
    }
  }
  SmallVector<Value> yielded(yield.getValues());
  rewriter.eraseOp(yield);
  return yielded;
}

LogicalResult Softening::run() {
  SmallVector<Value> outputs;
  SmallVector<Attribute> outputModes;
  for (unsigned k = 0; k < mix.getModes().size(); ++k) {
    FailureOr<SmallVector<Value>> yielded = inlineMixer(k);
    if (failed(yielded)) {
      return failure();
    }
    if (!yielded->empty()) {
      outputs.push_back(yielded->front());
      outputModes.push_back(mix.getModes()[k]);
    }
  }
  rewriter.setInsertionPoint(mix);
  rewriter.replaceOpWithNewOp<SoftCombineOp>(mix, mix.getResult().getType(), rewriter.getArrayAttr(outputModes),
                                             mix.getResidual(), route.getLogP(), route.getModes(), outputs);
  return success();
}

namespace {
struct SoftenMix : chimera::impl::SoftenMixBase<SoftenMix> {
  void runOnOperation() override {
    if (!getOperation()->hasAttr(attrs::soft)) {
      return;
    }
    SmallVector<MixOp> mixes;
    getOperation().walk([&](MixOp op) { mixes.push_back(op); });
    LayerListener layers;
    IRRewriter rewriter(&getContext(), &layers);
    for (MixOp mix : mixes) {
      auto route = mix.getMode() ? mix.getMode().getDefiningOp<SeqRouteOp>() : SeqRouteOp();
      if (!route || !mix.getCaches().empty()) {
        mix.emitOpError("is not in its training form: it must be routed by chimera.seq_route and have no caches");
        return signalPassFailure();
      }
      layers.follow(mix);
      if (failed(Softening(rewriter, mix, route).run())) {
        return signalPassFailure();
      }
    }
  }
};
} // namespace
