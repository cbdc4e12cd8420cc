// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers of attention, convolution and scans over whole sequences, and of their gradients.

#include "dialect/IR/Checks.h"
#include "dialect/IR/Ops.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {
/// What the attention op and its gradients have in common.
struct Geometry {
  int64_t kvHeads, headDim, window;
};
} // namespace

static LogicalResult checkAttention(Operation *op, Value query, Value key, Value value, const Geometry &geometry) {
  auto [kvHeads, headDim, window] = geometry;
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
  return success();
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
  Geometry geometry{int64_t(getKvHeads()), int64_t(getHeadDim()), int64_t(getWindow())};
  if (failed(checkAttention(*this, getQuery(), getKey(), getValue(), geometry)) ||
      failed(checkOwnEntry(*this, getKey(), getOwnEntry(), getWrite())) ||
      failed(checkColumns(*this, "result", getResult(), columnsOf(getQuery()))) ||
      failed(checkColumns(*this, "lse", getLse(), columnsOf(getQuery()) / getHeadDim()))) {
    return failure();
  }
  return checkAccumulator(*this, "result", getResult(), elementOf(getQuery()));
}

Value SeqAttendQueryGradOp::getRowSource() {
  return getOwn();
}

LogicalResult SeqAttendQueryGradOp::verify() {
  Geometry geometry{int64_t(getKvHeads()), int64_t(getHeadDim()), int64_t(getWindow())};
  if (failed(checkAttention(*this, getQuery(), getKey(), getValue(), geometry)) ||
      failed(checkOwnEntry(*this, getKey(), getOwnEntry(), getWrite())) ||
      failed(checkColumns(*this, "dquery", getDquery(), columnsOf(getQuery()))) ||
      failed(checkColumns(*this, "delta", getDelta(), columnsOf(getQuery()) / getHeadDim()))) {
    return failure();
  }
  if (getDownEntry().size() != getOwnEntry().size()) {
    return emitOpError("needs a gradient of each tensor of own_entry");
  }
  return checkAccumulator(*this, "dquery", getDquery(), elementOf(getQuery()));
}

Value SeqAttendKeyGradOp::getRowSource() {
  return getKeys();
}

LogicalResult SeqAttendKeyGradOp::verify() {
  Geometry geometry{int64_t(getKvHeads()), int64_t(getHeadDim()), int64_t(getWindow())};
  if (failed(checkAttention(*this, getQuery(), getKey(), getValue(), geometry)) ||
      failed(checkColumns(*this, "dkey", getDkey(), columnsOf(getKey()))) ||
      failed(checkColumns(*this, "dvalue", getDvalue(), columnsOf(getKey())))) {
    return failure();
  }
  if (bool(getWrite()) != bool(getDwrite())) {
    return emitOpError("gives dwrite exactly where there are write weights");
  }
  return checkAccumulator(*this, "dkey", getDkey(), elementOf(getKey()));
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
  return bias ? checkLength(op, "bias", bias, columnsOf(input)) : LogicalResult(success());
}

Value SeqConvOp::getRowSource() {
  return getRows();
}

LogicalResult SeqConvOp::verify() {
  if (failed(checkSeqConv(*this, getInput(), getWeight(), getBias())) ||
      failed(checkKept(*this, getInput(), getKept(), getKeptRows()))) {
    return failure();
  }
  return checkColumns(*this, "result", getResult(), columnsOf(getInput()));
}

Value SeqConvActivationGradOp::getRowSource() {
  return getRows();
}

LogicalResult SeqConvActivationGradOp::verify() {
  if (failed(checkSeqConv(*this, getInput(), getWeight(), getBias())) ||
      failed(checkKept(*this, getInput(), getKept(), getKeptRows()))) {
    return failure();
  }
  return checkColumns(*this, "gradient", getDresult(), columnsOf(getInput()));
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
  return checkSeqConv(*this, getDresult(), getWeight(), nullptr);
}

LogicalResult SeqConvWeightGradOp::verify() {
  if (failed(checkKept(*this, getInput(), getKept(), getKeptRows())) ||
      failed(checkSeqConv(*this, getInput(), getDweight(), getDbias()))) {
    return failure();
  }
  return checkLength(*this, "leaves", getLeaves(), 18);
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

/// The operands of a Mamba-2 scan and of its gradient.
template <typename Op> static LogicalResult checkSsm(Op op) {
  int64_t heads = op.getHeads(), dim = op.getDim(), size = op.getSize(), groups = op.getGroups();
  if (heads < 1 || dim < 1 || size < 1) {
    return op.emitOpError("heads, dim and size must be at least 1");
  }
  if (groups < 1 || heads % groups != 0) {
    return op.emitOpError("groups must divide the ") << heads << " heads, got " << groups;
  }
  if (failed(checkColumns(op, "xbc", op.getXbc(), heads * dim + 2 * groups * size)) ||
      failed(checkColumns(op, "dt", op.getDt(), heads)) || failed(checkLength(op, "a_log", op.getALog(), heads)) ||
      failed(checkColumns(op, "states", op.getStates(), (heads * dim * size + 31) / 32))) {
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
  return checkColumns(*this, "result", getResult(), static_cast<int64_t>(getHeads() * getDim()));
}

Value SeqSsmScanGradOp::getRowSource() {
  return getRows();
}

LogicalResult SeqSsmScanGradOp::verify() {
  if (failed(checkSsm(*this)) || failed(checkColumns(*this, "ddt", getDdt(), getHeads())) ||
      failed(checkColumns(*this, "drate", getDrate(), getHeads())) ||
      failed(checkColumns(*this, "dskip", getDskip(), getHeads()))) {
    return failure();
  }
  if (bool(getWrite()) != bool(getDwrite())) {
    return emitOpError("gives dwrite exactly where there are write weights");
  }
  return checkColumns(*this, "dxbc", getDxbc(), columnsOf(getXbc()));
}

Value SeqLtiScanOp::getRowSource() {
  return getRows();
}

LogicalResult SeqLtiScanOp::verify() {
  return checkLength(*this, "decay", getDecay(), columnsOf(getInput()));
}

Value SeqLtiScanGradOp::getRowSource() {
  return getRows();
}

LogicalResult SeqLtiScanGradOp::verify() {
  if (bool(getWrite()) != bool(getDwrite())) {
    return emitOpError("gives dwrite exactly where there are write weights");
  }
  if (failed(checkColumns(*this, "dinput", getDinput(), columnsOf(getInput()))) ||
      failed(checkColumns(*this, "ddecay_rows", getDdecayRows(), columnsOf(getInput())))) {
    return failure();
  }
  return checkLength(*this, "decay", getDecay(), columnsOf(getInput()));
}
