// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products of bf16 on the tile unit (Intel AMX, tdpbf16ps). For each 32 inputs the unit adds the products of the
// even ones and those of the odd ones, two chains of fma over ascending k from +0, and adds their sum to the
// accumulator; subnormals count as 0.
#ifndef CHIMERA_CODEGEN_CPU_AMX_H
#define CHIMERA_CODEGEN_CPU_AMX_H

#include "codegen/cpu/LinearMicro.h"

namespace chimera::cpu {

/// Rows that one call takes at most.
inline constexpr int64_t amxRows = 128;
/// Rows of weights' panels.
inline constexpr int64_t amxPanel = 32;

/// Sets all tiles to 16 rows of 64 bytes; a kernel does so before its first product.
void emitTileConfigure(KernelBuilder &k);
/// Puts the tile unit back into its initial state, as every kernel leaves it.
void emitTileRelease(KernelBuilder &k);

/// The internal function (x, offsets i64[rows], rows, panels, K, sums f32 [count][amxRows][amxPanel], count):
/// sums[p][r][n] = sum_k x[offsets[r] + k] w_p[n][k] for `count` panels that follow each other, of BF16, or of
/// quantised weights, which are turned into bf16 first. Each sum from +0, 32 inputs after the other, whatever `rows`
/// is. Rows of sums beyond `rows` are without meaning.
mlir::func::FuncOp emitRowsTimesPanelsAmx(mlir::ModuleOp module, WeightFormat weight);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_AMX_H
