// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_CODEGEN_KERNEL_LOWERING_H
#define CHIMERA_CODEGEN_KERNEL_LOWERING_H

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace chimera::kernel {

/// Adds the passes (on a builtin.module) that take kernels of func, scf, arith, math, vector and llvm to the LLVM
/// dialect alone. Nothing is contracted or reassociated on the way: every rounding in the kernel stays.
void addLoweringPasses(mlir::OpPassManager &manager);

} // namespace chimera::kernel

#endif // CHIMERA_CODEGEN_KERNEL_LOWERING_H
