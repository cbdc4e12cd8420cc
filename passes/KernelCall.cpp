// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One launch of a kernel, put together buffer by buffer.

#include "passes/KernelCall.h"

#include "dialect/IR/Attributes.h"
#include "dialect/IR/Checks.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

kernel::Scalar chimera::scalarOf(Type type) {
  return type.isF64() ? kernel::Scalar::F64 : type.isF32() ? kernel::Scalar::F32 : kernel::Scalar::BF16;
}

kernel::Scalar chimera::scalarOf(Value tensor) {
  return scalarOf(elementOf(tensor));
}

std::vector<int> chimera::modeIndices(ArrayAttr modes) {
  std::vector<int> indices;
  for (Mode mode : modesOf(modes)) {
    indices.push_back(static_cast<int>(mode));
  }
  return indices;
}

KernelCall &KernelCall::start(Value value) {
  starts.push_back({false, inputs.size()});
  return in(value);
}

KernelCall &KernelCall::in(Value value) {
  assert(value && "what a kernel reads is known: checkLaunch has looked");
  buffers.push_back({false, inputs.size()});
  inputs.push_back(value);
  return *this;
}

KernelCall &KernelCall::in(ValueRange values) {
  for (Value value : values) {
    in(value);
  }
  return *this;
}

KernelCall &KernelCall::update(Value value) {
  updated.push_back(static_cast<int64_t>(inputs.size()));
  updatedTypes.push_back(value.getType());
  return in(value);
}

KernelCall &KernelCall::out(Type type) {
  buffers.push_back({true, results.size()});
  results.push_back(type);
  return *this;
}

KernelCall &KernelCall::out(TypeRange types) {
  for (Type type : types) {
    out(type);
  }
  return *this;
}

KernelCall &KernelCall::outStart() {
  starts.push_back({true, results.size()});
  return out(RankedTensorType::get({ShapedType::kDynamic}, rewriter.getI32Type()));
}

KernelCall &KernelCall::constant(int64_t value) {
  constants.push_back(value);
  return *this;
}

ResultRange KernelCall::emit(const kernel::Kernel &kernel) {
  llvm::append_range(results, updatedTypes);
  auto number = [&](std::pair<bool, size_t> buffer) {
    return static_cast<int64_t>(buffer.second + (buffer.first ? inputs.size() : 0));
  };
  auto grid = GridAttr::get(rewriter.getContext(), kernel.grid.tokens, kernel.grid.seqs, kernel.grid.outputs,
                            kernel.grid.constant, kernel.grid.divisor);
  auto call = rewriter.create<CallOp>(
      op->getLoc(), results, FlatSymbolRefAttr::get(rewriter.getContext(), kernel.symbol), inputs, grid,
      rewriter.getStringAttr(op->getName().getStringRef()), rewriter.getI64IntegerAttr(layerOf(op)),
      rewriter.getDenseI64ArrayAttr(llvm::map_to_vector(buffers, number)), rewriter.getDenseI64ArrayAttr(updated),
      rewriter.getDenseI64ArrayAttr(constants), rewriter.getDenseI64ArrayAttr(llvm::map_to_vector(starts, number)));
  return call.getResults();
}
