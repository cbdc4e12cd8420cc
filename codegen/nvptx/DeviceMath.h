// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementary functions for GPU kernels, for the NVPTX backend has none that need no library. Written out in f64 with
// fused multiply-adds only, so that the simulator and every GPU compute the same bits.
#ifndef CHIMERA_CODEGEN_NVPTX_DEVICEMATH_H
#define CHIMERA_CODEGEN_NVPTX_DEVICEMATH_H

#include "codegen/nvptx/GpuBuilder.h"

namespace chimera::nvptx {

/// e^x of an f64 within 1 ulp; infinity above the range, 0 below it, NaN for NaN.
///
/// x = k ln 2 + r with |r| <= ln 2 / 2; the Taylor polynomial of degree 13 in r leaves 5e-18; 2^k in two factors, so
/// that results near both ends of the range are right.
Val exponential(Val x);

/// The natural logarithm of an f64 >= 1 (finite) within 2 ulp; NaN for NaN. Nothing is said about other operands.
///
/// x = 2^e m with m in [sqrt(1/2), sqrt(2)); with f = (m - 1) / (m + 1), ln m = 2 artanh f, whose series up to f^21
/// leaves 2e-18 of it.
Val logarithm(Val x);

} // namespace chimera::nvptx

#endif
