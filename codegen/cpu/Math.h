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
/// x/2 (1 + tanh(v / 2)) as x / (1 + e^-v), v = x (gelu2 + gelu2Cubic x^2), in the same way: the tanh form of GELU.
Val geluTanh(Val x);
/// max(x, 0)^2; NaN for NaN.
Val relu2(Val x);
/// The activation, which is not None.
Val activate(Activation activation, Val x);

/// 2 sqrt(2 / pi), and 0.044715 times that: what the sigmoid in the tanh form of GELU is taken of is a polynomial in x
/// with these coefficients.
inline constexpr double gelu2 = 1.5957691216057307, gelu2Cubic = 0.07135481627260025;

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_MATH_H
