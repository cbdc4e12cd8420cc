// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-differentiate: the gradients of the loss by every parameter, in reverse mode.

#include "dialect/IR/Adjoints.h"
#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "dialect/IR/TrainingLayout.h"
#include "passes/Passes.h"
#include "passes/Phase.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace chimera {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "passes/Passes.h.inc"
} // namespace chimera

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// Adds the gradients to the function's results, in the order of the parameters' first uses. What several uses
/// contribute is added up at the very end: a step that is spread over ranks sums each use's part over them first, so
/// that the order of additions does not depend on their number.
static LogicalResult addGradients(func::FuncOp function, ArrayRef<ParamOp> params, Adjoints &adjoints,
                                  LayerListener &layers) {
  Operation *terminator = function.getBody().front().getTerminator();
  SmallVector<Value> results(terminator->getOperands());
  SmallVector<Attribute> attrs;
  for (unsigned i = 0; i < results.size(); ++i) {
    attrs.push_back(DictionaryAttr::get(function.getContext(), function.getResultAttrs(i)));
  }
  Builder builder(function.getContext());
  OpBuilder sums(terminator, &layers);
  for (ParamOp param : params) {
    layers.follow(param);
    ArrayRef<Value> parts = adjoints.partsOf(param.getResult());
    if (parts.empty() && param.getOptional()) {
      continue;
    }
    if (parts.empty()) {
      return param.emitOpError("parameter '") << param.getName() << "' has no influence on the loss";
    }
    Value gradient = parts.front();
    for (Value part : parts.drop_front()) {
      gradient = sums.create<SumOp>(param.getLoc(), gradient.getType(), gradient, part);
    }
    results.push_back(gradient);
    attrs.push_back(builder.getDictionaryAttr(builder.getNamedAttr(attrs::gradient, param.getNameAttr())));
  }
  terminator->setOperands(results);
  function.setType(builder.getFunctionType(function.getArgumentTypes(), ValueRange(results).getTypes()));
  function.setAllResultAttrs(attrs);
  return success();
}

/// The step's array `name`, of `rank` sizes of which the last is `length`; null if it is none or of another type.
static Value stepArray(func::FuncOp function, StringRef name, Type element, int64_t rank, int64_t length) {
  Value array = stepArgument(function, name);
  auto type = array ? dyn_cast<RankedTensorType>(array.getType()) : RankedTensorType();
  bool fits = type && type.getElementType() == element && type.getRank() == rank && type.getShape().back() == length;
  return fits ? array : Value();
}

/// The parameters of a block, once each, and its other ops, both in order. Fails with a diagnostic if a parameter has
/// two types.
static LogicalResult collect(Block &block, SmallVectorImpl<ParamOp> &params, SmallVectorImpl<Operation *> &ops) {
  llvm::StringMap<ParamOp> byName;
  for (Operation &op : llvm::make_early_inc_range(block.without_terminator())) {
    auto param = dyn_cast<ParamOp>(op);
    if (!param) {
      ops.push_back(&op);
    } else if (auto [known, isNew] = byName.try_emplace(param.getName(), param); isNew) {
      params.push_back(param);
    } else if (known->second.getResult().getType() != param.getResult().getType()) {
      return param.emitOpError("parameter '") << param.getName() << "' is used in two ways";
    } else {
      param.getResult().replaceAllUsesWith(known->second.getResult());
      param.erase();
    }
  }
  return success();
}

static LogicalResult differentiate(func::FuncOp function) {
  Builder types(function.getContext());
  Value leaves = stepArray(function, "leaves", types.getI32Type(), 1, leavesLength),
        hyper = stepArray(function, "hyper", types.getF64Type(), 1, hyperLength),
        prices = stepArray(function, "prices", types.getF64Type(), 2, pricesPerLayer);
  if (!function.getBody().hasOneBlock() || !leaves || !hyper || !prices) {
    return function.emitOpError("is not in its training form: it needs one block, and leaves, hyper and prices");
  }
  if (failed(phaseReturn(function))) {
    return failure();
  }
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    if (function.getResultAttr(i, attrs::gradient)) {
      return function.emitOpError("gives gradients already");
    }
  }
  Block &block = function.getBody().front();
  SmallVector<Operation *> ops;
  SmallVector<ParamOp> params;
  if (failed(collect(block, params, ops))) {
    return failure();
  }
  LayerListener layers;
  OpBuilder builder(block.getTerminator(), &layers);
  Adjoints adjoints(builder, leaves, hyper, prices);
  for (Operation *op : llvm::reverse(ops)) {
    layers.follow(op);
    if (auto differentiable = dyn_cast<DifferentiableOpInterface>(op)) {
      differentiable.buildGradient(builder, adjoints);
    } else if (llvm::any_of(op->getResults(), [&](Value result) { return adjoints.of(result); })) {
      return op->emitOpError("has no gradient");
    }
  }
  return addGradients(function, params, adjoints, layers);
}

namespace {
struct Differentiate : chimera::impl::DifferentiateBase<Differentiate> {
  void runOnOperation() override {
    if (getOperation()->hasAttr(attrs::differentiate) && failed(differentiate(getOperation()))) {
      signalPassFailure();
    }
  }
};
} // namespace
