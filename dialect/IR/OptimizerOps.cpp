// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers of what training keeps between steps, and of the optimizer.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The sum of the squares of all gradients.
static LogicalResult checkNorm(Operation *op, StringRef name, Value norm) {
  if (!elementOf(norm).isF64()) {
    return op->emitOpError() << name << " must be f64, got " << norm.getType();
  }
  return checkLength(op, name, norm, 1);
}

LogicalResult TrainingStateOp::verify() {
  if (getName().empty()) {
    return emitOpError("needs the name of a parameter");
  }
  return checkMaster(*this, "result", getResult());
}

LogicalResult SquaredNormOp::verify() {
  if (getGradients().empty()) {
    return emitOpError("needs at least one gradient");
  }
  for (Value gradient : getGradients()) {
    if (failed(checkMaster(*this, "gradient", gradient))) {
      return failure();
    }
  }
  return checkNorm(*this, "result", getResult());
}

/// What an op overwrites in place is a buffer of its own.
static LogicalResult checkOwnBuffers(Operation *op, ArrayRef<std::pair<StringRef, Value>> buffers) {
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    for (auto [name, value] : buffers.take_front(i)) {
      if (value == buffer.second) {
        return op->emitOpError() << name << " and " << buffer.first << " must be two buffers, got one";
      }
    }
  }
  return success();
}

LogicalResult AdamWOp::verify() {
  if (failed(checkMaster(*this, "master", getMaster())) || failed(checkNorm(*this, "norm", getNorm())) ||
      failed(checkHyper(*this, getHyper()))) {
    return failure();
  }
  return checkOwnBuffers(
      *this,
      {{"gradient", getGradient()}, {"master", getMaster()}, {"moment1", getMoment1()}, {"moment2", getMoment2()}});
}

LogicalResult AccumulateOp::verify() {
  if (failed(checkMaster(*this, "gradient", getGradient()))) {
    return failure();
  }
  return checkOwnBuffers(*this, {{"gradient", getGradient()}, {"total", getTotal()}});
}
