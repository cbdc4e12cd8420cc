// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products of training on the `cpu` target. The conventions of codegen/cpu/Kernels.h and of
// codegen/ref/TrainingKernels.h (leaves, hyper) hold; T is f32, U is F32 or BF16.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGPRODUCTS_H
#define CHIMERA_CODEGEN_CPU_TRAININGPRODUCTS_H

#include "codegen/cpu/Kernels.h"

namespace chimera::cpu {

/// Packs a master as LinearSpec wants its weights, since it changes with every step: w f32 [rows, columns] as outputs
/// `rows` and inputs `columns`, or `transposed`: outputs `columns`, inputs `rows`. Numbers are rounded to the layout's
/// format, F32 or BF16, as round_param does. Panels are filled up with zeros or copies of the last output. Buffers: w,
/// packed.
struct PackSpec {
  int64_t rows, columns;
  bool transposed;
  PackedLayout layout;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const PackSpec &spec);
/// The number of f32 that the packed weights take the room of.
int64_t packedWords(const PackSpec &spec);

/// dw[n][k] = sum over rows of dy[i][n] x[i][k], by leaves. A leaf's sum is one chain of fma over its rows, ascending:
/// the bits of the ref kernel; where the ISA multiplies pairs of bf16, one instruction for each pair of rows of the
/// leaf, ascending. Buffers: leaves, start, dy [., outputs] of U, x [., inputs] of U, dw f32 [outputs, inputs].
struct WeightGradSpec {
  int64_t inputs, outputs;
  Scalar operand;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const WeightGradSpec &spec);

/// dtable[v] = sum over the rows i with tokens[i] = v of dx[i], by leaves: the bits of the ref kernel. The first kernel
/// orders the rows by token, the second sums each token's. Buffers of the first: leaves, start (of the batch), tokens
/// i32[N], first i32 [vocab + 2] (the place of each token's first row), order i32[N] (16 row + leaf, ascending for each
/// token). Of the second: leaves, first, order, dx f32 [N, width], dtable f32 [vocab, width].
struct EmbedGradSpec {
  int64_t vocab, width;
};
/// The width at most: sums of a token lie on the stack.
inline constexpr int64_t mostEmbedWidth = 16384;
struct EmbedGrad {
  Kernel order, sum;
};
EmbedGrad getOrEmitGrad(mlir::ModuleOp kernels, const Isa &isa, const EmbedGradSpec &spec);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGPRODUCTS_H
