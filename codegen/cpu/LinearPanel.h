// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Any number of rows times one panel of weights: the part of a matrix product that all shapes of a module share.
#ifndef CHIMERA_CODEGEN_CPU_LINEARPANEL_H
#define CHIMERA_CODEGEN_CPU_LINEARPANEL_H

#include "codegen/cpu/LinearMicro.h"

namespace chimera::cpu {

/// Rows that one call takes at most; a multiple of microRows.
inline constexpr int64_t panelRows = 96;

/// The internal function (x, offsets i64[rows], rows, panel, K, tile f32 [rows][panel]): tile[r][n] = sum_k
/// x[offsets[r] + k] w[n][k], each sum from +0 with k ascending, whatever `rows` is. Quantised weights and operands of
/// bf16 are multiplied as they are by few rows; for many they are turned, a part at a time, into what is multiplied
/// faster.
mlir::func::FuncOp emitRowsTimesPanel(mlir::ModuleOp module, const MicroSpec &spec);

/// Bytes of a panel of weights of `inputs` inputs.
int64_t panelBytes(WeightFormat weight, int64_t panel, int64_t inputs);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_LINEARPANEL_H
