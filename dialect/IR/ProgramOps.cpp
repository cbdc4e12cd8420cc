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

LogicalResult CallOp::verify() {
  int64_t inputs = static_cast<int64_t>(getInputs().size()), results = static_cast<int64_t>(getResults().size());
  for (int64_t index : getOrder()) {
    if (index < 0 || index >= inputs + results) {
      return emitOpError("order names value ") << index << " of " << inputs + results;
    }
  }
  SmallVector<Type> updated;
  for (int64_t index : getUpdated()) {
    if (index < 0 || index >= inputs || !isa<CacheTypeInterface>(getInputs()[index].getType())) {
      return emitOpError("updated names input ") << index << ", which is not a cache";
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
  if (getMaxTokens() < 1 || getMaxSeqs() < 1) {
    return emitOpError("must hold at least one row and one sequence");
  }
  for (auto [name, slice] : {std::pair<StringRef, ArrayRef<int64_t>>{"logits", getLogits()}, {"routing", getRouting()}}) {
    if (slice.size() != 2 || slice[0] < 0 || slice[1] < 0 || slice[0] > int64_t(getArenaBytes()) ||
        slice[1] > int64_t(getArenaBytes()) - slice[0]) {
      return emitOpError() << name << " must be an offset and a size within the arena's " << getArenaBytes() << " bytes";
    }
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
