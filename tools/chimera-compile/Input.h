// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From what the command line names to a module at the model level.
#ifndef CHIMERA_TOOLS_CHIMERACOMPILE_INPUT_H
#define CHIMERA_TOOLS_CHIMERACOMPILE_INPUT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace chimera::compile {

struct Options;

/// Reads options.input: a model directory (its config.json), a .json file (a config) or a .mlir file (IR at the model
/// level, as text). Of the standard input, and of a pipe or device, which have no telling name, the content decides
/// which of the two texts it is. The result is verified. Errors are one line: no such file, a config that is wrong, IR
/// that does not parse or verify, IR of another dtype than options.dtype.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> loadModel(mlir::MLIRContext &context, const Options &options);

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERACOMPILE_INPUT_H
