// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel object and a manifest to a model binary: docs/model-binary.md, "The file".
#ifndef CHIMERA_CODEGEN_BINARY_LINK_H
#define CHIMERA_CODEGEN_BINARY_LINK_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace chimera::binary {

struct Manifest;

/// Links an ELF relocatable object and the manifest's text into a freestanding shared object and appends the trailer:
/// the bytes of a model binary. The result depends on the two arguments alone.
///
/// Errors: an undefined symbol, which names the function that a kernel would call; a dependency or an initialiser; a
/// temporary folder that cannot be written.
llvm::Expected<std::string> linkModelBinary(llvm::StringRef object, llvm::StringRef manifestJson);

/// Checks that `elf` is a shared object that needs no library, has no undefined symbol and no initialisers.
llvm::Error checkFreestanding(llvm::StringRef elf);

/// The trailer for an ELF part: magic, length, XXH3-128.
std::string trailer(llvm::StringRef elf);

/// The whole way from kernels (a module in the LLVM dialect) and their manifest to the bytes of a model binary, for the
/// variant that the manifest names. The manifest's `features` must be that variant's.
llvm::Expected<std::string> modelBinary(mlir::ModuleOp kernels, const Manifest &manifest);

} // namespace chimera::binary

#endif // CHIMERA_CODEGEN_BINARY_LINK_H
