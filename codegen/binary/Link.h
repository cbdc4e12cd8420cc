// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernel objects and a manifest to a model binary: docs/model-binary.md, "The file".
#ifndef CHIMERA_CODEGEN_BINARY_LINK_H
#define CHIMERA_CODEGEN_BINARY_LINK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace chimera::binary {

struct Manifest;

/// Links ELF relocatable objects, one a variant, and the manifest's text into a freestanding shared object and appends
/// the trailer: the bytes of a model binary. The result depends on the two arguments alone.
///
/// Errors: an undefined symbol, which names the function that a kernel would call; a dependency or an initialiser; a
/// kernel that two objects define; memory that the system does not give. No file is written.
llvm::Expected<std::string> linkModelBinary(llvm::ArrayRef<std::string> objects, llvm::StringRef manifestJson);

/// Checks that `elf` is a shared object that needs no library, has no undefined symbol and no initialisers.
llvm::Error checkFreestanding(llvm::StringRef elf);

/// The trailer for an ELF part: magic, length, XXH3-128.
std::string trailer(llvm::StringRef elf);

/// The whole way from kernels (a module in the LLVM dialect) and their manifest to the bytes of a model binary, for the
/// one variant of the manifest. Its `features` must be those that isaVariant has for its name.
llvm::Expected<std::string> modelBinary(mlir::ModuleOp kernels, const Manifest &manifest);

} // namespace chimera::binary

#endif // CHIMERA_CODEGEN_BINARY_LINK_H
