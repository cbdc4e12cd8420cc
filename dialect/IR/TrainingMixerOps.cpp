// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers of attention, convolution and scans over whole sequences, and of their gradients.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"
#include "dialect/IR/TrainingLayout.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// A matrix of so many columns, in `element`.
static LogicalResult checkMatrix(Operation *op, StringRef name, Value value, int64_t columns, Type element) {
  if (failed(checkColumns(op, name, value, columns))) {
    return failure();
  }
  if (elementOf(value) != element) {
    return op->emitOpError() << name << " must have elements in " << element << ", got " << elementOf(value);
  }
  return success();
}

/// Tensors in `element`; absent ones are fine.
static LogicalResult checkElements(Operation *op, ArrayRef<std::pair<StringRef, Value>> tensors, Type element) {
  for (auto [name, tensor] : tensors) {
    if (tensor && elementOf(tensor) != element) {
      return op->emitOpError() << name << " must have elements in " << element << ", got " << elementOf(tensor);
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {
/// What the attention op and its gradients have in common.
struct Geometry {
  int64_t kvHeads, headDim, window;
  std::optional<llvm::APFloat> softCap;
};
} // namespace

/// A matrix of the queries' rows in the accumulators' type, with one column for each `group` of theirs.
static LogicalResult checkOfQueries(Operation *op, StringRef name, Value value, Value query, int64_t group = 1) {
  if (failed(checkColumns(op, name, value, columnsOf(query) / group))) {
    return failure();
  }
  return checkAccumulator(op, name, value, elementOf(query));
}

static LogicalResult checkAttention(Operation *op, Value query, Value key, Value value, Value write,
                                    const Geometry &geometry) {
  auto [kvHeads, headDim, window, softCap] = geometry;
  if (failed(checkSoftCap(op, softCap))) {
    return failure();
  }
  if (kvHeads < 1 || headDim < 1) {
    return op->emitOpError("kv_heads and head_dim must be at least 1, got ") << kvHeads << " and " << headDim;
  }
  if (window < 1 && window != -1) {
    return op->emitOpError("window must be at least 1, or -1 for none, got ") << window;
  }
  int64_t width = columnsOf(query);
  if (width < 1 || width % headDim != 0 || (width / headDim) % kvHeads != 0) {
    return op->emitOpError("query must have a multiple of ")
           << kvHeads << " heads of " << headDim << " columns, got " << width << " columns";
  }
  for (auto [name, tensor] : {std::pair<StringRef, Value>{"key", key}, {"value", value}}) {
    if (failed(checkColumns(op, name, tensor, kvHeads * headDim)) ||
        failed(checkSameElement(op, "query", query, name, tensor))) {
      return failure();
    }
  }
  return write ? checkAccumulator(op, "write", write, elementOf(query)) : LogicalResult(success());
}

/// The entries that rows have for themselves: a key and a value, or none.
static LogicalResult checkOwnEntry(Operation *op, Value key, ValueRange own, Value write) {
  if (own.empty()) {
    return success();
  }
  if (own.size() != 2 || own[0].getType() != key.getType() || own[1].getType() != key.getType()) {
    return op->emitOpError("own_entry must be a key and a value of type ") << key.getType();
  }
  if (write) {
    return op->emitOpError("with write weights every row keeps its entry, so that none has one of its own");
  }
  return success();
}

Value SeqAttendOp::getRowSource() {
  return getOwn();
}

LogicalResult SeqAttendOp::verify() {
  Geometry geometry{int64_t(getKvHeads()), int64_t(getHeadDim()), int64_t(getWindow()), getSoftCap()};
  if (failed(checkAttention(*this, getQuery(), getKey(), getValue(), getWrite(), geometry)) ||
      failed(checkOwnEntry(*this, getKey(), getOwnEntry(), getWrite())) ||
      failed(checkOfQueries(*this, "result", getResult(), getQuery()))) {
    return failure();
  }
  return checkOfQueries(*this, "lse", getLse(), getQuery(), geometry.headDim);
}

Value SeqAttendQueryGradOp::getRowSource() {
  return getOwn();
}

LogicalResult SeqAttendQueryGradOp::verify() {
  Geometry geometry{int64_t(getKvHeads()), int64_t(getHeadDim()), int64_t(getWindow()), getSoftCap()};
  if (failed(checkAttention(*this, getQuery(), getKey(), getValue(), getWrite(), geometry)) ||
      failed(checkOwnEntry(*this, getKey(), getOwnEntry(), getWrite())) ||
      failed(checkOfQueries(*this, "result", getResult(), getQuery())) ||
      failed(checkOfQueries(*this, "lse", getLse(), getQuery(), geometry.headDim)) ||
      failed(checkOfQueries(*this, "dresult", getDresult(), getQuery())) ||
      failed(checkOfQueries(*this, "dquery", getDquery(), getQuery())) ||
      failed(checkOfQueries(*this, "delta", getDelta(), getQuery(), geometry.headDim))) {
    return failure();
  }
  if (getDownEntry().size() != getOwnEntry().size()) {
    return emitOpError("needs a gradient of each tensor of own_entry");
  }
  for (Value entry : getDownEntry()) {
    if (failed(checkMatrix(*this, "down_entry", entry, columnsOf(getKey()), elementOf(getDquery())))) {
      return failure();
    }
  }
  return success();
}

Value SeqAttendKeyGradOp::getRowSource() {
  return getKeys();
}

LogicalResult SeqAttendKeyGradOp::verify() {
  Geometry geometry{int64_t(getKvHeads()), int64_t(getHeadDim()), int64_t(getWindow()), getSoftCap()};
  if (failed(checkAttention(*this, getQuery(), getKey(), getValue(), getWrite(), geometry)) ||
      failed(checkOfQueries(*this, "lse", getLse(), getQuery(), geometry.headDim)) ||
      failed(checkOfQueries(*this, "delta", getDelta(), getQuery(), geometry.headDim)) ||
      failed(checkOfQueries(*this, "dresult", getDresult(), getQuery())) ||
      failed(checkColumns(*this, "dkey", getDkey(), columnsOf(getKey()))) ||
      failed(checkColumns(*this, "dvalue", getDvalue(), columnsOf(getKey()))) ||
      failed(checkAccumulator(*this, "dkey", getDkey(), elementOf(getKey())))) {
    return failure();
  }
  if (bool(getWrite()) != bool(getDwrite())) {
    return emitOpError("gives dwrite exactly where there are write weights");
  }
  if (getWrite() && getTentative()) {
    return emitOpError("with write weights every row keeps its entry, so that none has one of its own");
  }
  return checkElements(*this, {{"dvalue", getDvalue()}, {"dwrite", getDwrite()}}, elementOf(getDkey()));
}

//===----------------------------------------------------------------------===//
// Causal convolution
//===----------------------------------------------------------------------===//

/// Kept rows come with their entries.
static LogicalResult checkKept(Operation *op, Value input, Value kept, Value keptRows) {
  if (bool(kept) != bool(keptRows)) {
    return op->emitOpError("kept entries and their rows come together");
  }
  if (kept && kept.getType() != input.getType()) {
    return op->emitOpError("kept entries must have the input's type ") << input.getType() << ", got " << kept.getType();
  }
  return success();
}

static LogicalResult checkSeqConv(Operation *op, Value input, Value weight, Value bias) {
  if (columnsOf(weight) < 1) {
    return op->emitOpError("a convolution needs at least one tap, got ") << columnsOf(weight);
  }
  if (failed(checkShape(op, "weight", weight, columnsOf(input), columnsOf(weight))) ||
      failed(checkSameElement(op, "input", input, "weight", weight))) {
    return failure();
  }
  if (!bias) {
    return success();
  }
  if (failed(checkLength(op, "bias", bias, columnsOf(input)))) {
    return failure();
  }
  return checkSameElement(op, "input", input, "bias", bias);
}

Value SeqConvOp::getRowSource() {
  return getRows();
}

LogicalResult SeqConvOp::verify() {
  if (failed(checkSeqConv(*this, getInput(), getWeight(), getBias())) ||
      failed(checkKept(*this, getInput(), getKept(), getKeptRows()))) {
    return failure();
  }
  return checkMatrix(*this, "result", getResult(), columnsOf(getInput()), elementOf(getInput()));
}

Value SeqConvActivationGradOp::getRowSource() {
  return getRows();
}

LogicalResult SeqConvActivationGradOp::verify() {
  if (failed(checkSeqConv(*this, getInput(), getWeight(), getBias())) ||
      failed(checkKept(*this, getInput(), getKept(), getKeptRows())) ||
      failed(checkMatrix(*this, "result", getResult(), columnsOf(getInput()), elementOf(getInput())))) {
    return failure();
  }
  return checkMatrix(*this, "gradient", getDresult(), columnsOf(getInput()), elementOf(getInput()));
}

Value SeqConvInputGradOp::getRowSource() {
  return getRows();
}
Value SeqConvInputGradOp::getRowSourceOf(unsigned result) {
  return result == 0 ? Value(getRows()) : Value(getKeptRows());
}

LogicalResult SeqConvInputGradOp::verify() {
  if (bool(getKeptRows()) != bool(getDkept())) {
    return emitOpError("gives dkept exactly where rows are kept");
  }
  int64_t channels = columnsOf(getDresult());
  Type element = elementOf(getDresult());
  if (failed(checkMatrix(*this, "dinput", getDinput(), channels, element)) ||
      (getDkept() && failed(checkMatrix(*this, "dkept", getDkept(), channels, element)))) {
    return failure();
  }
  return checkSeqConv(*this, getDresult(), getWeight(), nullptr);
}

LogicalResult SeqConvWeightGradOp::verify() {
  if (failed(checkKept(*this, getInput(), getKept(), getKeptRows())) ||
      failed(checkSeqConv(*this, getInput(), getDweight(), getDbias())) ||
      failed(checkMatrix(*this, "dresult", getDresult(), columnsOf(getInput()), elementOf(getInput())))) {
    return failure();
  }
  return checkLeaves(*this, getLeaves());
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

/// The operands of a Mamba-2 scan and of its gradient.
template <typename Op> static LogicalResult checkSsm(Op op) {
  int64_t heads = op.getHeads(), dim = op.getDim(), size = op.getSize(), groups = op.getGroups();
  const int64_t most = int64_t(1) << 20; // so that products of three are representable
  if (heads < 1 || dim < 1 || size < 1 || heads > most || dim > most || size > most) {
    return op.emitOpError("heads, dim and size must be in 1 .. ") << most;
  }
  if (failed(checkGroups(op, groups, heads, "heads"))) {
    return failure();
  }
  if (failed(checkColumns(op, "xbc", op.getXbc(), heads * dim + 2 * groups * size)) ||
      failed(checkColumns(op, "dt", op.getDt(), heads)) || failed(checkLength(op, "a_log", op.getALog(), heads)) ||
      failed(checkLength(op, "skip", op.getSkip(), heads)) ||
      failed(checkLength(op, "dt_bias", op.getDtBias(), heads)) ||
      failed(checkColumns(op, "states", op.getStates(), scanStates(heads, dim, size))) ||
      failed(checkElements(op,
                           {{"dt", op.getDt()},
                            {"a_log", op.getALog()},
                            {"skip", op.getSkip()},
                            {"dt_bias", op.getDtBias()},
                            {"write", op.getWrite()},
                            {"states", op.getStates()}},
                           elementOf(op.getXbc())))) {
    return failure();
  }
  if (op.getDtMin().isNaN() || op.getDtMax().isNaN() || op.getDtMin() > op.getDtMax()) {
    return op.emitOpError("dt_min must not be above dt_max");
  }
  return success();
}

Value SeqSsmScanOp::getRowSource() {
  return getRows();
}

LogicalResult SeqSsmScanOp::verify() {
  if (failed(checkSsm(*this))) {
    return failure();
  }
  return checkMatrix(*this, "result", getResult(), static_cast<int64_t>(getHeads() * getDim()), elementOf(getXbc()));
}

Value SeqSsmScanGradOp::getRowSource() {
  return getRows();
}

LogicalResult SeqSsmScanGradOp::verify() {
  int64_t heads = getHeads(), dim = getDim();
  Type element = elementOf(getXbc());
  if (failed(checkSsm(*this)) || failed(checkMatrix(*this, "gradient", getDresult(), heads * dim, element)) ||
      failed(checkMatrix(*this, "ddt", getDdt(), heads, element)) ||
      failed(checkMatrix(*this, "drate", getDrate(), heads, element)) ||
      failed(checkMatrix(*this, "dskip", getDskip(), heads, element)) ||
      failed(checkElements(*this, {{"dwrite", getDwrite()}}, element))) {
    return failure();
  }
  if (bool(getWrite()) != bool(getDwrite())) {
    return emitOpError("gives dwrite exactly where there are write weights");
  }
  return checkMatrix(*this, "dxbc", getDxbc(), columnsOf(getXbc()), element);
}

Value SeqLtiScanOp::getRowSource() {
  return getRows();
}

LogicalResult SeqLtiScanOp::verify() {
  if (failed(checkElements(*this, {{"decay", getDecay()}, {"write", getWrite()}}, elementOf(getInput())))) {
    return failure();
  }
  return checkLength(*this, "decay", getDecay(), columnsOf(getInput()));
}

Value SeqLtiScanGradOp::getRowSource() {
  return getRows();
}

LogicalResult SeqLtiScanGradOp::verify() {
  if (bool(getWrite()) != bool(getDwrite())) {
    return emitOpError("gives dwrite exactly where there are write weights");
  }
  int64_t width = columnsOf(getInput());
  Type element = elementOf(getInput());
  if (failed(checkMatrix(*this, "result", getResult(), width, element)) ||
      failed(checkMatrix(*this, "dresult", getDresult(), width, element)) ||
      failed(checkMatrix(*this, "dinput", getDinput(), width, element)) ||
      failed(checkMatrix(*this, "ddecay_rows", getDdecayRows(), width, element)) ||
      failed(checkElements(*this, {{"decay", getDecay()}, {"write", getWrite()}, {"dwrite", getDwrite()}}, element))) {
    return failure();
  }
  return checkLength(*this, "decay", getDecay(), columnsOf(getInput()));
}
