// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activation functions of f32 and vectors of f32, inline, the same bits in every lane and at every vector width.
#ifndef CHIMERA_CODEGEN_CPU_ACTIVATION_H
#define CHIMERA_CODEGEN_CPU_ACTIVATION_H

#include "codegen/kernel/KernelBuilder.h"

namespace chimera::cpu {

using namespace kernel;

/// x sigmoid(x) as x / (1 + e^-x): the sum and the quotient rounded, e^-x by exp of Math.h. NaN for NaN and -infinity;
/// -0 where e^-x overflows.
Val silu(Val x);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_ACTIVATION_H
