// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The ops of the chimera dialect.

#ifndef CHIMERA_DIALECT_IR_OPS_H
#define CHIMERA_DIALECT_IR_OPS_H

#include "dialect/IR/Dialect.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace chimera::ir {

class Adjoints;

/// What an op needs to become tentative: the mode that each row of the batch wants, the batch, and those of its rows
/// that are kept, made when they are first asked for.
struct TentativeRows {
  mlir::Value mode, batch;
  llvm::function_ref<mlir::Value()> kept;
};

/// The trait of ops of which each row is computed alone.
template <typename ConcreteType> class RowLocal : public mlir::OpTrait::TraitBase<ConcreteType, RowLocal> {};

} // namespace chimera::ir

#include "dialect/IR/ChimeraOpInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialect/IR/ChimeraOps.h.inc"

namespace chimera::ir {

/// The modes of a mode array attribute, in order.
llvm::SmallVector<Mode> modesOf(mlir::ArrayAttr modes);

/// A mode array attribute of `modes`.
mlir::ArrayAttr modesAttr(mlir::MLIRContext *context, llvm::ArrayRef<Mode> modes);

/// What a value is a version of: the input that the calls before updated in place; itself, if none did.
mlir::Value firstVersion(mlir::Value value);

/// The `!chimera.rows` value that says which rows a tensor with one entry a row has; null if nothing says so. Follows
/// RaggedOpInterface; a function's or region's block argument has the rows that its signature gives it.
/// A verifier names the op that uses `tensor`: then no op is asked that is not before its user, which may not be
/// verified yet.
mlir::Value rowsOf(mlir::Value tensor, mlir::Operation *user = nullptr);

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_OPS_H
