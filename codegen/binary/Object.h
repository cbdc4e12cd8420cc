// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels in the LLVM dialect to x86-64 code, in memory.
#ifndef CHIMERA_CODEGEN_BINARY_OBJECT_H
#define CHIMERA_CODEGEN_BINARY_OBJECT_H

#include "codegen/binary/Variant.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace llvm {
class Module;
} // namespace llvm

namespace mlir {
class DialectRegistry;
class ModuleOp;
} // namespace mlir

namespace chimera::binary {

/// What compileKernels makes: optimised LLVM IR as text, assembly as text, or an ELF relocatable object.
enum class CodeFormat { LLVMIR, Assembly, Object };

/// Registers what a context needs before compileKernels can translate its modules.
void registerKernelTranslation(mlir::DialectRegistry &registry);

/// Compiles `kernels`, a module in the LLVM dialect, for `variant`.
///
/// The functions named in `exported` get their names and `suffix` (visibility protected); every other function becomes
/// internal.
/// The code is freestanding and its arithmetic is the one written: no library call is ever made up (no memset for a
/// loop), nothing is contracted or reassociated, denormals are taken to be flushed as the runtime sets the processor to
/// do. There is no unwind information. Equal input gives equal bytes.
///
/// `stackBytes`, unless null, receives the most bytes of stack that a call of an exported function takes, with all that
/// it calls (0 for LLVM IR, which has no frames yet).
///
/// Errors: an exported name without a definition, a module that is not in the LLVM dialect, a kernel whose use of the
/// stack has no bound, a fault of the backend.
llvm::Expected<std::string> compileKernels(mlir::ModuleOp kernels, llvm::ArrayRef<std::string> exported,
                                           const IsaVariant &variant, CodeFormat format, llvm::StringRef suffix = "",
                                           int64_t *stackBytes = nullptr);

/// How the code of a module is made.
struct CodeOptions {
  /// Added to the names of exported functions.
  llvm::StringRef suffix = "";
  /// Whether the runtime sets the processor to take subnormals as zeros (docs/model-binary.md, "Kernels").
  bool flushesSubnormals = true;
};

/// The same from LLVM IR, which is changed: its context's diagnostic handler too. Its target is set here.
llvm::Expected<std::string> compileModule(llvm::Module &module, llvm::ArrayRef<std::string> exported,
                                          const IsaVariant &variant, CodeFormat format, const CodeOptions &options,
                                          int64_t *stackBytes = nullptr);

/// An ELF relocatable object that holds nothing but `content` in the read-only, allocated section `section`.
llvm::Expected<std::string> dataObject(llvm::StringRef section, llvm::StringRef content);

} // namespace chimera::binary

#endif // CHIMERA_CODEGEN_BINARY_OBJECT_H
