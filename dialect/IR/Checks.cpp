// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks that verifiers share.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Dialect.h"
#include "dialect/IR/TrainingLayout.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

LogicalResult ir::checkColumns(Operation *op, StringRef name, Value value, int64_t columns) {
  if (columnsOf(value) != columns) {
    return op->emitOpError() << name << " must have " << columns << " columns, got " << columnsOf(value);
  }
  return success();
}

LogicalResult ir::checkLength(Operation *op, StringRef name, Value value, int64_t length) {
  int64_t actual = cast<RankedTensorType>(value.getType()).getDimSize(0);
  if (actual != length) {
    return op->emitOpError() << name << " must have " << length << " elements, got " << actual;
  }
  return success();
}

LogicalResult ir::checkShape(Operation *op, StringRef name, Value value, int64_t rows, int64_t columns) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getDimSize(0) != rows || type.getDimSize(1) != columns) {
    return op->emitOpError() << name << " must be " << rows << "x" << columns << ", got " << type;
  }
  return success();
}

LogicalResult ir::checkSameElement(Operation *op, StringRef nameA, Value a, StringRef nameB, Value b) {
  if (elementOf(a) != elementOf(b)) {
    return op->emitOpError() << nameA << " and " << nameB << " must have one element type, got " << elementOf(a)
                             << " and " << elementOf(b);
  }
  return success();
}

LogicalResult ir::checkAccumulator(Operation *op, StringRef name, Value value, Type operand) {
  Type expected = operand.isF64() ? operand : Float32Type::get(op->getContext());
  if (elementOf(value) != expected) {
    return op->emitOpError() << name << " must accumulate in " << expected << ", got " << elementOf(value);
  }
  return success();
}

LogicalResult ir::checkMaster(Operation *op, StringRef name, Value value) {
  if (!elementOf(value).isF64() && !elementOf(value).isF32()) {
    return op->emitOpError() << name << " must have elements in f64 or f32, got " << value.getType();
  }
  return success();
}

LogicalResult ir::checkHyper(Operation *op, Value hyper) {
  if (!elementOf(hyper).isF64()) {
    return op->emitOpError("hyper must be f64, got ") << hyper.getType();
  }
  return checkLength(op, "hyper", hyper, hyperLength);
}

LogicalResult ir::checkLeaves(Operation *op, Value leaves) {
  return checkLength(op, "leaves", leaves, leavesLength);
}

SmallVector<OpOperand *> ir::cacheOperandsOf(Operation *op) {
  SmallVector<OpOperand *> operands;
  for (OpOperand &operand : op->getOpOperands()) {
    if (isa<CacheTypeInterface>(operand.get().getType())) {
      operands.push_back(&operand);
    }
  }
  return operands;
}

LogicalResult ir::checkGroups(Operation *op, int64_t groups, int64_t count, StringRef what) {
  if (groups < 1 || count % groups != 0) {
    return op->emitOpError() << "groups must divide the " << count << " " << what << ", got " << groups;
  }
  return success();
}

LogicalResult ir::checkPositive(Operation *op, StringRef name, const llvm::APFloat &value) {
  if (!value.isFinite() || value.isNegative() || value.isZero()) {
    return op->emitOpError() << name << " must be finite and above 0";
  }
  return success();
}

LogicalResult ir::checkRowNorm(Operation *op, const NormParts &norm) {
  int64_t width = columnsOf(norm.input);
  if (failed(checkGroups(op, norm.groups, width, "columns")) ||
      failed(checkLength(op, "weight", norm.weight, width / norm.groups)) ||
      failed(checkSameElement(op, "input", norm.input, "weight", norm.weight))) {
    return failure();
  }
  if (norm.layer && (norm.groups != 1 || norm.unitOffset)) {
    return op->emitOpError("layer norm has no ") << (norm.groups != 1 ? "groups" : "unit_offset");
  }
  return checkPositive(op, "eps", norm.eps);
}

LogicalResult ir::checkEntries(Operation *op, Value key, Value value, Value write, Type cacheType) {
  auto cache = cast<KeyValueTypeInterface>(cacheType);
  for (auto [name, tensor] : {std::pair<StringRef, Value>{"key", key}, {"value", value}}) {
    if (failed(checkColumns(op, name, tensor, cache.getHeads() * cache.getDim()))) {
      return failure();
    }
    if (elementOf(tensor) != cache.getElement()) {
      return op->emitOpError() << name << " must have the cache's element type " << cache.getElement() << ", got "
                               << elementOf(tensor);
    }
  }
  bool weighted = !isa<NoneType>(cache.getWeights());
  if (weighted != bool(write)) {
    return op->emitOpError(weighted ? "the cache keeps write weights, but there are none"
                                    : "the cache keeps no write weights, but there are some");
  }
  if (write && elementOf(write) != cache.getWeights()) {
    return op->emitOpError() << "write must have the cache's weights' type " << cache.getWeights() << ", got "
                             << elementOf(write);
  }
  return success();
}

LogicalResult ir::checkConv(Operation *op, Value input, Value weight, Value bias, Value tailValue) {
  int64_t channels = columnsOf(input), taps = columnsOf(weight);
  if (failed(checkShape(op, "weight", weight, channels, taps)) || failed(checkLength(op, "bias", bias, channels)) ||
      failed(checkSameElement(op, "input", input, "weight", weight)) ||
      failed(checkSameElement(op, "input", input, "bias", bias))) {
    return failure();
  }
  if (taps < 1) {
    return op->emitOpError("a convolution needs at least one tap, got ") << taps;
  }
  if ((taps > 1) != bool(tailValue)) {
    return op->emitOpError("a convolution with ") << taps << " taps " << (taps > 1 ? "needs a tail" : "takes no tail");
  }
  if (!tailValue) {
    return success();
  }
  auto tail = cast<TailType>(tailValue.getType());
  if (tail.getRows() != taps - 1 || tail.getChannels() != channels || tail.getElement() != elementOf(input)) {
    return op->emitOpError("tail must be ")
           << taps - 1 << " rows of " << channels << " channels in " << elementOf(input) << ", got " << tail;
  }
  return success();
}
