// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks that verifiers share.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Dialect.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace chimera;

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

SmallVector<OpOperand *> ir::cacheOperandsOf(Operation *op) {
  SmallVector<OpOperand *> operands;
  for (OpOperand &operand : op->getOpOperands()) {
    if (isa<CacheTypeInterface>(operand.get().getType())) {
      operands.push_back(&operand);
    }
  }
  return operands;
}

LogicalResult ir::checkPositive(Operation *op, StringRef name, const llvm::APFloat &value) {
  if (!value.isFinite() || value.isNegative() || value.isZero()) {
    return op->emitOpError() << name << " must be finite and above 0";
  }
  return success();
}
