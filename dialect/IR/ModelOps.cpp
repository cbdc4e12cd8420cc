// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Model level ops: verifiers and folders of parameters and row-wise arithmetic.

#include "dialect/IR/Checks.h"
#include "dialect/IR/ModelAttr.h"
#include "dialect/IR/Ops.h"

#include "mlir/IR/OpImplementation.h"
#include "llvm/Support/CheckedArithmetic.h"

#include <cmath>

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The elements of a shape; none if there are more than a parameter can have, or a negative number.
static std::optional<int64_t> elementsOfShape(ArrayRef<int64_t> shape) {
  std::optional<int64_t> elements = 1;
  for (int64_t size : shape) {
    elements = elements && size >= 0 ? llvm::checkedMul(*elements, size) : std::nullopt;
  }
  return elements && *elements <= (int64_t(1) << 53) ? elements : std::nullopt;
}

/// How many rows of so many elements a tensor has, which some of its first dimensions count; none: its rows are others.
static std::optional<int64_t> rowsOfSource(ArrayRef<int64_t> source, std::optional<int64_t> rowElements, bool mayFold) {
  for (size_t leading = 1; leading < std::max<size_t>(mayFold ? source.size() : 0, 2); ++leading) {
    if (elementsOfShape(source.drop_front(leading)) == rowElements) {
      return elementsOfShape(source.take_front(leading));
    }
  }
  return std::nullopt;
}

/// A parameter that is rows of its tensor: they lie in it, and are as long as the tensor's.
static LogicalResult verifySourceRow(ParamOp op, ArrayRef<int64_t> shape, int64_t row) {
  auto source = op.getSourceShape();
  if (op.getRowPermutation()) {
    return op.emitOpError("source_row and row_permutation of '") << op.getName() << "' exclude each other";
  }
  if (!source) {
    return op.emitOpError("source_row of '")
           << op.getName() << "' needs the source_shape of the tensor it is a part of";
  }
  std::optional<int64_t> rows;
  if (!shape.empty() && !source->empty() && elementsOfShape(*source)) {
    rows = rowsOfSource(*source, elementsOfShape(shape.drop_front()), shape.size() > 1);
  }
  if (!rows) {
    return op.emitOpError("the rows of source_shape of '")
           << op.getName() << "' must have as many elements as those of " << op.getResult().getType();
  }
  int64_t last = *rows - shape.front();
  if (last < 0) {
    return op.emitOpError("source_shape of '")
           << op.getName() << "' must have at least as many rows as " << op.getResult().getType();
  }
  if (row < 0 || row > last) {
    return op.emitOpError("source_row of '") << op.getName() << "' must be in 0 .. " << last << ", got " << row;
  }
  return success();
}

LogicalResult ParamOp::verify() {
  auto type = cast<RankedTensorType>(getResult().getType());
  if (!type.hasStaticShape()) {
    return emitOpError("parameter '") << getName() << "' must have a static shape, got " << type;
  }
  if (getName().empty()) {
    return emitOpError("must have a name");
  }
  Type element = type.getElementType();
  if (!element.isF64() && !element.isF32() && !element.isBF16()) {
    return emitOpError("parameter '") << getName() << "' must have elements in f64, f32 or bf16, got " << type;
  }
  std::optional<int64_t> elements = elementsOfShape(type.getShape());
  if (!elements) {
    return emitOpError("parameter '") << getName() << "' must have at most 2^53 elements, got " << type;
  }
  if (getSourceRow()) {
    if (failed(verifySourceRow(*this, type.getShape(), static_cast<int64_t>(*getSourceRow())))) {
      return failure();
    }
  } else if (auto shape = getSourceShape()) {
    if (elementsOfShape(*shape) != elements) {
      return emitOpError("source_shape of '") << getName() << "' must have as many elements as " << type;
    }
  }
  if (auto permutation = getRowPermutation()) {
    SmallVector<int64_t> sorted(*permutation);
    llvm::sort(sorted);
    bool fits = type.getRank() > 0 && static_cast<int64_t>(sorted.size()) == type.getDimSize(0);
    for (auto [i, row] : llvm::enumerate(sorted)) {
      fits = fits && row == static_cast<int64_t>(i);
    }
    if (!fits) {
      return emitOpError("row_permutation of '") << getName() << "' must be a permutation of its rows";
    }
  }
  return success();
}

Value EmbedOp::getRowSource() {
  return getRows();
}

LogicalResult EmbedOp::verify() {
  auto table = cast<RankedTensorType>(getTable().getType());
  if (failed(checkColumns(*this, "result", getResult(), columnsOf(getTable()))) ||
      failed(checkModelType(*this, "its table's element type", table.getElementType())) ||
      failed(checkAgainstModel(*this, "the number of rows of its table", table.getDimSize(0), "vocab_size")) ||
      failed(checkAgainstModel(*this, "the number of columns of its table", table.getDimSize(1), "hidden_size"))) {
    return failure();
  }
  return checkAccumulator(*this, "result", getResult(), table.getElementType());
}

Value NormOp::getRowSource() {
  return getInput();
}

LogicalResult NormOp::verify() {
  bool layer = getKind() == NormKind::Layer;
  if (failed(checkRowNorm(*this, {layer, getInput(), getWeight(), int64_t(getGroups()), getUnitOffset(), getEps()}))) {
    return failure();
  }
  if (layer != bool(getBias())) {
    return emitOpError(layer ? "layer norm needs a bias" : "rms norm takes no bias");
  }
  return getBias() ? checkLength(*this, "bias", getBias(), columnsOf(getInput())) : success();
}

Value LinearOp::getRowSource() {
  return getInput();
}

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

Value CastOp::getRowSource() {
  return getInput();
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  return getInput().getType() == getResult().getType() ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult CastOp::verify() {
  return checkColumns(*this, "result", getResult(), columnsOf(getInput()));
}

Value AddOp::getRowSource() {
  return getLhs();
}
Value AddBiasOp::getRowSource() {
  return getInput();
}

LogicalResult AddBiasOp::verify() {
  return checkLength(*this, "bias", getBias(), columnsOf(getInput()));
}

Value ScaleOp::getRowSource() {
  return getInput();
}

OpFoldResult ScaleOp::fold(FoldAdaptor) {
  return getFactor().isExactlyValue(1.0) ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult ScaleOp::verify() {
  if (!getFactor().isFinite() || getFactor().isZero()) {
    return emitOpError("factor must be finite and not zero");
  }
  return success();
}

Value ScaleColumnsOp::getRowSource() {
  return getInput();
}

OpFoldResult ScaleColumnsOp::fold(FoldAdaptor) {
  return llvm::all_of(getFactors(), [](double factor) { return factor == 1.0; }) ? OpFoldResult(getInput())
                                                                                 : OpFoldResult();
}

LogicalResult ScaleColumnsOp::verify() {
  ArrayRef<double> factors = getFactors();
  ArrayRef<int64_t> widths = getWidths();
  if (factors.size() != widths.size()) {
    return emitOpError("has ") << factors.size() << " factors, but " << widths.size() << " widths";
  }
  for (auto [index, factor] : llvm::enumerate(factors)) {
    if (!std::isfinite(factor) || factor == 0.0) {
      return emitOpError("factor ") << index << " must be finite and not zero";
    }
  }
  int64_t left = columnsOf(getInput());
  for (auto [index, width] : llvm::enumerate(widths)) {
    if (width < 1 || width > left) {
      return emitOpError("width ") << index << " must be in 1 .. " << left << ", the columns that are left, got "
                                   << width;
    }
    left -= width;
  }
  if (left != 0) {
    return emitOpError("the widths leave ") << left << " of " << columnsOf(getInput()) << " columns";
  }
  return success();
}

Value SoftCapOp::getRowSource() {
  return getInput();
}

LogicalResult SoftCapOp::verify() {
  return checkPositive(*this, "cap", getCap());
}

Value ActivateOp::getRowSource() {
  return getInput();
}
Value GluOp::getRowSource() {
  return getGate();
}
Value ColumnsOp::getRowSource() {
  return getInput();
}

OpFoldResult ColumnsOp::fold(FoldAdaptor) {
  return getInput().getType() == getResult().getType() ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult ColumnsOp::verify() {
  int64_t offset = getOffset(), size = columnsOf(getResult()), width = columnsOf(getInput());
  if (offset < 0 || size < 0 || offset > width || size > width - offset) {
    return emitOpError() << size << " columns at " << offset << " are not within the input's " << width;
  }
  return checkSameElement(*this, "input", getInput(), "result", getResult());
}

Value GatherOp::getRowSource() {
  return getTo();
}

OpFoldResult GatherOp::fold(FoldAdaptor) {
  return getFrom() == getTo() ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult GatherOp::verify() {
  if (getInput().getType() != getResult().getType()) {
    return emitOpError("input and result must have one type, got ")
           << getInput().getType() << " and " << getResult().getType();
  }
  Value rows = rowsOf(getInput(), *this);
  if (rows && rows != getFrom()) {
    return emitOpError("the input does not have the rows that it is gathered from");
  }
  return success();
}
