// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention inside whole sequences and its gradients, vectorised. The spec, the buffers and the mathematics are those
// of codegen/ref/TrainingKernels.h, with T = f32; only the grid and the softmax differ.
//
// Vector lanes are queries (of the gradients by entries: entries), so that nothing is summed across lanes and a mask is
// one of lanes. A tile of two vectors of rows of a sequence, counted from its first own row, meets the rows of the
// other side in blocks of attentionBlock, counted from the first one of the sequence. Every sum is the chain of fma
// that ref has: over the dimensions ascending; over entries ascending, the own entry last; over query heads and for
// each the own rows ascending. exp is that of Math.h, and the forward softmax is streaming (Milakov and Gimelshein
// 2018): a block b of entries brings
//   m' = max(m, max_b s),   l = l e^(m-m') + sum_b e^(s-m'),   o = o e^(m-m') + sum_b e^(s-m') v.
// No result depends on rows that a mask leaves out, nor on the cut of the grid.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGATTENTION_H
#define CHIMERA_CODEGEN_CPU_TRAININGATTENTION_H

#include "codegen/cpu/Isa.h"
#include "codegen/ref/TrainingKernels.h"

namespace chimera::cpu {

/// Tasks that a sequence and a key/value head are cut into: tile t is in task t mod attentionSplits.
inline constexpr int64_t attentionSplits = 4;
/// Rows of a block.
inline constexpr int64_t attentionBlock = 32;

/// Grid: attentionSplits blocks for each sequence and key/value head; of the gradients by weighted entries, for each
/// sequence.
kernel::Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const ref::SeqAttendSpec &spec);
ref::SeqAttendGrad getOrEmitGrad(mlir::ModuleOp kernels, const Isa &isa, const ref::SeqAttendSpec &spec);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGATTENTION_H
