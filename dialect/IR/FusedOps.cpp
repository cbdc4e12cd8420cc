// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers of fused ops.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// `value` has T's element type, or is rounded from it to bf16.
static LogicalResult checkRounded(Operation *op, StringRef name, Value value, Type accumulator) {
  Type element = elementOf(value);
  if (element != accumulator && !(accumulator.isF32() && element.isBF16())) {
    return op->emitOpError() << name << " must be in " << accumulator << " or rounded from it, got " << element;
  }
  return success();
}

static Type accumulatorOf(Type operand) {
  return operand.isF64() ? operand : Type(Float32Type::get(operand.getContext()));
}

//===----------------------------------------------------------------------===//
// fused_linear
//===----------------------------------------------------------------------===//

Value FusedLinearOp::getRowSource() {
  if (getResidual()) {
    return getResidual();
  }
  return getGather() ? getGather() : getInput();
}

/// The columns of the product; of a gated unit, of one of the two.
static FailureOr<int64_t> checkWeights(FusedLinearOp op) {
  if (op.getWeights().empty()) {
    return op.emitOpError("needs at least one weight matrix");
  }
  int64_t outputs = 0;
  for (auto [i, weight] : llvm::enumerate(op.getWeights())) {
    std::string name = ("weight #" + Twine(i)).str();
    if (failed(checkColumns(op, name, weight, columnsOf(op.getInput()))) ||
        failed(checkSameElement(op, "input", op.getInput(), name, weight))) {
      return failure();
    }
    outputs += cast<RankedTensorType>(weight.getType()).getDimSize(0);
  }
  if (op.getEpilogue() != Epilogue::GLU) {
    return outputs;
  }
  if (op.getWeights().size() != 2 || op.getWeights()[0].getType() != op.getWeights()[1].getType()) {
    return op.emitOpError("glu takes two weight matrices of one type");
  }
  return outputs / 2;
}

LogicalResult FusedLinearOp::verify() {
  FailureOr<int64_t> outputs = checkWeights(*this);
  if (failed(outputs) || failed(checkColumns(*this, "result", getResult(), *outputs)) ||
      failed(checkRounded(*this, "result", getResult(), accumulatorOf(elementOf(getInput()))))) {
    return failure();
  }
  bool activates = getEpilogue() == Epilogue::Activate || getEpilogue() == Epilogue::GLU;
  if (activates != getActivation().has_value()) {
    return emitOpError(activates ? "needs an activation"
                                 : "has an activation only with the epilogues activate and glu");
  }
  bool residual = getEpilogue() == Epilogue::Residual;
  if (residual != bool(getResidual())) {
    return emitOpError(residual ? "needs what its product is added to" : "adds to a residual only with that epilogue");
  }
  if (getGate() && !residual) {
    return emitOpError("has a gate but no residual");
  }
  if (residual && getResidual().getType() != getResult().getType()) {
    return emitOpError("its result must have the residual's type ") << getResidual().getType();
  }
  bool isMatrix = getGate() && cast<RankedTensorType>(getGate().getType()).getRank() == 2;
  if (isMatrix != getGateColumn().has_value()) {
    return emitOpError(isMatrix ? "needs the column of its gate" : "has a gate_column, but no gate with columns");
  }
  if (isMatrix) {
    return checkExpert(*this, *getGateColumn(), getGate(), "residual", getResidual());
  }
  if (getGate()) {
    return checkSameElement(*this, "gate", getGate(), "residual", getResidual());
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

Value FusedNormOp::getRowSource() {
  return getInput();
}

LogicalResult FusedNormOp::verify() {
  int64_t columns = columnsOf(getInput());
  bool layer = getKind() == NormKind::Layer;
  if (failed(checkRowNorm(*this, {layer, getInput(), getWeight(), int64_t(getGroups()), getUnitOffset(), getEps()}))) {
    return failure();
  }
  if (layer != bool(getBias())) {
    return emitOpError(getBias() ? "an rms norm has no bias" : "a layer norm needs a bias");
  }
  if (getBias() && (failed(checkLength(*this, "bias", getBias(), columns)) ||
                    failed(checkSameElement(*this, "input", getInput(), "bias", getBias())))) {
    return failure();
  }
  if (getResults().empty() || getResults().size() > 2) {
    return emitOpError("has one or two results");
  }
  for (Value result : getResults()) {
    if (failed(checkColumns(*this, "result", result, columns)) ||
        failed(checkRounded(*this, "result", result, elementOf(getInput())))) {
      return failure();
    }
  }
  if (getResults().size() == 2 &&
      (elementOf(getResults()[0]) != elementOf(getInput()) || !elementOf(getResults()[1]).isBF16())) {
    return emitOpError("its two results are the norm, then the norm in bf16");
  }
  return success();
}

Value FusedGatedNormOp::getRowSource() {
  return getInput();
}

LogicalResult FusedGatedNormOp::verify() {
  int64_t columns = columnsOf(getInput()), groups = static_cast<int64_t>(getGroups());
  if (failed(checkGroups(*this, groups, columns, "columns"))) {
    return failure();
  }
  if (failed(checkLength(*this, "weight", getWeight(), columns)) ||
      failed(checkColumns(*this, "result", getResult(), columns)) ||
      failed(checkSameElement(*this, "input", getInput(), "weight", getWeight())) ||
      failed(checkRounded(*this, "result", getResult(), elementOf(getInput())))) {
    return failure();
  }
  return checkPositive(*this, "eps", getEps());
}

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

Value RopeTableOp::getRowSource() {
  return getRows();
}

LogicalResult RopeTableOp::verify() {
  if (getFrequencies().empty()) {
    return emitOpError("needs at least one frequency");
  }
  return checkColumns(*this, "result", getResult(), 2 * static_cast<int64_t>(getFrequencies().size()));
}

Value FusedRopeOp::getRowSource() {
  return getRows();
}

LogicalResult FusedRopeOp::verify() {
  int64_t heads = getHeads(), kvHeads = getKvHeads(), width = columnsOf(getQuery());
  if (heads < 1 || kvHeads < 1 || heads % kvHeads != 0 || width % heads != 0) {
    return emitOpError("kv_heads must divide heads, and heads the ")
           << width << " columns of the query; got " << kvHeads << " and " << heads;
  }
  int64_t size = width / heads, rotated = columnsOf(getTable());
  if (rotated % 2 != 0 || rotated > size) {
    return emitOpError("the table turns ") << rotated << " dimensions of heads that have " << size;
  }
  for (auto [name, in, out, columns] :
       {std::tuple<StringRef, Value, Value, int64_t>{"query", getQuery(), getQueryOut(), width},
        {"key", getKey(), getKeyOut(), kvHeads * size},
        {"value", getValue(), getValueOut(), kvHeads * size}}) {
    if (failed(checkColumns(*this, name, in, columns)) ||
        failed(checkColumns(*this, (name + "_out").str(), out, columns)) ||
        failed(checkSameElement(*this, "table", getTable(), name, in)) ||
        failed(checkRounded(*this, (name + "_out").str(), out, elementOf(in)))) {
      return failure();
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// fused_attend
//===----------------------------------------------------------------------===//

Value FusedAttendOp::getRowSource() {
  return getOwn();
}
SmallVector<OpOperand *> FusedAttendOp::getConsumedCaches() {
  return {};
}

LogicalResult FusedAttendOp::verify() {
  auto cache = cast<KeyValueTypeInterface>(getCache().getType());
  if (bool(getKey()) != bool(getValue()) || (getWrite() && !getKey())) {
    return emitOpError("takes keys and values together, and write weights only with them");
  }
  if (getKey() && failed(checkEntries(*this, getKey(), getValue(), getWrite(), getCache().getType()))) {
    return failure();
  }
  if (failed(checkSoftCap(*this, getSoftCap()))) {
    return failure();
  }
  int64_t width = columnsOf(getQuery());
  if (width < 1 || width % cache.getDim() != 0 || (width / cache.getDim()) % cache.getHeads() != 0) {
    return emitOpError("query must have a multiple of ")
           << cache.getHeads() << " heads of " << cache.getDim() << " columns, got " << width << " columns";
  }
  if (elementOf(getQuery()) != cache.getElement()) {
    return emitOpError("query must have the cache's element type ") << cache.getElement();
  }
  if (failed(checkColumns(*this, "result", getResult(), width))) {
    return failure();
  }
  return checkRounded(*this, "result", getResult(), accumulatorOf(elementOf(getQuery())));
}

//===----------------------------------------------------------------------===//
// fused_conv
//===----------------------------------------------------------------------===//

Value FusedConvOp::getRowSource() {
  return getInput();
}
SmallVector<OpOperand *> FusedConvOp::getConsumedCaches() {
  return cacheOperandsOf(*this);
}

LogicalResult FusedConvOp::verify() {
  if (bool(getTail()) != bool(getTailOut()) || (getTail() && getTail().getType() != getTailOut().getType())) {
    return emitOpError("gives the new version of its tail exactly if it has one");
  }
  return checkConv(*this, getInput(), getWeight(), getBias(), getTail());
}
