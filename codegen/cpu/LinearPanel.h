// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Any number of rows times one panel of weights: the part of a matrix product that all shapes of a module share.
#ifndef CHIMERA_CODEGEN_CPU_LINEARPANEL_H
#define CHIMERA_CODEGEN_CPU_LINEARPANEL_H

#include "codegen/cpu/LinearMicro.h"

namespace chimera::cpu {

/// The internal function (x, offsets i64[rows], rows, panel, K, tile f32 [rows][panel]): tile[r][n] = sum_k
/// x[offsets[r]
/// + k] w[n][k], each sum from +0 with k ascending, whatever `rows` is. A panel of I8 is multiplied as it is by few
/// rows; for many it is turned, a part at a time, into the plain format of `in`.
mlir::func::FuncOp emitRowsTimesPanel(mlir::ModuleOp module, const MicroSpec &spec);

/// The internal function (panel, blocks, out): turns so many blocks of scaleGroup inputs of I8 into the plain format of
/// `in`, F32 in groups of 1 or BF16 in groups of 2.
mlir::func::FuncOp emitTurn(mlir::ModuleOp module, const MicroSpec &spec);

/// Bytes of a panel of weights of `inputs` inputs.
int64_t panelBytes(WeightFormat weight, int64_t panel, int64_t inputs);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_LINEARPANEL_H
