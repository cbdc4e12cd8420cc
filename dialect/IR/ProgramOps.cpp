// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers of kernel launches and programs.

#include "dialect/IR/Checks.h"
#include "dialect/IR/ModelAttr.h"
#include "dialect/IR/Ops.h"
#include "runtime/abi/WeightFormat.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// The cache inputs that become new versions.
SmallVector<OpOperand *> CallOp::getConsumedCaches() {
  SmallVector<OpOperand *> operands;
  for (int64_t index : getUpdated()) {
    if (index >= 0 && index < static_cast<int64_t>(getInputs().size()) &&
        isa<CacheTypeInterface>(getInputs()[index].getType())) {
      operands.push_back(&(*this)->getOpOperand(static_cast<unsigned>(index)));
    }
  }
  return operands;
}

Value ir::firstVersion(Value value) {
  while (auto call = value.getDefiningOp<CallOp>()) {
    size_t own = call.getNumResults() - call.getUpdated().size(), number = cast<OpResult>(value).getResultNumber();
    if (number < own) {
      break;
    }
    value = call.getInputs()[call.getUpdated()[number - own]];
  }
  return value;
}

void CallOp::getEffects(SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  for (OpOperand &operand : getInputsMutable()) {
    Value first = firstVersion(operand.get());
    if (!isa<CacheTypeInterface>(first.getType()) && !first.getDefiningOp<TrainingStateOp>()) {
      continue;
    }
    effects.emplace_back(MemoryEffects::Read::get(), &operand);
    if (llvm::is_contained(getUpdated(), static_cast<int64_t>(operand.getOperandNumber()))) {
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    }
  }
}

/// A launch's layer is one of the model's, or -1: none.
static LogicalResult checkLaunchLayer(Operation *op, int64_t layer) {
  if (layer < -1 || layer >= abi::mostLayers) {
    return op->emitOpError("layer must be in -1 .. ") << abi::mostLayers - 1 << ", got " << layer;
  }
  return layer < 0 ? success() : checkModelLayer(op, layer, nullptr);
}

/// Inputs and results are what a launch can have as buffers.
static LogicalResult verifyBufferTypes(CallOp op) {
  for (auto [i, type] : llvm::enumerate(op.getInputs().getTypes())) {
    if (!isa<RankedTensorType, RowsType, PackedType>(type) && !isa<CacheTypeInterface>(type)) {
      return op.emitOpError("input #") << i << " must be a tensor, rows, packed weights or a cache, got " << type;
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

/// The last results are the new versions of the updated inputs, and only they are caches.
static LogicalResult verifyUpdated(CallOp op) {
  int64_t inputs = static_cast<int64_t>(op.getInputs().size());
  SmallVector<Type, 6> updated;
  for (int64_t index : op.getUpdated()) {
    if (index < 0 || index >= inputs || isa<RowsType, PackedType>(op.getInputs()[index].getType())) {
      return op.emitOpError("updated names input ") << index << ", which is not a cache or a tensor";
    }
    if (llvm::count(op.getUpdated(), index) > 1) {
      return op.emitOpError("updated names input ") << index << " twice";
    }
    updated.push_back(op.getInputs()[index].getType());
  }
  TypeRange results = op.getResults().getTypes();
  if (results.size() < updated.size() || updated != llvm::to_vector<6>(results.take_back(updated.size()))) {
    return op.emitOpError("its last results must be the new versions of its updated inputs");
  }
  for (Type type : results.drop_back(updated.size())) {
    if (isa<CacheTypeInterface>(type)) {
      return op.emitOpError("its cache results must be the new versions of its updated inputs");
    }
  }
  return success();
}

LogicalResult CallOp::verify() {
  if (failed(checkLaunchLayer(*this, static_cast<int64_t>(getLayer()))) || failed(verifyBufferTypes(*this))) {
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
  return verifyUpdated(*this);
}

LogicalResult ProgramOp::verify() {
  int64_t arena = static_cast<int64_t>(getArenaBytes());
  if (arena < 0) {
    return emitOpError("arena must not be negative, got ") << arena;
  }
  if (static_cast<int64_t>(getMaxTokens()) < 1 || static_cast<int64_t>(getMaxSeqs()) < 1) {
    return emitOpError("must hold at least one row and one sequence");
  }
  SmallVector<std::pair<StringRef, ArrayRef<int64_t>>> slices;
  if (DictionaryAttr results = getResultsAttr()) {
    for (NamedAttribute result : results) {
      auto slice = dyn_cast<DenseI64ArrayAttr>(result.getValue());
      slices.push_back({result.getName().getValue(), slice ? slice.asArrayRef() : ArrayRef<int64_t>()});
    }
  } else {
    if (!getLogits() || !getRouting()) {
      return emitOpError("needs logits and routing, or results by name");
    }
    slices = {{"logits", *getLogits()}, {"routing", *getRouting()}};
  }
  if (bool(getExchange()) != bool(getExchangeBefore()) || (getExchange() && getExchange()->size() % 2 != 0)) {
    return emitOpError("exchange must be pairs of an offset and a size, and say before which launch");
  }
  if (getExchange()) {
    int64_t launches = static_cast<int64_t>(getBody().front().getOperations().size());
    int64_t before = static_cast<int64_t>(*getExchangeBefore());
    if (before < 0 || before > launches) {
      return emitOpError("exchanges before launch ") << before << " of " << launches;
    }
    for (size_t i = 0; i < getExchange()->size(); i += 2) {
      slices.push_back({"exchange", getExchange()->slice(i, 2)});
    }
  }
  for (auto [name, slice] : slices) {
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

LogicalResult PackOp::verify() {
  if (getInputs().empty()) {
    return emitOpError("needs at least one matrix");
  }
  for (Value input : getInputs()) {
    auto type = cast<RankedTensorType>(input.getType());
    if (!type.hasStaticShape() || columnsOf(input) != columnsOf(getInputs()[0])) {
      return emitOpError("its matrices must have static shapes with as many columns as the first, got ") << type;
    }
  }
  if (getInterleaved() && (getInputs().size() != 2 || getInputs()[0].getType() != getInputs()[1].getType())) {
    return emitOpError("interleaves two matrices of one type");
  }
  const auto *format = llvm::find(abi::weightFormatNames, getFormat());
  if (format == std::end(abi::weightFormatNames)) {
    return emitOpError("format must be f32, bf16, i8 or i4, got '") << getFormat() << "'";
  }
  int64_t panel = static_cast<int64_t>(getPanel()), group = static_cast<int64_t>(getGroup());
  if (panel < 1 || panel > abi::mostPanel || group < 1 || group > abi::mostGroup) {
    return emitOpError("panel must be in 1 .. ")
           << abi::mostPanel << " and group in 1 .. " << abi::mostGroup << ", got " << panel << " and " << group;
  }
  if (const char *fault = abi::groupFault(abi::WeightFormat(format - abi::weightFormatNames), group)) {
    return emitOpError("group ") << fault << " for " << getFormat() << ", got " << group;
  }
  if (getInputs().size() > static_cast<size_t>(abi::mostStacked)) {
    return emitOpError("stacks at most ") << abi::mostStacked << " matrices, got " << getInputs().size();
  }
  return success();
}

LogicalResult LaunchOp::verify() {
  if (failed(checkLaunchLayer(*this, static_cast<int64_t>(getLayer())))) {
    return failure();
  }
  if (getCount() && *getCount() >= getBuffers().size()) {
    return emitOpError("count names buffer ") << *getCount() << " of " << getBuffers().size();
  }
  int64_t arena = static_cast<int64_t>((*this)->getParentOfType<ProgramOp>().getArenaBytes());
  for (auto [i, attr] : llvm::enumerate(getBuffers())) {
    auto buffer = cast<BufferAttr>(attr);
    bool arenaSlice = buffer.getKind() == BufferKind::Arena;
    if (buffer.getIndex() < 0 || buffer.getBytes() < 0 ||
        (arenaSlice && (buffer.getIndex() > arena || buffer.getBytes() > arena - buffer.getIndex()))) {
      return emitOpError("buffer #") << i << " is not within the arena's " << arena << " bytes";
    }
    if (arenaSlice && buffer.getIndex() % abi::arenaAlignment != 0) {
      return emitOpError("buffer #") << i << " must be at a multiple of " << abi::arenaAlignment << ", is at "
                                     << buffer.getIndex();
    }
    if ((buffer.getKind() == BufferKind::Step) != !buffer.getName().empty()) {
      return emitOpError("buffer #") << i << ": a step buffer has a name, and no other has";
    }
    auto isBuffer = [&](StringRef name) { return name == buffer.getName(); };
    if (buffer.getKind() == BufferKind::Step && llvm::none_of(abi::stepBufferNames, isBuffer)) {
      return emitOpError("buffer #") << i << ": a step has no array '" << buffer.getName() << "'";
    }
  }
  return success();
}
