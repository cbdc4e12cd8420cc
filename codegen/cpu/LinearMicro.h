// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The innermost part of matrix products: a few rows times a panel of weights, in registers.
#ifndef CHIMERA_CODEGEN_CPU_LINEARMICRO_H
#define CHIMERA_CODEGEN_CPU_LINEARMICRO_H

#include "codegen/cpu/Kernels.h"
#include "codegen/kernel/KernelBuilder.h"

namespace chimera::cpu {

/// What kind of rows and weights are multiplied.
struct MicroSpec {
  int64_t lanes;       ///< of a register
  Scalar in;           ///< of rows
  WeightFormat weight; ///< in groups of laneInputs
  int64_t panel;       ///< outputs, a multiple of `lanes`
  bool dot;            ///< pairs of bf16 by vdpbf16ps; else a fma each, widened to f32
};

/// Rows of the greatest register tile.
inline constexpr int64_t microRows = 6;

/// The internal function (x, offsets i64[rows], panel, K, tile f32 [rows][panel], ahead, lines): tile[r][n] += sum_k
/// x[offsets[r] + k] w[n][k], k ascending; 1 <= rows <= microRows. Reads K elements of a row and no more. Meanwhile it
/// asks for the memory from `ahead` on, `lines` cache lines with each step: 2 inputs of F32, 4 of BF16, 32 of quantised
/// weights.
mlir::func::FuncOp emitMicro(mlir::ModuleOp module, const MicroSpec &spec, int64_t rows);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_LINEARMICRO_H
