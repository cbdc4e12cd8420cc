// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementary functions of f32 and vectors of f32, inline: polynomials evaluated with fma, no table, no branch, the same
// bits in every lane and at every vector width. Results below the least normal number may be 0.
#ifndef CHIMERA_CODEGEN_CPU_MATH_H
#define CHIMERA_CODEGEN_CPU_MATH_H

#include "codegen/kernel/KernelBuilder.h"

namespace chimera::cpu {

using namespace kernel;

/// e^x within 2 ulp; 0 at -infinity and below the range, infinity above it, NaN for NaN.
Val exp(Val x);
/// log(1 + e^x) within 3 ulp, without overflow; 0 at -infinity, NaN for NaN.
Val softplus(Val x);
/// 1 / (1 + e^-x) within 3 ulp; 0 and 1 at the infinities, NaN for NaN.
Val sigmoid(Val x);

/// x sigmoid(x) as x / (1 + e^-x): the sum and the quotient rounded, e^-x by exp of Math.h. NaN for NaN and -infinity;
/// -0 where e^-x overflows.
Val silu(Val x);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_MATH_H
