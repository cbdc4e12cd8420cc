// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers of what happens inside a mixer.

#include "dialect/IR/Checks.h"
#include "dialect/IR/ModelAttr.h"
#include "dialect/IR/Ops.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

Value RopeOp::getRowSource() {
  return getRows();
}

LogicalResult RopeOp::verify() {
  int64_t width = columnsOf(getInput()), heads = getHeads();
  if (heads < 1 || width % heads != 0) {
    return emitOpError("heads must divide the ") << width << " columns, got " << heads;
  }
  int64_t rotated = 2 * static_cast<int64_t>(getFrequencies().size());
  if (rotated < 2 || rotated > width / heads) {
    return emitOpError("rotates ") << rotated << " dimensions of heads that have " << width / heads;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

Value AttendOp::getRowSource() {
  return getOwn();
}
SmallVector<OpOperand *> AttendOp::getConsumedCaches() {
  return {};
}

LogicalResult AttendOp::verify() {
  if (failed(checkEntries(*this, getKey(), getValue(), getWrite(), getCache().getType())) ||
      failed(checkSoftCap(*this, getSoftCap()))) {
    return failure();
  }
  auto cache = cast<KeyValueTypeInterface>(getCache().getType());
  int64_t width = columnsOf(getQuery());
  if (width < 1 || width % cache.getDim() != 0 || (width / cache.getDim()) % cache.getHeads() != 0) {
    return emitOpError("query must have a multiple of ")
           << cache.getHeads() << " heads of " << cache.getDim() << " columns, got " << width << " columns";
  }
  if (failed(checkAgainstModel(*this, "its number of heads", width / cache.getDim(), "num_attention_heads")) ||
      failed(checkAgainstModel(*this, "its number of key/value heads", cache.getHeads(), "num_key_value_heads")) ||
      failed(checkAgainstModel(*this, "the size of its heads", cache.getDim(), "head_dim")) ||
      failed(checkSameElement(*this, "query", getQuery(), "key", getKey())) ||
      failed(checkColumns(*this, "result", getResult(), width))) {
    return failure();
  }
  return checkAccumulator(*this, "result", getResult(), elementOf(getQuery()));
}

SmallVector<OpOperand *> AppendOp::getConsumedCaches() {
  return cacheOperandsOf(*this);
}

LogicalResult AppendOp::verify() {
  return checkEntries(*this, getKey(), getValue(), getWrite(), getCache().getType());
}

//===----------------------------------------------------------------------===//
// Causal convolution
//===----------------------------------------------------------------------===//

Value CausalConvOp::getRowSource() {
  return getInput();
}
SmallVector<OpOperand *> CausalConvOp::getConsumedCaches() {
  return {};
}

LogicalResult CausalConvOp::verify() {
  return checkConv(*this, getInput(), getWeight(), getBias(), getTail());
}

SmallVector<OpOperand *> ShiftTailOp::getConsumedCaches() {
  return cacheOperandsOf(*this);
}

LogicalResult ShiftTailOp::verify() {
  TailType tail = getTail().getType();
  if (tail.getChannels() != columnsOf(getInput()) || tail.getElement() != elementOf(getInput())) {
    return emitOpError("input ") << getInput().getType() << " does not fit the tail " << tail;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

Value SsmScanOp::getRowSource() {
  return getRows();
}
SmallVector<OpOperand *> SsmScanOp::getConsumedCaches() {
  return cacheOperandsOf(*this);
}

LogicalResult SsmScanOp::verify() {
  StateType state = getState().getType();
  int64_t heads = state.getHeads(), inner = heads * state.getDim(), groups = getGroups();
  if (failed(checkGroups(*this, groups, heads, "heads"))) {
    return failure();
  }
  if (failed(checkColumns(*this, "xbc", getXbc(), inner + 2 * groups * state.getSize())) ||
      failed(checkColumns(*this, "dt", getDt(), heads)) || failed(checkColumns(*this, "result", getResult(), inner)) ||
      failed(checkLength(*this, "a_log", getALog(), heads)) || failed(checkLength(*this, "skip", getSkip(), heads)) ||
      failed(checkLength(*this, "dt_bias", getDtBias(), heads))) {
    return failure();
  }
  for (Value tensor : {getXbc(), getDt(), getALog(), getSkip(), getDtBias(), getResult(), getWrite()}) {
    if (tensor && elementOf(tensor) != state.getElement()) {
      return emitOpError("every tensor must have the state's element type ")
             << state.getElement() << ", got " << tensor.getType();
    }
  }
  if (getDtMin().isNaN() || getDtMax().isNaN() || getDtMin() > getDtMax()) {
    return emitOpError("dt_min must not be above dt_max");
  }
  return success();
}

Value LtiScanOp::getRowSource() {
  return getRows();
}
SmallVector<OpOperand *> LtiScanOp::getConsumedCaches() {
  return cacheOperandsOf(*this);
}

LogicalResult LtiScanOp::verify() {
  StateType state = getState().getType();
  if (state.getHeads() != 1 || state.getDim() != 1) {
    return emitOpError("the state must have one head of dim 1, got ") << state;
  }
  if (failed(checkColumns(*this, "input", getInput(), state.getSize())) ||
      failed(checkLength(*this, "decay", getDecay(), state.getSize()))) {
    return failure();
  }
  if (elementOf(getInput()) != state.getElement() || elementOf(getDecay()) != state.getElement() ||
      (getWrite() && elementOf(getWrite()) != state.getElement())) {
    return emitOpError("every tensor must have the state's element type ") << state.getElement();
  }
  return success();
}

Value GatedNormOp::getRowSource() {
  return getInput();
}

LogicalResult GatedNormOp::verify() {
  int64_t width = columnsOf(getInput()), groups = getGroups();
  if (failed(checkGroups(*this, groups, width, "columns"))) {
    return failure();
  }
  if (failed(checkLength(*this, "weight", getWeight(), width))) {
    return failure();
  }
  return checkPositive(*this, "eps", getEps());
}
