// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-compile/Stage.h"
#include "mlir/Pass/PassManager.h"
#include "tools/chimera-compile/Diagnostics.h"
#include "tools/chimera-compile/Options.h"

namespace chimera::compile {

llvm::Error runStage(mlir::ModuleOp module, const Options &options, llvm::StringRef stage,
                     llvm::function_ref<void(mlir::OpPassManager &)> addPasses) {
  FirstDiagnostic diagnostics(module.getContext(), options.input);
  mlir::PassManager manager(module.getContext());
  addPasses(manager);
  if (mlir::failed(manager.run(module)))
    return diagnostics.takeError("the compiler failed at the level '" + stage.str() + "'");
  return llvm::Error::success();
}

} // namespace chimera::compile
