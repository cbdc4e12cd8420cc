// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-fuse-linears: matrix products with what comes before and after them.

#include "dialect/IR/Checks.h"
#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/MapVector.h"

namespace chimera {
#define GEN_PASS_DEF_FUSELINEARS
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

namespace {

RankedTensorType rowMatrix(int64_t columns, Type element) {
  return RankedTensorType::get({ShapedType::kDynamic, columns}, element);
}

/// The only user of a value with one use, if it is of this kind.
template <typename Op> Op onlyUser(Value value) {
  return value.hasOneUse() ? dyn_cast<Op>(*value.user_begin()) : Op();
}

/// Fuses the products of one block.
class LinearFuser {
public:
  LinearFuser(IRRewriter &rewriter, LayerListener &layers) : rewriter(rewriter), layers(layers) {}

  void run(Block &block) {
    fuseGlu(block);
    stack(block);
    for (auto op : llvm::make_early_inc_range(block.getOps<FusedLinearOp>())) {
      fuseGather(op);
      fuseActivation(op);
    }
    fuseResiduals(block);
  }

private:
  /// A product in the place of `op`.
  FusedLinearOp create(Operation *op, Type result, Value input, ValueRange weights, Epilogue epilogue,
                       Value residual = nullptr, Value gate = nullptr, Value gather = nullptr,
                       ActivationAttr activation = {}, IntegerAttr gateColumn = {}) {
    layers.follow(op);
    return rewriter.create<FusedLinearOp>(op->getLoc(), result, input, weights, gather, residual, gate,
                                          EpilogueAttr::get(op->getContext(), epilogue), activation, gateColumn);
  }

  /// linear, linear, glu: one product with interleaved weights.
  void fuseGlu(Block &block) {
    for (auto glu : llvm::make_early_inc_range(block.getOps<GluOp>())) {
      auto gate = glu.getGate().getDefiningOp<LinearOp>(), up = glu.getUp().getDefiningOp<LinearOp>();
      bool alone = gate && up && gate != up && gate->hasOneUse() && up->hasOneUse();
      if (!alone || gate.getInput() != up.getInput() || gate.getWeight().getType() != up.getWeight().getType()) {
        continue;
      }
      rewriter.setInsertionPoint(glu);
      auto fused =
          create(glu, glu.getResult().getType(), gate.getInput(), {gate.getWeight(), up.getWeight()}, Epilogue::GLU,
                 /*residual=*/nullptr, /*gate=*/nullptr, /*gather=*/nullptr, glu.getActivationAttr());
      rewriter.replaceOp(glu, fused.getResult());
      rewriter.eraseOp(gate);
      rewriter.eraseOp(up);
    }
  }

  /// The products of one input, up to the next routing, become one with stacked weights; each takes its columns.
  void stack(Block &block) {
    llvm::MapVector<Value, SmallVector<LinearOp>> open;
    auto close = [&] {
      for (auto &entry : open) {
        stackGroup(entry.second);
      }
      open.clear();
    };
    place.clear();
    for (Operation &op : llvm::make_early_inc_range(block)) {
      place[&op] = unsigned(place.size());
      if (isa<RouteOp, RouteExpertsOp>(op)) {
        close(); // what it routes is not needed before it
      } else if (auto linear = dyn_cast<LinearOp>(op)) {
        SmallVector<LinearOp> &group = open[linear.getInput()];
        if (!group.empty() && !canStack(group.front(), linear)) {
          stackGroup(group);
          group.clear();
        }
        group.push_back(linear);
      }
    }
    close();
  }

  /// Whether the weight of `linear` can be had where `first` is: it is there, or a parameter, which can come forward.
  static bool canStack(LinearOp first, LinearOp linear) {
    Operation *def = linear.getWeight().getDefiningOp();
    return !def || isa<ParamOp>(def) || def->getBlock() != first->getBlock() || def->isBeforeInBlock(first);
  }

  void stackGroup(ArrayRef<LinearOp> group) {
    LinearOp first = group.front();
    SmallVector<Value> weights;
    int64_t columns = 0;
    // A weight that is defined later comes forward: it is a parameter.
    rewriter.setInsertionPoint(first);
    for (LinearOp linear : group) {
      auto param = linear.getWeight().getDefiningOp<ParamOp>();
      if (param && param->getBlock() == first->getBlock() && place.lookup(param) > place.lookup(first)) {
        rewriter.moveOpBefore(param, first);
        place[param] = place.lookup(first);
      }
      weights.push_back(linear.getWeight());
      columns += columnsOf(linear.getResult());
    }
    rewriter.setInsertionPoint(first);
    Type type = group.size() > 1 ? rowMatrix(columns, elementOf(first.getResult())) : first.getResult().getType();
    auto fused = create(first, type, first.getInput(), weights, Epilogue::None);
    int64_t offset = 0;
    for (LinearOp linear : group) {
      int64_t width = columnsOf(linear.getResult());
      layers.follow(linear);
      rewriter.setInsertionPoint(linear);
      Value result = fused.getResult();
      if (group.size() > 1) {
        result = rewriter.create<ColumnsOp>(linear.getLoc(), linear.getResult().getType(), result, offset);
      }
      rewriter.replaceOp(linear, result);
      offset += width;
    }
  }

  /// A product of gathered rows reads them where they are. Gathers are from the whole batch, whose rows are numbered as
  /// they lie.
  void fuseGather(FusedLinearOp op) {
    auto gather = op.getInput().getDefiningOp<GatherOp>();
    auto from = gather ? dyn_cast<BlockArgument>(gather.getFrom()) : BlockArgument();
    if (!from || op.getGather() || rowsOf(gather.getInput()) != gather.getFrom()) {
      return;
    }
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputMutable().assign(gather.getInput());
      op.getGatherMutable().assign(gather.getTo());
    });
    if (gather->use_empty()) {
      rewriter.eraseOp(gather);
    }
  }

  /// An activation and rounding at the end.
  void fuseActivation(FusedLinearOp op) {
    if (auto activate = onlyUser<ActivateOp>(op.getResult()); activate && op.getEpilogue() == Epilogue::None) {
      rewriter.modifyOpInPlace(op, [&] {
        op.setEpilogue(Epilogue::Activate);
        op.setActivationAttr(activate.getActivationAttr());
      });
      rewriter.replaceOp(activate, op.getResult());
    }
    auto cast = onlyUser<CastOp>(op.getResult());
    if (cast && elementOf(op.getResult()).isF32() && elementOf(cast.getResult()).isBF16()) {
      rewriter.modifyOpInPlace(op, [&] { op.getResult().setType(cast.getResult().getType()); });
      rewriter.replaceOp(cast, op.getResult());
    }
  }

  /// A plain product whose only use is `user`.
  FusedLinearOp plainProduct(Value value, Operation *user) {
    auto op = value.getDefiningOp<FusedLinearOp>();
    bool plain = op && op.getEpilogue() == Epilogue::None && value.hasOneUse() && op->getBlock() == user->getBlock();
    return plain ? op : FusedLinearOp();
  }

  /// True if `residual` may be overwritten by `op`: it is a result of an op, and all its other uses come before.
  bool lastUse(Value residual, Operation *op) {
    return residual.getDefiningOp() && llvm::all_of(residual.getUsers(), [&](Operation *user) {
             return user == op || (user->getBlock() == op->getBlock() && user->isBeforeInBlock(op));
           });
  }

  /// The product where `user` is, added to the residual stream.
  Value addTo(Value residual, FusedLinearOp product, Value gate, Operation *user, IntegerAttr gateColumn = {}) {
    rewriter.setInsertionPoint(user);
    auto fused = create(product, residual.getType(), product.getInput(), product.getWeights(), Epilogue::Residual,
                        residual, gate, product.getGather(), /*activation=*/{}, gateColumn);
    return fused.getResult();
  }

  void fuseResiduals(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (auto add = dyn_cast<AddOp>(op)) {
        fuseAdd(add);
      } else if (auto combine = dyn_cast<CombineOp>(op)) {
        fuseCombine(combine);
      } else if (auto expert = dyn_cast<AddExpertOp>(op)) {
        fuseExpert(expert);
      }
    }
  }

  /// The last product of an expert, weighted, onto what the experts before it have put out.
  void fuseExpert(AddExpertOp expert) {
    FusedLinearOp product = plainProduct(expert.getOutput(), expert);
    if (!product || !lastUse(expert.getInput(), expert) || rowsOf(product.getResult()) != expert.getFrom()) {
      return;
    }
    Value sum = addTo(expert.getInput(), product, expert.getWeights(), expert, expert.getExpertAttr());
    rewriter.replaceOp(expert, sum);
    rewriter.eraseOp(product);
  }

  void fuseAdd(AddOp add) {
    Value residual = add.getLhs(), other = add.getRhs();
    if (!plainProduct(other, add)) {
      std::swap(residual, other);
    }
    FusedLinearOp product = plainProduct(other, add);
    if (!product || residual == other || !lastUse(residual, add)) {
      return;
    }
    rewriter.replaceOp(add, addTo(residual, product, nullptr, add));
    rewriter.eraseOp(product);
  }

  void fuseCombine(CombineOp combine) {
    if (!lastUse(combine.getResidual(), combine)) {
      return;
    }
    Value stream = combine.getResidual();
    SmallVector<Value> rest;
    SmallVector<Attribute> restModes;
    SmallVector<Operation *> dead;
    for (auto [mode, output] : llvm::zip_equal(combine.getModes(), combine.getOutputs())) {
      if (FusedLinearOp product = plainProduct(output, combine)) {
        stream = addTo(stream, product, combine.getGate(), combine);
        dead.push_back(product);
      } else {
        rest.push_back(output);
        restModes.push_back(mode);
      }
    }
    if (dead.empty()) {
      return;
    }
    if (!rest.empty()) {
      layers.follow(combine);
      rewriter.setInsertionPoint(combine);
      stream = rewriter.create<CombineOp>(combine.getLoc(), stream.getType(), rewriter.getArrayAttr(restModes), stream,
                                          combine.getMode(), combine.getInverse(), combine.getGate(), rest);
    }
    rewriter.replaceOp(combine, stream);
    for (Operation *op : dead) {
      rewriter.eraseOp(op);
    }
  }

  IRRewriter &rewriter;
  LayerListener &layers;
  /// Where the ops of a block are, of those that `stack` has passed. A block's own order is found anew after each move,
  /// in the time of the whole block.
  llvm::DenseMap<Operation *, unsigned> place;
};

struct FuseLinears : chimera::impl::FuseLinearsBase<FuseLinears> {
  void runOnOperation() override {
    if (getOperation()->hasAttr(attrs::training)) {
      return; // its weights change from step to step, and are never packed ahead
    }
    LayerListener layers;
    IRRewriter rewriter(&getContext(), &layers);
    for (Block &block : getOperation().getBody()) {
      LinearFuser(rewriter, layers).run(block);
    }
  }
};

} // namespace
