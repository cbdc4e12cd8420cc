// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-fuse-rope: angles once a step, queries and keys turned and rounded together with the values.

#include "dialect/IR/Checks.h"
#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"
#include "passes/Phase.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/MapVector.h"

namespace chimera {
#define GEN_PASS_DEF_FUSEROPE
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

namespace {

/// The f32 value before its rounding to bf16, if it was rounded.
Value unrounded(Value value) {
  auto cast = value.getDefiningOp<CastOp>();
  return cast && elementOf(cast.getInput()).isF32() && elementOf(value).isBF16() ? cast.getInput() : value;
}

/// Fuses the rotary embeddings of one phase.
class RopeFuser {
public:
  RopeFuser(IRRewriter &rewriter, LayerListener &layers, Value batch)
      : rewriter(rewriter), layers(layers), batch(batch) {}

  /// `query`, `key` and `value` are what one attention reads. Only if all have the same rows.
  void fuse(Value query, Value key, Value value) {
    auto queryRope = unrounded(query).getDefiningOp<RopeOp>(), keyRope = unrounded(key).getDefiningOp<RopeOp>();
    Value plain = unrounded(value);
    if (!queryRope || !keyRope || queryRope.getRows() != keyRope.getRows() ||
        queryRope.getFrequencies() != keyRope.getFrequencies() || rowsOf(plain) != keyRope.getRows()) {
      return;
    }
    // After the last of the three inputs.
    Operation *last = queryRope;
    for (Value input : {Value(keyRope.getInput()), plain}) {
      Operation *def = input.getDefiningOp();
      if (!def || def->getBlock() != last->getBlock()) {
        return;
      }
      last = last->isBeforeInBlock(def) ? def : last;
    }
    for (Value result : {query, key, value}) {
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            return user->getBlock() != last->getBlock() || user->isBeforeInBlock(last);
          })) {
        return;
      }
    }
    Value table = tableOf(queryRope);
    layers.follow(queryRope);
    rewriter.setInsertionPointAfter(last);
    auto fused = rewriter.create<FusedRopeOp>(queryRope.getLoc(), query.getType(), key.getType(), value.getType(),
                                              queryRope.getInput(), keyRope.getInput(), plain, table,
                                              queryRope.getRows(), queryRope.getHeads(), keyRope.getHeads());
    rewriter.replaceAllUsesWith(query, fused.getQueryOut());
    rewriter.replaceAllUsesWith(key, fused.getKeyOut());
    rewriter.replaceUsesWithIf(value, fused.getValueOut(), [&](OpOperand &use) { return use.getOwner() != fused; });
  }

private:
  Value tableOf(RopeOp rope) {
    Value &table = tables[rope.getFrequenciesAttr()];
    if (!table) {
      rewriter.setInsertionPointToStart(rope->getBlock());
      auto type = RankedTensorType::get({ShapedType::kDynamic, 2 * static_cast<int64_t>(rope.getFrequencies().size())},
                                        elementOf(rope.getInput()));
      layers.follow(nullptr); // of no layer: all share it
      table = rewriter.create<RopeTableOp>(rewriter.getUnknownLoc(), type, batch, rope.getFrequencies());
    }
    return table;
  }

  IRRewriter &rewriter;
  LayerListener &layers;
  Value batch;
  llvm::MapVector<Attribute, Value> tables;
};

struct FuseRope : chimera::impl::FuseRopeBase<FuseRope> {
  void runOnOperation() override {
    func::FuncOp phase = getOperation();
    Value batch = stepArgument(phase, "rows");
    if (!batch || !isa<RowsType>(batch.getType())) {
      return;
    }
    LayerListener layers;
    IRRewriter rewriter(&getContext(), &layers);
    RopeFuser fuser(rewriter, layers, batch);
    SmallVector<AttendOp> attends;
    phase.walk([&](AttendOp op) { attends.push_back(op); });
    for (AttendOp attend : attends) {
      fuser.fuse(attend.getQuery(), attend.getKey(), attend.getValue());
    }
  }
};

} // namespace
