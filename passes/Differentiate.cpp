// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-differentiate: the gradients of the loss by every parameter, in reverse mode.

#include "dialect/IR/Adjoints.h"
#include "dialect/IR/LayerListener.h"
#include "dialect/IR/Ops.h"
#include "passes/Passes.h"
#include "passes/PhaseArguments.h"

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

static LogicalResult differentiate(func::FuncOp function) {
  Value leaves = stepArgument(function, "leaves"), hyper = stepArgument(function, "hyper"),
        prices = stepArgument(function, "prices");
  if (!function.getBody().hasOneBlock() || !leaves || !hyper || !prices) {
    return function.emitOpError("is not in its training form: it needs one block, and leaves, hyper and prices");
  }
  Block &block = function.getBody().front();
  SmallVector<Operation *> ops;
  SmallVector<ParamOp> params;
  llvm::StringMap<ParamOp> byName;
  for (Operation &op : llvm::make_early_inc_range(block.without_terminator())) {
    auto param = dyn_cast<ParamOp>(op);
    if (!param) {
      ops.push_back(&op);
    } else if (auto [known, isNew] = byName.try_emplace(param.getName(), param); isNew) {
      params.push_back(param);
    } else {
      param.getResult().replaceAllUsesWith(known->second.getResult());
      param.erase();
    }
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
