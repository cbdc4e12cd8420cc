// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers of kernel launches and programs.

#include "dialect/IR/Ops.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The cache inputs that become new versions.
SmallVector<OpOperand *> CallOp::getConsumedCaches() {
  SmallVector<OpOperand *> operands;
  for (int64_t index : getUpdated()) {
    if (index >= 0 && index < static_cast<int64_t>(getInputs().size())) {
      operands.push_back(&(*this)->getOpOperand(static_cast<unsigned>(index)));
    }
  }
  return operands;
}

/// Inputs and results are what a launch can have as buffers.
static LogicalResult verifyBufferTypes(CallOp op) {
  for (auto [i, type] : llvm::enumerate(op.getInputs().getTypes())) {
    if (!isa<RankedTensorType, RowsType>(type) && !isa<CacheTypeInterface>(type)) {
      return op.emitOpError("input #") << i << " must be a tensor, rows or a cache, got " << type;
    }
  }
  for (auto [i, type] : llvm::enumerate(op.getResults().getTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    bool rowsTensor = tensor && tensor.getRank() > 0 && tensor.getElementType().isIntOrFloat();
    if (!rowsTensor && !isa<CacheTypeInterface>(type)) {
      return op.emitOpError("result #") << i << " must be a tensor of numbers with one entry a row, or a cache, got "
                                        << type;
    }
  }
  return success();
}

LogicalResult CallOp::verify() {
  if (failed(verifyBufferTypes(*this))) {
    return failure();
  }
  int64_t inputs = static_cast<int64_t>(getInputs().size()), results = static_cast<int64_t>(getResults().size());
  for (int64_t index : getOrder()) {
    if (index < 0 || index >= inputs + results) {
      return emitOpError("order names value ") << index << " of " << inputs + results;
    }
  }
  for (int64_t index : getStarts()) {
    if (index < 0 || index >= inputs + results) {
      return emitOpError("starts names value ") << index << " of " << inputs + results;
    }
  }
  SmallVector<Type> updated;
  for (int64_t index : getUpdated()) {
    if (index < 0 || index >= inputs || !isa<CacheTypeInterface>(getInputs()[index].getType())) {
      return emitOpError("updated names input ") << index << ", which is not a cache";
    }
    if (llvm::count(getUpdated(), index) > 1) {
      return emitOpError("updated names input ") << index << " twice";
    }
    updated.push_back(getInputs()[index].getType());
  }
  SmallVector<Type> caches;
  for (Type type : getResults().getTypes()) {
    if (isa<CacheTypeInterface>(type)) {
      caches.push_back(type);
    }
  }
  if (caches != updated) {
    return emitOpError("its cache results must be the new versions of its updated inputs");
  }
  return success();
}

LogicalResult ProgramOp::verify() {
  int64_t arena = static_cast<int64_t>(getArenaBytes());
  if (arena < 0) {
    return emitOpError("arena must not be negative, got ") << arena;
  }
  if (static_cast<int64_t>(getMaxTokens()) < 1 || static_cast<int64_t>(getMaxSeqs()) < 1) {
    return emitOpError("must hold at least one row and one sequence");
  }
  for (auto [name, slice] :
       {std::pair<StringRef, ArrayRef<int64_t>>{"logits", getLogits()}, {"routing", getRouting()}}) {
    if (slice.size() != 2 || slice[0] < 0 || slice[1] < 0 || slice[0] > arena || slice[1] > arena - slice[0]) {
      return emitOpError() << name << " must be an offset and a size within the arena's " << arena << " bytes";
    }
  }
  if (getBody().getNumArguments() != 0) {
    return emitOpError("its body takes no arguments");
  }
  for (Operation &op : getBody().front()) {
    if (!isa<LaunchOp>(op)) {
      return op.emitError("a program holds only launches");
    }
  }
  return success();
}

LogicalResult LaunchOp::verify() {
  int64_t arena = static_cast<int64_t>((*this)->getParentOfType<ProgramOp>().getArenaBytes());
  for (auto [i, attr] : llvm::enumerate(getBuffers())) {
    auto buffer = cast<BufferAttr>(attr);
    bool arenaSlice = buffer.getKind() == BufferKind::Arena;
    if (buffer.getIndex() < 0 || buffer.getBytes() < 0 ||
        (arenaSlice && (buffer.getIndex() > arena || buffer.getBytes() > arena - buffer.getIndex()))) {
      return emitOpError("buffer #") << i << " is not within the arena's " << arena << " bytes";
    }
    if ((buffer.getKind() == BufferKind::Step) != !buffer.getName().empty()) {
      return emitOpError("buffer #") << i << ": a step buffer has a name, and no other has";
    }
  }
  return success();
}
