// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers of what training does row by row: routing, gradients of row-wise ops, sums over rows, the loss.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"
#include "dialect/IR/TrainingLayout.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

static int64_t rowsOfMatrix(Value matrix) {
  return cast<RankedTensorType>(matrix.getType()).getDimSize(0);
}

/// A parameter's gradient: a static shape.
static LogicalResult checkStatic(Operation *op, StringRef name, Value value) {
  if (!cast<RankedTensorType>(value.getType()).hasStaticShape()) {
    return op->emitOpError() << name << " must have a parameter's static shape, got " << value.getType();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

/// f64, and for each layer up to `layer` a column for each canonical mode.
static LogicalResult checkNoise(Operation *op, Value noise, int64_t layer) {
  if (!elementOf(noise).isF64() || layer < 0 || layer >= columnsOf(noise) / 4) {
    return op->emitOpError("noise must be f64 with 4 columns for each layer up to layer ")
           << layer << ", got " << noise.getType();
  }
  return success();
}

Value SeqRouteOp::getRowSource() {
  return getRows();
}

LogicalResult SeqRouteOp::verify() {
  int64_t count = static_cast<int64_t>(getModes().size()), layer = static_cast<int64_t>(getLayer());
  if (failed(verifyModeList(*this, getModes())) || failed(checkHyper(*this, getHyper()))) {
    return failure();
  }
  if (count < 2) {
    return emitOpError("routes between at least 2 modes, got ") << count;
  }
  if (failed(checkColumns(*this, "logits", getLogits(), count)) ||
      failed(checkColumns(*this, "log_p", getLogP(), count)) || failed(checkLength(*this, "bias", getBias(), count))) {
    return failure();
  }
  for (Value tensor : {Value(getBias()), Value(getGate()), Value(getLogP())}) {
    if (elementOf(tensor) != elementOf(getLogits())) {
      return emitOpError("bias, gate and log_p must have the logits' element type ")
             << elementOf(getLogits()) << ", got " << tensor.getType();
    }
  }
  if (failed(checkNoise(*this, getNoise(), layer))) {
    return failure();
  }
  if ((getCapacity() && static_cast<int64_t>(getCapacity()->size()) != count) ||
      (getMaxTokens() && static_cast<int64_t>(getMaxTokens()->size()) != count)) {
    return emitOpError("capacity and max_tokens must have one number a mode");
  }
  if ((getCapacity() && !llvm::all_of(*getCapacity(), [](double rate) { return rate >= 0.0; })) ||
      (getMaxTokens() && !llvm::all_of(*getMaxTokens(), [](int64_t tokens) { return tokens >= -1; }))) {
    return emitOpError("capacity and max_tokens must not be negative, other than -1 for no limit of tokens");
  }
  return success();
}

Value SeqRouteGradOp::getRowSource() {
  return getLogits();
}

LogicalResult SeqRouteGradOp::verify() {
  int64_t count = static_cast<int64_t>(getModes().size()), layer = static_cast<int64_t>(getLayer());
  if (failed(verifyModeList(*this, getModes())) || failed(checkHyper(*this, getHyper())) ||
      failed(checkColumns(*this, "logits", getLogits(), count)) ||
      failed(checkLength(*this, "bias", getBias(), count)) ||
      failed(checkSameElement(*this, "logits", getLogits(), "bias", getBias()))) {
    return failure();
  }
  if (getDgate() && failed(checkSameElement(*this, "logits", getLogits(), "gate's gradient", getDgate()))) {
    return failure();
  }
  if (getDlogP() && getDlogP().getType() != getLogits().getType()) {
    return emitOpError("log_p's gradient must have the logits' type ")
           << getLogits().getType() << ", got " << getDlogP().getType();
  }
  if (!elementOf(getPrices()).isF64() || columnsOf(getPrices()) != pricesPerLayer || layer < 0 ||
      rowsOfMatrix(getPrices()) <= layer) {
    return emitOpError("prices must be f64 with ")
           << pricesPerLayer << " numbers for each layer up to layer " << layer << ", got " << getPrices().getType();
  }
  return getNoise() ? checkNoise(*this, getNoise(), layer) : success();
}

Value RouteStatisticsOp::getRowSource() {
  return getLogP();
}

LogicalResult RouteStatisticsOp::verify() {
  if (failed(verifyModeList(*this, getModes())) ||
      failed(checkColumns(*this, "log_p", getLogP(), static_cast<int64_t>(getModes().size())))) {
    return failure();
  }
  if (!elementOf(getResult()).isF64()) {
    return emitOpError("result must be f64, got ") << getResult().getType();
  }
  return checkColumns(*this, "result", getResult(), routeStatistics);
}

/// Outputs of mixers, of the type of `like`, and their modes among those of a routing.
static LogicalResult checkOutputs(Operation *op, ArrayAttr outputModes, ArrayAttr modes, Value logP, ValueRange outputs,
                                  StringRef name, Value like) {
  if (failed(verifyModeList(op, outputModes)) || failed(verifyModeList(op, modes)) ||
      failed(checkColumns(op, "log_p", logP, static_cast<int64_t>(modes.size()))) ||
      failed(checkSameElement(op, "log_p", logP, name, like))) {
    return failure();
  }
  if (outputs.size() != outputModes.size()) {
    return op->emitOpError("needs one output for each of its ")
           << outputModes.size() << " modes, got " << outputs.size();
  }
  for (Attribute mode : outputModes) {
    if (!llvm::is_contained(modes, mode)) {
      return op->emitOpError("has an output of ")
             << stringifyMode(cast<ModeAttr>(mode).getValue()) << ", which is not among the modes of log_p";
    }
  }
  for (Value output : outputs) {
    if (output.getType() != like.getType()) {
      return op->emitOpError("outputs must have type ") << like.getType() << ", got " << output.getType();
    }
  }
  return success();
}

Value SoftCombineOp::getRowSource() {
  return getResidual();
}

LogicalResult SoftCombineOp::verify() {
  return checkOutputs(*this, getOutputModes(), getModes(), getLogP(), getOutputs(), "residual", getResidual());
}

Value SoftCombineGradOp::getRowSource() {
  return getLogP();
}

LogicalResult SoftCombineGradOp::verify() {
  if (getDoutputs().getTypes() != getOutputs().getTypes()) {
    return emitOpError("needs a gradient of each output, of its type");
  }
  return checkOutputs(*this, getOutputModes(), getModes(), getLogP(), getOutputs(), "dresult", getDresult());
}

Value CombineGradOp::getRowSource() {
  return getMode();
}
Value CombineGradOp::getRowSourceOf(unsigned result) {
  return result == 0 ? getRowSource() : getOutputs()[result - 1];
}

LogicalResult CombineGradOp::verify() {
  if (failed(verifyModeList(*this, getModes()))) {
    return failure();
  }
  if (getOutputs().size() != getModes().size() || getDoutputs().getTypes() != getOutputs().getTypes()) {
    return emitOpError("needs one output, and a gradient of its type, for each of its ")
           << getModes().size() << " modes";
  }
  for (Value output : getOutputs()) {
    if (output.getType() != getDresult().getType()) {
      return emitOpError("outputs must have type ") << getDresult().getType() << ", got " << output.getType();
    }
  }
  if (failed(checkSameElement(*this, "gate", getGate(), "dgate", getDgate()))) {
    return failure();
  }
  return checkSameElement(*this, "gate", getGate(), "dresult", getDresult());
}

Value RouteExpertsGradOp::getRowSource() {
  return getLogits();
}

LogicalResult RouteExpertsGradOp::verify() {
  if (failed(checkPositive(*this, "scale", getScale()))) {
    return failure();
  }
  return checkColumns(*this, "chosen", getChosen(), columnsOf(getLogits()));
}

Value AddExpertGradOp::getRowSource() {
  return getFrom();
}

LogicalResult AddExpertGradOp::verify() {
  if (failed(checkSameElement(*this, "dresult", getDresult(), "dweight", getDweight()))) {
    return failure();
  }
  return checkExpert(*this, getExpert(), getWeights(), "dresult", getDresult());
}

Value ScatterOp::getRowSource() {
  return getTo();
}

/// Pieces, as many rows values, and the rows of the result: what variadic operands of one size do not tell.
static LogicalResult checkPieces(Operation *op, ValueRange pieces) {
  if (pieces.empty()) {
    return op->emitOpError("needs at least one piece");
  }
  if (op->getNumOperands() != 2 * pieces.size() + 1) {
    return op->emitOpError("needs the rows of each piece, and those of the result");
  }
  return success();
}

LogicalResult ScatterOp::verify() {
  if (failed(checkPieces(*this, getPieces()))) {
    return failure();
  }
  for (Value piece : getPieces()) {
    if (piece.getType() != getResult().getType()) {
      return emitOpError("pieces must have the result's type ") << getResult().getType() << ", got " << piece.getType();
    }
  }
  return success();
}

Value ScatterColumnsOp::getRowSource() {
  return getTo();
}

LogicalResult ScatterColumnsOp::verify() {
  if (failed(checkPieces(*this, getPieces()))) {
    return failure();
  }
  if (getColumns().size() != getPieces().size()) {
    return emitOpError("needs a column for each piece");
  }
  for (auto [piece, column] : llvm::zip_equal(getPieces(), getColumns())) {
    if (column < 0 || column >= columnsOf(getResult())) {
      return emitOpError("column ") << column << " is not one of the result's " << columnsOf(getResult());
    }
    if (failed(checkSameElement(*this, "piece", piece, "result", getResult()))) {
      return failure();
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Row by row
//===----------------------------------------------------------------------===//

Value NormGradOp::getRowSource() {
  return getInput();
}

LogicalResult NormGradOp::verify() {
  bool layer = getKind() == NormKind::Layer;
  int64_t groups = getGroups();
  if (failed(checkRowNorm(*this, {layer, getInput(), getWeight(), groups, getUnitOffset(), getEps()})) ||
      failed(checkColumns(*this, "dweight_rows", getDweightRows(), columnsOf(getInput()) / groups))) {
    return failure();
  }
  return checkSameElement(*this, "input", getInput(), "dweight_rows", getDweightRows());
}

Value GatedNormGradOp::getRowSource() {
  return getInput();
}

LogicalResult GatedNormGradOp::verify() {
  int64_t width = columnsOf(getInput()), groups = getGroups();
  if (failed(checkGroups(*this, groups, width, "columns"))) {
    return failure();
  }
  if (failed(checkLength(*this, "weight", getWeight(), width)) ||
      failed(checkSameElement(*this, "input", getInput(), "weight", getWeight()))) {
    return failure();
  }
  return checkPositive(*this, "eps", getEps());
}

Value SoftCapGradOp::getRowSource() {
  return getDresult();
}

LogicalResult SoftCapGradOp::verify() {
  return checkPositive(*this, "cap", getCap());
}

Value ActivateGradOp::getRowSource() {
  return getInput();
}
Value GluGradOp::getRowSource() {
  return getGate();
}
Value JoinColumnsOp::getRowSource() {
  return getPieces().front();
}

LogicalResult JoinColumnsOp::verify() {
  if (getPieces().empty() || getOffsets().size() != getPieces().size()) {
    return emitOpError("needs an offset for each of at least one piece");
  }
  int64_t end = 0, width = columnsOf(getResult());
  for (auto [piece, offset] : llvm::zip_equal(getPieces(), getOffsets())) {
    if (offset < end) {
      return emitOpError("pieces must follow each other without overlap, but one starts at ")
             << offset << " and the one before ends at " << end;
    }
    if (offset > width || columnsOf(piece) > width - offset) {
      return emitOpError() << columnsOf(piece) << " columns at " << offset << " are not within the result's " << width;
    }
    end = offset + columnsOf(piece);
    if (failed(checkSameElement(*this, "piece", piece, "result", getResult()))) {
      return failure();
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Gradients of parameters
//===----------------------------------------------------------------------===//

LogicalResult ColumnSumOp::verify() {
  if (failed(checkLeaves(*this, getLeaves()))) {
    return failure();
  }
  return checkLength(*this, "result", getResult(), columnsOf(getInput()));
}

Value LinearInputGradOp::getRowSource() {
  return getDresult();
}

LogicalResult LinearInputGradOp::verify() {
  if (failed(checkSameElement(*this, "dresult", getDresult(), "weight", getWeight())) ||
      failed(checkColumns(*this, "dresult", getDresult(), rowsOfMatrix(getWeight()))) ||
      failed(checkColumns(*this, "dinput", getDinput(), columnsOf(getWeight())))) {
    return failure();
  }
  return checkAccumulator(*this, "dinput", getDinput(), elementOf(getWeight()));
}

LogicalResult LinearWeightGradOp::verify() {
  if (failed(checkSameElement(*this, "dresult", getDresult(), "input", getInput())) ||
      failed(checkShape(*this, "dweight", getDweight(), columnsOf(getDresult()), columnsOf(getInput()))) ||
      failed(checkLeaves(*this, getLeaves()))) {
    return failure();
  }
  return checkAccumulator(*this, "dweight", getDweight(), elementOf(getInput()));
}

LogicalResult EmbedGradOp::verify() {
  if (failed(checkStatic(*this, "dtable", getDtable())) || failed(checkLeaves(*this, getLeaves())) ||
      failed(checkColumns(*this, "dtable", getDtable(), columnsOf(getDresult())))) {
    return failure();
  }
  return checkSameElement(*this, "dresult", getDresult(), "dtable", getDtable());
}

LogicalResult RoundParamOp::verify() {
  auto from = cast<RankedTensorType>(getInput().getType()), to = cast<RankedTensorType>(getResult().getType());
  if (from.getShape() != to.getShape() || !from.getElementType().isF32() || !to.getElementType().isBF16()) {
    return emitOpError("rounds f32 to bf16 of the same shape, got ") << from << " and " << to;
  }
  return success();
}

LogicalResult SumOp::verify() {
  return checkMaster(*this, "result", getResult());
}

//===----------------------------------------------------------------------===//
// The loss
//===----------------------------------------------------------------------===//

static LogicalResult checkLogits(Operation *op, Value input, Value weight) {
  if (failed(checkStatic(op, "weight", weight)) || failed(checkSameElement(op, "input", input, "weight", weight))) {
    return failure();
  }
  return checkColumns(op, "input", input, columnsOf(weight));
}

static LogicalResult checkLse(Operation *op, Value lse, Value input) {
  if (failed(checkColumns(op, "lse", lse, 1))) {
    return failure();
  }
  return checkAccumulator(op, "lse", lse, elementOf(input));
}

Value CrossEntropyOp::getRowSource() {
  return getRows();
}

LogicalResult CrossEntropyOp::verify() {
  if (failed(checkLogits(*this, getInput(), getWeight())) || failed(checkLse(*this, getLse(), getInput())) ||
      failed(checkColumns(*this, "scores", getScores(), 2)) || failed(checkSoftCap(*this, getSoftCap()))) {
    return failure();
  }
  if (!elementOf(getScores()).isF64()) {
    return emitOpError("scores must be f64, got ") << getScores().getType();
  }
  return success();
}

Value CrossEntropyInputGradOp::getRowSource() {
  return getRows();
}

LogicalResult CrossEntropyInputGradOp::verify() {
  if (failed(checkLogits(*this, getInput(), getWeight())) || failed(checkHyper(*this, getHyper())) ||
      failed(checkLse(*this, getLse(), getInput())) ||
      failed(checkColumns(*this, "dinput", getDinput(), columnsOf(getInput()))) ||
      failed(checkSoftCap(*this, getSoftCap()))) {
    return failure();
  }
  return checkAccumulator(*this, "dinput", getDinput(), elementOf(getInput()));
}

LogicalResult CrossEntropyWeightGradOp::verify() {
  if (failed(checkLogits(*this, getInput(), getWeight())) || failed(checkHyper(*this, getHyper())) ||
      failed(checkLse(*this, getLse(), getInput())) || failed(checkLeaves(*this, getLeaves())) ||
      failed(checkShape(*this, "dweight", getDweight(), rowsOfMatrix(getWeight()), columnsOf(getWeight()))) ||
      failed(checkSoftCap(*this, getSoftCap()))) {
    return failure();
  }
  return checkAccumulator(*this, "dweight", getDweight(), elementOf(getInput()));
}
