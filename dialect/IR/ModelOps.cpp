// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Model level ops: verifiers and folders of parameters and row-wise arithmetic.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

LogicalResult ParamOp::verify() {
  auto type = cast<RankedTensorType>(getResult().getType());
  if (!type.hasStaticShape()) {
    return emitOpError("parameter '") << getName() << "' must have a static shape, got " << type;
  }
  if (getName().empty()) {
    return emitOpError("must have a name");
  }
  if (auto shape = getSourceShape()) {
    if (ShapedType::getNumElements(*shape) != type.getNumElements()) {
      return emitOpError("source_shape of '") << getName() << "' must have as many elements as " << type;
    }
  }
  if (auto permutation = getRowPermutation()) {
    SmallVector<int64_t> sorted(*permutation);
    llvm::sort(sorted);
    for (auto [i, row] : llvm::enumerate(sorted)) {
      if (row != static_cast<int64_t>(i) || type.getRank() == 0 || sorted.size() != size_t(type.getDimSize(0))) {
        return emitOpError("row_permutation of '") << getName() << "' must be a permutation of its rows";
      }
    }
  }
  return success();
}

Value EmbedOp::getRowSource() { return getRows(); }

LogicalResult EmbedOp::verify() { return checkColumns(*this, "result", getResult(), columnsOf(getTable())); }

Value NormOp::getRowSource() { return getInput(); }

LogicalResult NormOp::verify() {
  int64_t width = columnsOf(getInput());
  if (failed(checkLength(*this, "weight", getWeight(), width))) {
    return failure();
  }
  bool layer = getKind() == NormKind::Layer;
  if (layer != bool(getBias())) {
    return emitOpError(layer ? "layer norm needs a bias" : "rms norm takes no bias");
  }
  if (getBias() && failed(checkLength(*this, "bias", getBias(), width))) {
    return failure();
  }
  return checkPositive(*this, "eps", getEps());
}

Value LinearOp::getRowSource() { return getInput(); }

LogicalResult LinearOp::verify() {
  if (failed(checkSameElement(*this, "input", getInput(), "weight", getWeight()))) {
    return failure();
  }
  if (columnsOf(getInput()) != columnsOf(getWeight())) {
    return emitOpError("input has ") << columnsOf(getInput()) << " columns, but weight " << columnsOf(getWeight());
  }
  int64_t outputs = cast<RankedTensorType>(getWeight().getType()).getDimSize(0);
  if (failed(checkColumns(*this, "result", getResult(), outputs))) {
    return failure();
  }
  return checkAccumulator(*this, "result", getResult(), elementOf(getInput()));
}

Value CastOp::getRowSource() { return getInput(); }

OpFoldResult CastOp::fold(FoldAdaptor) {
  return getInput().getType() == getResult().getType() ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult CastOp::verify() { return checkColumns(*this, "result", getResult(), columnsOf(getInput())); }

Value AddOp::getRowSource() { return getLhs(); }
Value SiluOp::getRowSource() { return getInput(); }
Value SwigluOp::getRowSource() { return getGate(); }
Value ColumnsOp::getRowSource() { return getInput(); }

OpFoldResult ColumnsOp::fold(FoldAdaptor) {
  return getInput().getType() == getResult().getType() ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult ColumnsOp::verify() {
  int64_t offset = getOffset(), size = columnsOf(getResult()), width = columnsOf(getInput());
  if (offset < 0 || offset > width || size > width - offset) {
    return emitOpError("columns ") << offset << " to " << offset + size << " are not within the input's " << width;
  }
  return checkSameElement(*this, "input", getInput(), "result", getResult());
}

Value GatherOp::getRowSource() { return getTo(); }

OpFoldResult GatherOp::fold(FoldAdaptor) { return getFrom() == getTo() ? OpFoldResult(getInput()) : OpFoldResult(); }

LogicalResult GatherOp::verify() {
  if (getInput().getType() != getResult().getType()) {
    return emitOpError("input and result must have one type, got ")
           << getInput().getType() << " and " << getResult().getType();
  }
  Value rows = rowsOf(getInput());
  if (rows && rows != getFrom()) {
    return emitOpError("the input does not have the rows that it is gathered from");
  }
  return success();
}

