// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The manifest of a planned module.
#ifndef CHIMERA_CODEGEN_BINARY_FROMIR_H
#define CHIMERA_CODEGEN_BINARY_FROMIR_H

#include "codegen/binary/Manifest.h"

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace chimera::binary {

/// The manifest of `module`, in which chimera-plan-arena has made the programs: its attributes chimera.model,
/// chimera.parameters and chimera.caches, and one variant, with the packed weights of chimera.packed (absent: none) and
/// one phase a chimera.program. A launch has the threads of its kernel, if that is a GPU kernel in the module @kernels.
/// Target and numerics, and the variant's name and features, are the caller's to fill in.
///
/// Errors: an attribute that is missing or not of the form that the dialect documents.
llvm::Expected<Manifest> manifestFromIR(mlir::ModuleOp module);

} // namespace chimera::binary

#endif // CHIMERA_CODEGEN_BINARY_FROMIR_H
