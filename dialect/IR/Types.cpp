// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cache types: their verifiers and the pools they take.

#include "dialect/IR/Dialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

#include "dialect/IR/ChimeraTypeInterfaces.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/IR/ChimeraTypes.cpp.inc"

void ChimeraDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/IR/ChimeraTypes.cpp.inc"
      >();
}

int64_t ir::elementBytes(Type type) {
  if (type.isIndex()) {
    return 8;
  }
  return (type.getIntOrFloatBitWidth() + 7) / 8;
}

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

static LogicalResult verifyPositive(EmitError emitError, StringRef what, int64_t value) {
  if (value < 1) {
    return emitError() << what << " must be at least 1, got " << value;
  }
  return success();
}

/// A cache of as many elements as the product of `factors` is not too large for arithmetic on its bytes.
static LogicalResult verifySize(EmitError emitError, ArrayRef<int64_t> factors) {
  std::optional<int64_t> elements = 1;
  for (int64_t factor : factors) {
    elements = elements ? llvm::checkedMul(*elements, factor) : std::nullopt;
  }
  if (!elements || *elements > (int64_t(1) << 50)) {
    return emitError() << "a cache of one sequence must have at most 2^50 elements";
  }
  return success();
}

static LogicalResult verifyAccumulator(EmitError emitError, Type type) {
  if (!type.isF64() && !type.isF32()) {
    return emitError() << "the element type must be f32 or f64, got " << type;
  }
  return success();
}

static LogicalResult verifyKeyValue(EmitError emitError, int64_t entries, int64_t heads, int64_t dim, Type element,
                                    Type weights) {
  if (failed(verifyPositive(emitError, "heads", heads)) || failed(verifyPositive(emitError, "dim", dim))) {
    return failure();
  }
  if (!element.isF64() && !element.isF32() && !element.isBF16()) {
    return emitError() << "the element type must be f64, f32 or bf16, got " << element;
  }
  if (!isa<NoneType>(weights) && !weights.isF64() && !weights.isF32()) {
    return emitError() << "the weights' type must be f64, f32 or none, got " << weights;
  }
  return verifySize(emitError, {entries, heads, dim});
}

//===----------------------------------------------------------------------===//
// counts, tail, state
//===----------------------------------------------------------------------===//

LogicalResult CountsType::verify(EmitError emitError, int64_t modes) {
  if (modes < 1 || modes > 4) {
    return emitError() << "a layer has 1 to 4 modes, got " << modes;
  }
  return success();
}

StringRef CountsType::getKind() const {
  return "counts";
}
SmallVector<PoolInfo> CountsType::getPools() const {
  return {{"counts", getModes() * 8}};
}

LogicalResult TailType::verify(EmitError emitError, int64_t rows, int64_t channels, Type element) {
  if (failed(verifyPositive(emitError, "rows", rows)) || failed(verifyPositive(emitError, "channels", channels)) ||
      failed(verifyAccumulator(emitError, element))) {
    return failure();
  }
  return verifySize(emitError, {rows, channels});
}

StringRef TailType::getKind() const {
  return "tail";
}
SmallVector<PoolInfo> TailType::getPools() const {
  return {{"tail", getRows() * getChannels() * elementBytes(getElement())}};
}

LogicalResult StateType::verify(EmitError emitError, int64_t heads, int64_t dim, int64_t size, Type element) {
  if (failed(verifyPositive(emitError, "heads", heads)) || failed(verifyPositive(emitError, "dim", dim)) ||
      failed(verifyPositive(emitError, "size", size)) || failed(verifyAccumulator(emitError, element))) {
    return failure();
  }
  return verifySize(emitError, {heads, dim, size});
}

StringRef StateType::getKind() const {
  return "state";
}
SmallVector<PoolInfo> StateType::getPools() const {
  return {{"state", getHeads() * getDim() * getSize() * elementBytes(getElement())}};
}

//===----------------------------------------------------------------------===//
// ring, list
//===----------------------------------------------------------------------===//

LogicalResult RingType::verify(EmitError emitError, int64_t window, int64_t heads, int64_t dim, Type element,
                               Type weights, int64_t room) {
  if (failed(verifyPositive(emitError, "window", window))) {
    return failure();
  }
  if (room != 0 && room < window) {
    return emitError() << "room must be at least the window, " << window << ", got " << room;
  }
  return verifyKeyValue(emitError, std::max(window, room), heads, dim, element, weights);
}

StringRef RingType::getKind() const {
  return "ring";
}
SmallVector<PoolInfo> RingType::getPools() const {
  int64_t room = std::max(getWindow(), getRoom());
  int64_t bytes = room * getHeads() * getDim() * elementBytes(getElement());
  SmallVector<PoolInfo> pools = {{"keys", bytes}, {"values", bytes}};
  if (!llvm::isa<NoneType>(getWeights())) {
    pools.push_back({"weights", room * elementBytes(getWeights())});
  }
  pools.push_back({"count", 8});
  return pools;
}

LogicalResult ListType::verify(EmitError emitError, int64_t heads, int64_t dim, Type element, Type weights) {
  return verifyKeyValue(emitError, listPageEntries, heads, dim, element, weights);
}

StringRef ListType::getKind() const {
  return "list";
}
SmallVector<PoolInfo> ListType::getPools() const {
  return {{"length", 8}};
}
