// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The passes of the compiler. Passes.td says what each does, with a before and an after.

#ifndef CHIMERA_PASSES_PASSES_H
#define CHIMERA_PASSES_PASSES_H

#include "mlir/Pass/Pass.h"

#include <memory>

namespace mlir {
class ModuleOp;
namespace func {
class FuncOp;
} // namespace func
} // namespace mlir

namespace chimera {

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

/// Registers all passes and pipelines with the pass manager's command line.
void registerPasses();

} // namespace chimera

#endif // CHIMERA_PASSES_PASSES_H
