// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operands of matrix products turned, once for many uses, into a format that the multiplying loop takes as it is.
#ifndef CHIMERA_CODEGEN_CPU_LINEARTURN_H
#define CHIMERA_CODEGEN_CPU_LINEARTURN_H

#include "codegen/cpu/LinearMicro.h"

namespace chimera::cpu {

/// The internal function (panel, K, out): turns the first K inputs of a panel of `spec` (quantised or BF16) into the
/// format `to`, F32 in groups of 1 or BF16 (of quantised weights only) in groups of 2. The last group may go beyond K,
/// to a multiple of 32 (quantised) or 2 inputs.
mlir::func::FuncOp emitTurn(mlir::ModuleOp module, const MicroSpec &spec, WeightFormat to);

/// The internal function (x bf16, offsets i64[rows], rows, K, out f32 [rows][stride], stride): the first K inputs of
/// the rows in f32.
mlir::func::FuncOp emitWidenRows(mlir::ModuleOp module, int64_t lanes);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_LINEARTURN_H
