// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration of the dialect, its attributes, and the linear rule of caches.

#include "dialect/IR/Dialect.h"
#include "dialect/IR/FormerOps.h"
#include "dialect/IR/Ops.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

#include "dialect/IR/ChimeraDialect.cpp.inc"
#include "dialect/IR/ChimeraEnums.cpp.inc"
#include "dialect/IR/ChimeraOpInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/IR/ChimeraAttributes.cpp.inc"

void ChimeraDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/IR/ChimeraAttributes.cpp.inc"
      >();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "dialect/IR/ChimeraOps.cpp.inc"
      >();
  addOperations<FormerSiluOp, FormerSwigluOp>();
}

void chimera::registerDialect(DialectRegistry &registry) {
  registry.insert<ChimeraDialect, func::FuncDialect>();
}

LogicalResult GridAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError, int64_t tokens, int64_t seqs,
                               int64_t outputs, int64_t constant, int64_t divisor) {
  if (tokens < 0 || seqs < 0 || outputs < 0 || constant < 0) {
    return emitError() << "a grid's factors must not be negative";
  }
  if (divisor < 1) {
    return emitError() << "a grid's divisor must be at least 1, got " << divisor;
  }
  return success();
}

/// True if `operand` is consumed by its owner: replaced by a new version, or handed on by a terminator.
static bool isConsumed(OpOperand &operand) {
  if (auto cacheOp = dyn_cast<CacheOpInterface>(operand.getOwner())) {
    return llvm::is_contained(cacheOp.getConsumedCaches(), &operand);
  }
  return true;
}

LogicalResult ir::verifyCacheThreading(Operation *op) {
  for (OpOperand *operand : cast<CacheOpInterface>(op).getConsumedCaches()) {
    for (OpOperand &other : operand->get().getUses()) {
      if (&other == operand) {
        continue;
      }
      Operation *user = other.getOwner();
      if (isConsumed(other)) {
        InFlightDiagnostic diag = op->emitOpError("consumes a cache that has another consuming use (operand #")
                                  << operand->getOperandNumber() << ")";
        diag.attachNote(user->getLoc()) << "the other use is here";
        return diag;
      }
      if (user->getBlock() == op->getBlock() && !user->isBeforeInBlock(op)) {
        InFlightDiagnostic diag = user->emitOpError("reads a cache after it was consumed (operand #")
                                  << other.getOperandNumber() << ")";
        diag.attachNote(op->getLoc()) << "consumed here";
        return diag;
      }
    }
  }
  return success();
}
