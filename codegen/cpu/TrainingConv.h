// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The causal convolution of whole sequences and its gradients, vectorised over channels. Specs, buffers and formulas
// are those of codegen/ref/TrainingKernels.h with T = f32, and so are the chains of fma: the results have the bits of
// ref but for silu and its slope, which are made of exp of Math.h in f32.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGCONV_H
#define CHIMERA_CODEGEN_CPU_TRAININGCONV_H

#include "codegen/cpu/Isa.h"
#include "codegen/ref/TrainingKernels.h"

namespace chimera::cpu {

/// A block is some channels of a sequence; of the gradient by weights, some channels.
kernel::Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec);
ref::SeqConvGrad getOrEmitGrad(mlir::ModuleOp kernels, const Isa &isa, const ref::SeqConvSpec &spec);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGCONV_H
