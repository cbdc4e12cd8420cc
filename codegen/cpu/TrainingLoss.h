// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loss on the `cpu` target, without a matrix of logits: they are computed a tile at a time, once forward and once
// backward. The conventions of codegen/cpu/Kernels.h and codegen/ref/TrainingKernels.h hold.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGLOSS_H
#define CHIMERA_CODEGEN_CPU_TRAININGLOSS_H

#include "codegen/cpu/Kernels.h"

namespace chimera::cpu {

/// As the ref kernel. Logits are those of LinearSpec, capped by Math.h; the greatest and the sum of exponentials are
/// taken panel by panel of the vocabulary (Milakov and Gimelshein 2018), the exponentials in f32, their sum over panels
/// in f64. Buffers: rows, targets, x [., inputs] of U, weights packed as lossLayout says, lse f32[.], scores f64 [.,
/// 2].
struct CrossEntropySpec {
  int64_t inputs, vocab;
  Scalar operand;
  std::optional<double> softCap = std::nullopt;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const CrossEntropySpec &spec);
PackedLayout lossLayout(const Isa &isa, const CrossEntropySpec &spec);

/// Both gradients, from logits that are computed again. g_v = (exp(l_v - lse) - [v = target]) scale in f32, times 1 -
/// (l_v / cap)^2 with a cap, rounded to U. The vocabulary is cut into groups, by its size alone; a block of the first
/// kernel is a group: it has its rows of
///   dw[v] = sum over rows of g_v x[i], by leaves, each leaf one chain of fma over its rows,
/// and its part of dx, one chain of fma over its v, ascending. The second adds the groups' parts in order. Where the
/// ISA multiplies pairs of bf16, a chain is one instruction for each pair of rows of the leaf, or of words.
/// Buffers of the first: leaves, rows, targets, hyper, x [., inputs] of U, w f32 [vocab, inputs] (rounded on the way if
/// U is BF16), lse f32[.], dw f32 [vocab, inputs], parts f32 [., lossParts(...)]. Of the second: start, parts, dx f32
/// [., inputs].
struct CrossEntropyGradSpec {
  int64_t inputs, vocab;
  Scalar operand;
  std::optional<double> softCap = std::nullopt;
};
/// Inputs at most: sums of some words lie on the stack.
inline constexpr int64_t mostLossInputs = 4096;
struct CrossEntropyGrad {
  Kernel gradients, sum;
};
CrossEntropyGrad getOrEmitGrad(mlir::ModuleOp kernels, const Isa &isa, const CrossEntropyGradSpec &spec);
/// Elements a row of the parts of dx.
int64_t lossParts(const Isa &isa, const CrossEntropyGradSpec &spec);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGLOSS_H
