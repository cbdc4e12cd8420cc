// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What passes ask of ops and types without knowing them.

#ifndef CHIMERA_DIALECT_IR_INTERFACES_TD
#define CHIMERA_DIALECT_IR_INTERFACES_TD

include "mlir/IR/OpBase.td"

def CacheTypeInterface : TypeInterface<"CacheTypeInterface"> {
  let description = "A part of the multi-mode cache that is carried from step to step.";
  let cppNamespace = "::chimera::ir";
  let methods = [
    InterfaceMethod<"The kind's name in a manifest: counts, tail, state, ring, list.",
                    "::llvm::StringRef", "getKind">,
    InterfaceMethod<"The slot pools it takes, in the order in which kernels get them, as (name, bytes a slot).",
                    "::llvm::SmallVector<::chimera::ir::PoolInfo>", "getPools">
  ];
}

def KeyValueTypeInterface : TypeInterface<"KeyValueTypeInterface"> {
  let description = "A cache of keys and values that attention reads.";
  let cppNamespace = "::chimera::ir";
  let methods = [
    InterfaceMethod<"Key/value heads.", "int64_t", "getHeads">,
    InterfaceMethod<"Elements of a head.", "int64_t", "getDim">,
    InterfaceMethod<"Element type of keys and values.", "::mlir::Type", "getElement">,
    InterfaceMethod<"Type of the write weights, or none.", "::mlir::Type", "getWeights">
  ];
}

def RaggedOpInterface : OpInterface<"RaggedOpInterface"> {
  let description = [{
    An op whose tensor results have one entry a row. `getRowSource` says of which rows: it returns a `!chimera.rows` value, or
    a tensor operand whose rows the result shares.
  }];
  let cppNamespace = "::chimera::ir";
  let methods = [
    InterfaceMethod<"Where the rows of the results come from.", "::mlir::Value", "getRowSource">,
    InterfaceMethod<"The same of one result, where results differ.", "::mlir::Value", "getRowSourceOf",
                    (ins "unsigned":$result), "", "return $_op.getRowSource();">
  ];
}

def CacheOpInterface : OpInterface<"CacheOpInterface"> {
  let description = [{
    An op that uses caches. Operands in `getConsumedCaches` are replaced by new versions; all other cache operands are only read. The
    interface's verifier enforces the linear rule: one consuming use a version, and every read before it.
  }];
  let cppNamespace = "::chimera::ir";
  let methods = [
    InterfaceMethod<"The cache operands that this op consumes.", "::llvm::SmallVector<::mlir::OpOperand *>",
                    "getConsumedCaches">
  ];
  let verify = [{ return ::chimera::ir::verifyCacheThreading($_op); }];
}

def LooksBackOpInterface : OpInterface<"LooksBackOpInterface"> {
  let description = [{
    An op of which a row looks back on other rows of its sequence. Every other op with one entry a row has the trait `RowLocal`.

    Soft routing computes all rows by every mode, but a mode keeps only some of them. An op that looks back must then become
    *tentative*: each row sees what was kept before it, and itself as if it had been kept.
  }];
  let cppNamespace = "::chimera::ir";
  let methods = [
    InterfaceMethod<"Makes the op tentative, in place or by others in its place; the rewriter is where it is. An op that has no such form fails with a diagnostic.",
                    "::llvm::LogicalResult", "makeTentative",
                    (ins "::mlir::RewriterBase &":$rewriter, "const ::chimera::ir::TentativeRows &":$rows), "",
                    [{ return $_op.emitOpError("looks back on other rows, and has no form for rows that are not kept"); }]>
  ];
}

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let description = [{
    An op that has a vector-Jacobian product: given the gradients of the loss by its results, it builds the ops that make those by
    its operands. It may use its operands and results, which are kept, or computed again, for it.
  }];
  let cppNamespace = "::chimera::ir";
  let methods = [
    InterfaceMethod<"Builds the gradients by the operands and adds them to `adjoints`.", "void", "buildGradient",
                    (ins "::mlir::OpBuilder &":$builder, "::chimera::ir::Adjoints &":$adjoints)>
  ];
}

#endif // CHIMERA_DIALECT_IR_INTERFACES_TD
