// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names that ops had before. IR that was printed then is still read: parsing gives the op of today. A former op itself
// is nothing, and its verifier says what it is called now.

#ifndef CHIMERA_DIALECT_IR_FORMER_OPS_H
#define CHIMERA_DIALECT_IR_FORMER_OPS_H

#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"

namespace chimera::ir {

/// `chimera.silu %x`: `chimera.activate <silu>, %x`.
class FormerSiluOp : public mlir::Op<FormerSiluOp, mlir::OpTrait::VariadicOperands, mlir::OpTrait::VariadicResults> {
public:
  using Op::Op;
  static llvm::StringRef getOperationName() { return "chimera.silu"; }
  static llvm::ArrayRef<llvm::StringRef> getAttributeNames() { return {}; }
  static mlir::ParseResult parse(mlir::OpAsmParser &parser, mlir::OperationState &result);
  mlir::LogicalResult verify();
};

/// `chimera.swiglu %gate, %up`: `chimera.glu <silu>, %gate, %up`.
class FormerSwigluOp
    : public mlir::Op<FormerSwigluOp, mlir::OpTrait::VariadicOperands, mlir::OpTrait::VariadicResults> {
public:
  using Op::Op;
  static llvm::StringRef getOperationName() { return "chimera.swiglu"; }
  static llvm::ArrayRef<llvm::StringRef> getAttributeNames() { return {}; }
  static mlir::ParseResult parse(mlir::OpAsmParser &parser, mlir::OperationState &result);
  mlir::LogicalResult verify();
};

} // namespace chimera::ir

#endif // CHIMERA_DIALECT_IR_FORMER_OPS_H
