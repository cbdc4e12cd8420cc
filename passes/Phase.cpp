// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What passes ask of a phase.

#include "passes/Phase.h"

#include "dialect/IR/Attributes.h"
#include "dialect/IR/Dialect.h"

#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;
using namespace chimera;

FailureOr<StepLimits> chimera::phaseLimits(func::FuncOp phase) {
  std::optional<ir::StepBounds> bounds = ir::stepBoundsOf(phase);
  if (!bounds) {
    return phase.emitOpError("is not a phase: it needs chimera.limits, the most rows and the most sequences of a step");
  }
  return StepLimits{bounds->tokens, bounds->seqs};
}

FailureOr<func::ReturnOp> chimera::phaseReturn(func::FuncOp phase) {
  Operation *last = phase.getBody().hasOneBlock() ? phase.getBody().front().getTerminator() : nullptr;
  if (auto terminator = dyn_cast_or_null<func::ReturnOp>(last)) {
    return terminator;
  }
  return phase.emitOpError("is not a phase: it must have a body of one block, which ends in a return");
}

Value chimera::stepArgument(func::FuncOp phase, StringRef name) {
  for (BlockArgument argument : phase.getArguments()) {
    if (ir::stepNameOf(phase, argument.getArgNumber()) == name) {
      return argument;
    }
  }
  return nullptr;
}

LogicalResult chimera::checkSymbolFree(ModuleOp module, StringRef name) {
  Operation *known = module.lookupSymbol(name);
  if (!known) {
    return success();
  }
  return known->emitError("there is a symbol @") << name << " already, which this pass would add: has it run before?";
}

FailureOr<int64_t> chimera::resultBytes(OpResult result, const StepLimits &limits, bool starts) {
  Operation *op = result.getOwner();
  auto type = cast<RankedTensorType>(result.getType());
  bool open = type.getRank() > 0 && type.isDynamicDim(0);
  ArrayRef<int64_t> inner = type.getShape().drop_front(open ? 1 : 0);
  if (llvm::any_of(inner, ShapedType::isDynamic) || !type.getElementType().isIntOrIndexOrFloat()) {
    return op->emitOpError("result #") << result.getResultNumber()
                                       << " must be of numbers, and of a known size in all but its rows, got " << type;
  }
  std::optional<int64_t> bytes = ir::elementBytes(type.getElementType());
  if (open) {
    std::optional<int64_t> rows = starts ? llvm::checkedAdd<int64_t>(limits.maxSeqs, 1) : limits.maxTokens;
    bytes = rows ? llvm::checkedMul(*bytes, *rows) : std::nullopt;
  }
  for (int64_t size : inner) {
    bytes = bytes ? llvm::checkedMul(*bytes, size) : std::nullopt;
  }
  if (!bytes || *bytes > (int64_t(1) << 50)) {
    return op->emitOpError("result #") << result.getResultNumber() << " is too large at " << limits.maxTokens
                                       << " rows a step";
  }
  return *bytes;
}
