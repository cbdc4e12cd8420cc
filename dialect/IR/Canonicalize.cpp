// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Canonical forms of chimera.mix: a lone mixer is no mix, a mode that nobody can take has no mixer, and a cache that
// nobody reads any more is not written.

#include "dialect/IR/Attributes.h"
#include "dialect/IR/Ops.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

namespace {

/// A mix with one mode that every row takes, with gate 1, becomes its mixer and a sum.
struct InlineLoneMixer : OpRewritePattern<MixOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MixOp op, PatternRewriter &rewriter) const override {
    if (op.getMode() || op.getLogP()) {
      return failure();
    }
    SmallVector<Value> arguments = {op.getTokens(), op.getRows(), op.getRows()};
    llvm::append_range(arguments, op.getCaches());
    Block &block = op.getMixers()[0].front();
    auto yield = cast<YieldOp>(block.getTerminator());
    rewriter.inlineBlockBefore(&block, op, arguments);
    SmallVector<Value> yielded(yield.getValues());
    rewriter.eraseOp(yield);
    bool skips = yielded.size() == op.getCaches().size();
    SmallVector<Value> results;
    if (skips) {
      results.push_back(op.getResidual());
    } else {
      auto sum = rewriter.create<AddOp>(op.getLoc(), op.getResidual().getType(), op.getResidual(), yielded[0]);
      setLayer(sum, layerOf(op));
      results.push_back(sum);
    }
    llvm::append_range(results, ArrayRef(yielded).drop_front(skips ? 0 : 1));
    rewriter.replaceOp(op, results);
    return success();
  }
};

/// A mode that the router never admits loses its mixer; its caches stay as they are.
struct DropUnreachableMode : OpRewritePattern<MixOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MixOp op, PatternRewriter &rewriter) const override {
    auto route = op.getMode() ? op.getMode().getDefiningOp<RouteOp>() : RouteOp();
    if (!route) {
      return failure();
    }
    std::optional<unsigned> dropped = findUnreachable(op, route);
    if (!dropped) {
      return failure();
    }
    SmallVector<Attribute> modes;
    SmallVector<int64_t> counts;
    SmallVector<Value> caches;
    SmallVector<unsigned> kept;
    for (unsigned k = 0; k < op.getModes().size(); ++k) {
      if (k == *dropped) {
        continue;
      }
      kept.push_back(k);
      modes.push_back(op.getModes()[k]);
      counts.push_back(op.getCacheCounts()[k]);
      llvm::append_range(caches, op.getCaches().slice(op.cacheBegin(k), op.getCacheCounts()[k]));
    }
    auto mix = rewriter.create<MixOp>(op.getLoc(), op.getResidual().getType(), ValueRange(caches).getTypes(),
                                      rewriter.getArrayAttr(modes), op.getPolicyAttr(), op.getResidual(),
                                      op.getTokens(), op.getMode(), op.getGate(), op.getLogP(), op.getRows(), caches,
                                      op.getLogPModesAttr(), rewriter.getDenseI64ArrayAttr(counts), kept.size());
    setLayer(mix, layerOf(op));
    SmallVector<Value> results(op.getCaches());
    for (auto [i, k] : llvm::enumerate(kept)) {
      rewriter.inlineRegionBefore(op.getMixers()[k], mix.getMixers()[i], mix.getMixers()[i].end());
      for (int64_t c = 0; c < counts[i]; ++c) {
        results[op.cacheBegin(k) + c] = mix.getCachesOut()[mix.cacheBegin(i) + c];
      }
    }
    results.insert(results.begin(), mix.getResult());
    rewriter.replaceOp(op, results);
    return success();
  }

  /// A mode of the mix that the router never admits. One mode always stays.
  static std::optional<unsigned> findUnreachable(MixOp op, RouteOp route) {
    for (unsigned k = 0; k < op.getModes().size() && op.getModes().size() > 1; ++k) {
      auto it = llvm::find(route.getModes(), op.getModes()[k]);
      // With cache_write "all" the mode's cache is written by everybody, but nobody ever reads it.
      if (it == route.getModes().end() || route.neverAdmits(std::distance(route.getModes().begin(), it))) {
        return k;
      }
    }
    return std::nullopt;
  }
};

/// A cache whose new version is not used is handed back as it came: the ops that wrote it are then dead.
struct DropDeadCacheWrites : OpRewritePattern<MixOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MixOp op, PatternRewriter &rewriter) const override {
    bool changed = false;
    for (unsigned k = 0; k < op.getModes().size(); ++k) {
      Block &block = op.getMixers()[k].front();
      auto yield = cast<YieldOp>(block.getTerminator());
      unsigned count = op.getCacheCounts()[k], firstYielded = yield.getValues().size() - count;
      for (unsigned c = 0; c < count; ++c) {
        if (!op.getCachesOut()[op.cacheBegin(k) + c].use_empty()) {
          continue;
        }
        // The version before may be handed back in its place only if its one consuming use goes.
        Operation *writer = yield.getValues()[firstYielded + c].getDefiningOp();
        if (!writer || !isa<AppendOp, ShiftTailOp>(writer) || !writer->getResult(0).hasOneUse()) {
          continue;
        }
        Value before = cast<CacheOpInterface>(writer).getConsumedCaches().front()->get();
        rewriter.modifyOpInPlace(yield, [&] { yield.setOperand(firstYielded + c, before); });
        rewriter.eraseOp(writer);
        changed = true;
      }
    }
    return success(changed);
  }
};

} // namespace

void MixOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<InlineLoneMixer, DropUnreachableMode, DropDeadCacheWrites>(context);
}
