// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// chimera-opt: reads IR, runs passes or a pipeline, writes IR. The chimera dialect and passes beside all of MLIR's.
#include "dialect/IR/Dialect.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/Passes.h"

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  chimera::registerPasses();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  chimera::registerDialect(registry);
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "chimera-opt: the modular optimizer driver\n", registry));
}
