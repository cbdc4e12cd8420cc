// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The optimizer on the `cpu` target, for f32 masters: what each kernel computes is said by the ref kernel of the same
// name (codegen/ref/TrainingKernels.h), whose buffers, constants and grid it has. What is not here the compiler
// vectorises as it stands in `ref`.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGOPTIMIZER_H
#define CHIMERA_CODEGEN_CPU_TRAININGOPTIMIZER_H

#include "codegen/cpu/Isa.h"
#include "codegen/kernel/Kernel.h"

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace chimera::cpu {

using namespace kernel;

/// The squares of a block are summed in 32 lanes of f64 by fma, element i of the block in lane i mod 32, and the lanes
/// as a tree (reduceSum), on every ISA.
struct SumSquaresSpec {
  int64_t elements;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const SumSquaresSpec &spec);

/// In f64 vectors, the chains of ref, but that the two corrections are multiplied by 1 / c1 and 1 / c2.
struct AdamWSpec {
  int64_t elements;
  bool decays, router;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const AdamWSpec &spec);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGOPTIMIZER_H
