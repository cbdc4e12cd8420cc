// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hand-written kernels in the LLVM dialect, for the tests of the binary writer.
#ifndef CHIMERA_TEST_CODEGENBINARY_KERNELS_H
#define CHIMERA_TEST_CODEGENBINARY_KERNELS_H

#include "codegen/binary/Object.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

namespace chimera::test {

/// buffers[1][i] = buffers[0][i] * buffers[0][i] + 1, product rounded before the sum, for i in begin .. end-1, f32;
/// `unused` is not in any launch table.
inline constexpr llvm::StringLiteral squareKernel = R"mlir(
llvm.func @square(%buffers: !llvm.ptr, %args: !llvm.ptr, %begin: i64, %end: i64) {
  %p1 = llvm.getelementptr %buffers[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %in = llvm.load %buffers : !llvm.ptr -> !llvm.ptr
  %out = llvm.load %p1 : !llvm.ptr -> !llvm.ptr
  llvm.br ^head(%begin : i64)
^head(%i: i64):
  %more = llvm.icmp "slt" %i, %end : i64
  llvm.cond_br %more, ^body, ^done
^body:
  %src = llvm.getelementptr %in[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %dst = llvm.getelementptr %out[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %x = llvm.load %src : !llvm.ptr -> f32
  %y = llvm.call @squareOf(%x) : (f32) -> f32
  llvm.store %y, %dst : f32, !llvm.ptr
  %one = llvm.mlir.constant(1 : i64) : i64
  %next = llvm.add %i, %one : i64
  llvm.br ^head(%next : i64)
^done:
  llvm.return
}
llvm.func @squareOf(%x: f32) -> f32 {
  %one = llvm.mlir.constant(1.0 : f32) : f32
  %xx = llvm.fmul %x, %x : f32
  %y = llvm.fadd %xx, %one : f32
  llvm.return %y : f32
}
llvm.func @unused() {
  llvm.return
}
)mlir";

/// Sets bytes begin .. end-1 of buffers[0] to zero and copies them from buffers[1] to buffers[2]: loops that a compiler
/// likes to turn into memset and memcpy.
inline constexpr llvm::StringLiteral clearAndCopyKernel = R"mlir(
llvm.func @clear_and_copy(%buffers: !llvm.ptr, %args: !llvm.ptr, %begin: i64, %end: i64) {
  %one = llvm.mlir.constant(1 : i64) : i64
  %zero = llvm.mlir.constant(0 : i8) : i8
  %p1 = llvm.getelementptr %buffers[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %p2 = llvm.getelementptr %buffers[2] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %cleared = llvm.load %buffers : !llvm.ptr -> !llvm.ptr
  %from = llvm.load %p1 : !llvm.ptr -> !llvm.ptr
  %to = llvm.load %p2 : !llvm.ptr -> !llvm.ptr
  llvm.br ^clear(%begin : i64)
^clear(%i: i64):
  %clearMore = llvm.icmp "slt" %i, %end : i64
  llvm.cond_br %clearMore, ^clearBody, ^copy(%begin : i64)
^clearBody:
  %c = llvm.getelementptr %cleared[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i8
  llvm.store %zero, %c : i8, !llvm.ptr
  %clearNext = llvm.add %i, %one : i64
  llvm.br ^clear(%clearNext : i64)
^copy(%j: i64):
  %copyMore = llvm.icmp "slt" %j, %end : i64
  llvm.cond_br %copyMore, ^copyBody, ^done
^copyBody:
  %f = llvm.getelementptr %from[%j] : (!llvm.ptr, i64) -> !llvm.ptr, i8
  %t = llvm.getelementptr %to[%j] : (!llvm.ptr, i64) -> !llvm.ptr, i8
  %v = llvm.load %f : !llvm.ptr -> i8
  llvm.store %v, %t : i8, !llvm.ptr
  %copyNext = llvm.add %j, %one : i64
  llvm.br ^copy(%copyNext : i64)
^done:
  llvm.return
}
)mlir";

/// A kernel that cannot be freestanding: the exponential intrinsic becomes a call of expf.
inline constexpr llvm::StringLiteral exponentialKernel = R"mlir(
llvm.func @exponential(%buffers: !llvm.ptr, %args: !llvm.ptr, %begin: i64, %end: i64) {
  %x = llvm.load %buffers : !llvm.ptr -> f32
  %y = llvm.intr.exp(%x) : (f32) -> f32
  llvm.store %y, %buffers : f32, !llvm.ptr
  llvm.return
}
)mlir";

/// A context that can parse and translate kernels.
class KernelContext {
public:
  KernelContext() {
    mlir::DialectRegistry registry;
    registry.insert<mlir::LLVM::LLVMDialect>();
    binary::registerKernelTranslation(registry);
    context.appendDialectRegistry(registry);
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(llvm::StringRef text) {
    return mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }

private:
  mlir::MLIRContext context;
};

/// compileKernels with the default variant.
inline llvm::Expected<std::string> compile(mlir::ModuleOp kernels, llvm::ArrayRef<std::string> exported,
                                           binary::CodeFormat format) {
  auto variant = binary::isaVariant("x86-64-v3");
  if (!variant)
    return variant.takeError();
  return binary::compileKernels(kernels, exported, *variant, format);
}

/// The message of an error, or "" without one; takes the error.
inline std::string messageOf(llvm::Error error) {
  return error ? llvm::toString(std::move(error)) : std::string();
}

} // namespace chimera::test

#endif // CHIMERA_TEST_CODEGENBINARY_KERNELS_H
