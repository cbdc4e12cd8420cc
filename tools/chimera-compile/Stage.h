// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One stage of a compilation.
#ifndef CHIMERA_TOOLS_CHIMERACOMPILE_STAGE_H
#define CHIMERA_TOOLS_CHIMERACOMPILE_STAGE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace chimera::compile {

struct Options;

/// Runs passes on the module; a failure is their first diagnostic. `stage` is the level that they lead to.
llvm::Error runStage(mlir::ModuleOp module, const Options &options, llvm::StringRef stage,
                     llvm::function_ref<void(mlir::OpPassManager &)> addPasses);

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERACOMPILE_STAGE_H
