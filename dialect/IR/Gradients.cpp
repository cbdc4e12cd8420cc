// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The vector-Jacobian products of the ops that work row by row, and of routing.

#include "dialect/IR/Adjoints.h"
#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// A gradient rounded to what matrix products of operands like `operand` multiply with.
static Value rounded(OpBuilder &builder, Location loc, Value gradient, Value operand) {
  Type element = elementOf(operand);
  if (elementOf(gradient) == element) {
    return gradient;
  }
  return builder.create<CastOp>(loc, cast<RankedTensorType>(gradient.getType()).clone(element), gradient);
}

/// The type of the gradient by `value`, in the element type of `gradient`.
static Type like(Value value, Value gradient) {
  return cast<RankedTensorType>(value.getType()).clone(elementOf(gradient));
}

//===----------------------------------------------------------------------===//
// Row by row
//===----------------------------------------------------------------------===//

void EmbedOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    adjoints.add(getTable(),
                 builder.create<EmbedGradOp>(getLoc(), like(getTable(), d), getTokens(), d, adjoints.leaves));
  }
}

void NormOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  Value d = adjoints.of(getResult());
  if (!d) {
    return;
  }
  Type rows = RankedTensorType::get({ShapedType::kDynamic, columnsOf(getInput()) / int64_t(getGroups())}, elementOf(d));
  auto grad = builder.create<NormGradOp>(getLoc(), d.getType(), rows, getKind(), getInput(), getWeight(), d, getEps(),
                                         getGroups(), getUnitOffset());
  adjoints.add(getInput(), grad.getDinput());
  adjoints.add(getWeight(), adjoints.sumRows(getLoc(), grad.getDweightRows()));
  if (getBias()) {
    adjoints.add(getBias(), adjoints.sumRows(getLoc(), d));
  }
}

void LinearOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  Value d = adjoints.of(getResult());
  if (!d) {
    return;
  }
  Value operand = rounded(builder, getLoc(), d, getInput());
  adjoints.add(getInput(), builder.create<LinearInputGradOp>(getLoc(), like(getInput(), d), operand, getWeight()));
  adjoints.add(getWeight(), builder.create<LinearWeightGradOp>(getLoc(), like(getWeight(), d), operand, getInput(),
                                                               adjoints.leaves));
}

void CastOp::buildGradient(OpBuilder &, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    adjoints.add(getInput(), d);
  }
}

void AddOp::buildGradient(OpBuilder &, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    adjoints.add(getLhs(), d);
    adjoints.add(getRhs(), d);
  }
}

void AddBiasOp::buildGradient(OpBuilder &, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    adjoints.add(getInput(), d);
    adjoints.add(getBias(), adjoints.sumRows(getLoc(), d));
  }
}

void ScaleOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    adjoints.add(getInput(), builder.create<ScaleOp>(getLoc(), d.getType(), d, getFactor()));
  }
}

void ScaleColumnsOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    adjoints.add(getInput(), builder.create<ScaleColumnsOp>(getLoc(), d.getType(), d, getFactors(), getWidths()));
  }
}

void SoftCapOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    adjoints.add(getInput(), builder.create<SoftCapGradOp>(getLoc(), d.getType(), getResult(), d, getCap()));
  }
}

void ActivateOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    adjoints.add(getInput(), builder.create<ActivateGradOp>(getLoc(), d.getType(), getActivation(), getInput(), d));
  }
}

void GluOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    auto grad = builder.create<GluGradOp>(getLoc(), d.getType(), d.getType(), getActivation(), getGate(), getUp(), d);
    adjoints.add(getGate(), grad.getDgate());
    adjoints.add(getUp(), grad.getDup());
  }
}

void ColumnsOp::buildGradient(OpBuilder &, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    adjoints.addColumns(getInput(), static_cast<int64_t>(getOffset()), d);
  }
}

void GatherOp::buildGradient(OpBuilder &, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    adjoints.addGathered(getInput(), d, getTo(), getFrom());
  }
}

void RopeOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    UnitAttr inverse = getInverse() ? UnitAttr() : builder.getUnitAttr();
    adjoints.add(getInput(), builder.create<RopeOp>(getLoc(), d.getType(), d, getRows(), getHeadsAttr(),
                                                    getFrequenciesAttr(), inverse));
  }
}

void GatedNormOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  if (Value d = adjoints.of(getResult())) {
    auto grad = builder.create<GatedNormGradOp>(getLoc(), getInput(), getGate(), getWeight(), d, getGroups(), getEps());
    adjoints.add(getInput(), grad.getDinput());
    adjoints.add(getGate(), grad.getDgate());
    adjoints.add(getWeight(), adjoints.sumRows(getLoc(), grad.getDweightRows()));
  }
}

void RoundParamOp::buildGradient(OpBuilder &, Adjoints &adjoints) {
  SmallVector<Value> parts(adjoints.partsOf(getResult()));
  for (Value part : parts) {
    adjoints.add(getInput(), part);
  }
}

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

void SeqRouteOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  // Also where no mixer's output depends on it: the prices do.
  Value dgate = adjoints.of(getGate()), dlogP = adjoints.of(getLogP()), noise = getSoft() ? getNoise() : Value();
  adjoints.add(getLogits(), builder.create<SeqRouteGradOp>(getLoc(), getLogits().getType(), getModes(), getLogits(),
                                                           getBias(), adjoints.hyper, adjoints.prices, getMode(), dgate,
                                                           dlogP, noise, getLayer(), getBiasInGate()));
}

void WriteWeightOp::buildGradient(OpBuilder &, Adjoints &adjoints) {
  // What has no rows, such as a parameter, has none whose columns could be put back.
  if (Value d = adjoints.of(getResult()); d && rowsOf(getLogP())) {
    adjoints.addColumn(getLogP(), static_cast<int64_t>(getColumn()), d, getTo());
  }
}

void CombineOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  Value d = adjoints.of(getResult());
  if (!d) {
    return;
  }
  adjoints.add(getResidual(), d);
  auto grad = builder.create<CombineGradOp>(getLoc(), getGate().getType(), getOutputs().getTypes(), getModes(),
                                            getMode(), getInverse(), getGate(), d, getOutputs());
  adjoints.add(getGate(), grad.getDgate());
  for (auto [output, doutput] : llvm::zip_equal(getOutputs(), grad.getDoutputs())) {
    adjoints.add(output, doutput);
  }
}

void SoftCombineOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  Value d = adjoints.of(getResult());
  if (!d) {
    return;
  }
  adjoints.add(getResidual(), d);
  auto grad = builder.create<SoftCombineGradOp>(getLoc(), getLogP().getType(), getOutputs().getTypes(),
                                                getOutputModes(), getLogP(), getModes(), d, getOutputs());
  adjoints.add(getLogP(), grad.getDlogP());
  for (auto [output, doutput] : llvm::zip_equal(getOutputs(), grad.getDoutputs())) {
    adjoints.add(output, doutput);
  }
}

void RouteExpertsOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  if (Value d = adjoints.of(getWeights())) {
    adjoints.add(getLogits(), builder.create<RouteExpertsGradOp>(getLoc(), d.getType(), getScore(), getLogits(),
                                                                 getChosen(), d, getNormalized(), getScale()));
  }
}

void AddExpertOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  Value d = adjoints.of(getResult());
  if (!d) {
    return;
  }
  adjoints.add(getInput(), d);
  Type rows = RankedTensorType::get({ShapedType::kDynamic}, elementOf(d));
  auto grad = builder.create<AddExpertGradOp>(getLoc(), getOutput().getType(), rows, d, getOutput(), getWeights(),
                                              getExpertAttr(), getFrom());
  adjoints.add(getOutput(), grad.getDoutput());
  adjoints.addColumn(getWeights(), static_cast<int64_t>(getExpert()), grad.getDweight(), getFrom());
}

/// It depends on nothing.
void ZerosOp::buildGradient(OpBuilder &, Adjoints &) {}

//===----------------------------------------------------------------------===//
// The loss
//===----------------------------------------------------------------------===//

void CrossEntropyOp::buildGradient(OpBuilder &builder, Adjoints &adjoints) {
  adjoints.add(getInput(), builder.create<CrossEntropyInputGradOp>(getLoc(), like(getInput(), getLse()), getInput(),
                                                                   getWeight(), getLse(), getTargets(), adjoints.hyper,
                                                                   getRows(), getSoftCapAttr()));
  adjoints.add(getWeight(), builder.create<CrossEntropyWeightGradOp>(
                                getLoc(), like(getWeight(), getLse()), getInput(), getWeight(), getLse(), getTargets(),
                                adjoints.hyper, adjoints.leaves, getRows(), getSoftCapAttr()));
}
