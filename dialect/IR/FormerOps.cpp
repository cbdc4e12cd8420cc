// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/IR/FormerOps.h"

#include "dialect/IR/Ops.h"

using namespace mlir;
using namespace chimera::ir;

/// Operands, attributes and their one type, as the elementwise op `name` of today, whose activation is silu.
static ParseResult parseAsSilu(OpAsmParser &parser, OperationState &result, StringRef name) {
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  Type type;
  if (parser.parseOperandList(operands) || parser.parseOptionalAttrDict(result.attributes) ||
      parser.parseColonType(type) || parser.resolveOperands(operands, type, result.operands)) {
    return failure();
  }
  MLIRContext *context = result.getContext();
  result.name = OperationName(name, context);
  result.addAttribute("activation", ActivationAttr::get(context, Activation::SiLU));
  result.addTypes(type);
  return success();
}

ParseResult FormerSiluOp::parse(OpAsmParser &parser, OperationState &result) {
  return parseAsSilu(parser, result, ActivateOp::getOperationName());
}

LogicalResult FormerSiluOp::verify() {
  return emitOpError("is called ") << ActivateOp::getOperationName() << " now";
}

ParseResult FormerSwigluOp::parse(OpAsmParser &parser, OperationState &result) {
  return parseAsSilu(parser, result, GluOp::getOperationName());
}

LogicalResult FormerSwigluOp::verify() {
  return emitOpError("is called ") << GluOp::getOperationName() << " now";
}
