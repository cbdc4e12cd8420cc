// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-add-optimizer: the programs that turn gradients into a step.

#include "dialect/IR/Attributes.h"
#include "dialect/IR/Ops.h"
#include "dialect/IR/TrainingLayout.h"
#include "passes/Passes.h"
#include "passes/Phase.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace chimera {
#define GEN_PASS_DEF_ADDOPTIMIZER
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

namespace {

/// A parameter that has a gradient.
struct Trained {
  StringAttr name;
  RankedTensorType type;
};

/// Builds @accumulate and @update.
class OptimizerBuilder {
public:
  OptimizerBuilder(ModuleOp module, ArrayRef<Trained> params)
      : builder(OpBuilder::atBlockEnd(module.getBody())), loc(module.getLoc()), params(params) {}

  void buildAccumulate();
  void buildUpdate();

private:
  func::FuncOp start(StringRef name, ArrayRef<Type> inputs, ArrayRef<Type> results);
  Value state(StateKind kind, const Trained &param) {
    return builder.create<TrainingStateOp>(loc, param.type, StateKindAttr::get(builder.getContext(), kind), param.name);
  }

  OpBuilder builder;
  Location loc;
  ArrayRef<Trained> params;
};

} // namespace

func::FuncOp OptimizerBuilder::start(StringRef name, ArrayRef<Type> inputs, ArrayRef<Type> results) {
  auto function = builder.create<func::FuncOp>(loc, name, builder.getFunctionType(inputs, results));
  function->setAttr(attrs::limits, builder.getDenseI64ArrayAttr({1, 1}));
  function->setAttr(attrs::training, builder.getUnitAttr());
  builder.setInsertionPointToStart(function.addEntryBlock());
  return function;
}

void OptimizerBuilder::buildAccumulate() {
  OpBuilder::InsertionGuard guard(builder);
  start("accumulate", {}, {});
  for (const Trained &param : params) {
    Value gradient = state(StateKind::Gradient, param);
    builder.create<AccumulateOp>(loc, gradient, state(StateKind::Total, param));
  }
  builder.create<func::ReturnOp>(loc);
}

void OptimizerBuilder::buildUpdate() {
  OpBuilder::InsertionGuard guard(builder);
  Type hyperType = RankedTensorType::get({hyperLength}, builder.getF64Type());
  Type normType = RankedTensorType::get({1}, builder.getF64Type());
  func::FuncOp function = start("update", hyperType, normType);
  function.setArgAttr(0, attrs::step, builder.getStringAttr("hyper"));
  function.setResultAttr(0, attrs::result, builder.getStringAttr("norm"));
  SmallVector<Value> gradients;
  for (const Trained &param : params) {
    gradients.push_back(state(StateKind::Gradient, param));
  }
  Value norm = builder.create<SquaredNormOp>(loc, normType, gradients);
  for (auto [param, gradient] : llvm::zip_equal(params, gradients)) {
    // Norms, biases, A_log, D, dt_bias and decays are all the parameters that are vectors.
    bool decays = param.type.getRank() > 1, router = param.name.getValue().contains(".router.");
    Value master = state(StateKind::Master, param), first = state(StateKind::Moment1, param);
    Value second = state(StateKind::Moment2, param);
    builder.create<AdamWOp>(loc, gradient, master, first, second, norm, function.getArgument(0), decays, router);
  }
  builder.create<func::ReturnOp>(loc, norm);
}

namespace {
struct AddOptimizer : chimera::impl::AddOptimizerBase<AddOptimizer> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto train = module.lookupSymbol<func::FuncOp>("train_hard");
    SmallVector<Trained> params;
    for (unsigned i = 0; train && i < train.getNumResults(); ++i) {
      auto name = train.getResultAttrOfType<StringAttr>(i, attrs::gradient);
      if (!name) {
        continue;
      }
      auto type = dyn_cast<RankedTensorType>(train.getResultTypes()[i]);
      if (!type || !type.hasStaticShape()) {
        train.emitOpError("the gradient of '")
            << name.getValue() << "' must have a static shape, got " << train.getResultTypes()[i];
        return signalPassFailure();
      }
      params.push_back({name, type});
    }
    if (params.empty()) {
      module.emitError("has no function @train_hard with gradients");
      return signalPassFailure();
    }
    if (failed(checkSymbolFree(module, "accumulate")) || failed(checkSymbolFree(module, "update"))) {
      return signalPassFailure();
    }
    SmallVector<Attribute> names = llvm::map_to_vector(params, [](const Trained &p) -> Attribute { return p.name; });
    module->setAttr(attrs::trainable, ArrayAttr::get(&getContext(), names));
    OptimizerBuilder optimizer(module, params);
    optimizer.buildAccumulate();
    optimizer.buildUpdate();
  }
};
} // namespace
