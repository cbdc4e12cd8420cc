// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementary functions without a C library: each call makes (once a module) an internal function of f64 and calls it.
// An f32 operand is widened first and the result rounded once. Errors are given for f64.
#ifndef CHIMERA_CODEGEN_REF_MATH_H
#define CHIMERA_CODEGEN_REF_MATH_H

#include "codegen/kernel/KernelBuilder.h"

namespace chimera::ref {

using namespace kernel;

/// e^x within 1 ulp; infinity above the range, 0 below it.
Val exp(Val x);
/// The natural logarithm within 2 ulp; -infinity at 0, NaN below.
Val log(Val x);
/// log(1 + e^x) within 2 ulp, without overflow.
Val softplus(Val x);
/// 1 / (1 + e^-x) within 2 ulp.
Val sigmoid(Val x);
/// x sigmoid(x) within 3 ulp.
Val silu(Val x);
/// The activation, which is not None: silu; x sigmoid(v) with v = 2 sqrt(2/pi) (x + 0.044715 x^3), which is the tanh
/// form of GELU; max(x, 0)^2, NaN for NaN.
Val activate(Activation activation, Val x);
/// v and its derivative at an f64 x, which is taken as -32 or 32 beyond them for the derivative.
std::pair<Val, Val> geluArgument(Val x);

struct SinCos {
  Val sine, cosine;
};
/// Sine and cosine of an f64 within 1e-15 (absolute) for |x| < 2^31.
SinCos sinCos(Val x);

} // namespace chimera::ref

#endif // CHIMERA_CODEGEN_REF_MATH_H
