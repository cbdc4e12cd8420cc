// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_CODEGEN_REF_LOWERING_H
#define CHIMERA_CODEGEN_REF_LOWERING_H

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace chimera::ref {

/// Adds the passes (on a builtin.module) that take kernels of func, scf, arith, math and llvm to the LLVM dialect
/// alone. Nothing is contracted or reassociated on the way: every rounding in the kernel stays.
void addRefLoweringPasses(mlir::OpPassManager &manager);

} // namespace chimera::ref

#endif // CHIMERA_CODEGEN_REF_LOWERING_H
