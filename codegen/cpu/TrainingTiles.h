// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the products of training are made of: matrices brought into the layouts of the micro kernels on the way.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGTILES_H
#define CHIMERA_CODEGEN_CPU_TRAININGTILES_H

#include "codegen/cpu/LinearMicro.h"

namespace chimera::cpu {

/// Words of 32 bits that a matrix is read as, one after another along a row.
enum class Words {
  F32,          ///< an f32
  WidenedBF16,  ///< a bf16 as f32
  RoundedF32,   ///< an f32 rounded to bf16, as f32
  RowPairs,     ///< bf16: the same column of rows 2u and 2u + 1
  RoundedRows,  ///< the same of an f32 matrix, rounded
  RoundedPairs, ///< two neighbouring columns of an f32 matrix, rounded to bf16
};
/// Rows and columns that a word is made of.
int64_t rowsOfWord(Words words);
int64_t columnsOfWord(Words words);

/// The internal function (from, stride, rows, columns, to, toStride): word u of column (pair) c of the matrix goes to
/// to[c * toStride + u]. What a pair lacks is 0. A group of `lanes` neighbours of `to` is written whole: behind the
/// last word of a column lies room up to a multiple of them.
mlir::func::FuncOp emitTransposeWords(mlir::ModuleOp module, Words words, int64_t lanes);

/// The internal function (from, stride, rows, columns, to): word u of column c goes to to[u * panel + c]; columns up to
/// `panel` are 0.
mlir::func::FuncOp emitPackWords(mlir::ModuleOp module, Words words, int64_t lanes, int64_t panel);

/// The internal function (x, offsets i64[rows], rows, panel, K, tile f32 [rows][panel]): tile[r][n] += sum_k
/// x[offsets[r] + k] w[n][k], k ascending, for any number of rows.
mlir::func::FuncOp emitAddProduct(mlir::ModuleOp module, const MicroSpec &spec);

/// Writes the first `columns` of `from` to `to`. `all` (a constant) is the width of the matrix that `to` is in: the end
/// of a row needs a mask only if it is no multiple of `lanes`.
void storeColumns(KernelBuilder &k, const Buffer &from, const Buffer &to, Val columns, int64_t all, int64_t lanes);

/// Outputs of a panel for a matrix of so many columns.
int64_t trainingPanel(int64_t lanes, int64_t columns);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGTILES_H
