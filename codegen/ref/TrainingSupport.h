// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What several kernels of training share: dot products, walks over sequences, sums over leaves.
#ifndef CHIMERA_CODEGEN_REF_TRAININGSUPPORT_H
#define CHIMERA_CODEGEN_REF_TRAININGSUPPORT_H

#include "codegen/kernel/KernelBuilder.h"

namespace chimera::ref {

using namespace kernel;

/// sum_d a[d] b[d]: one fma for each d, ascending, from +0, in `type`.
Val dot(KernelBuilder &k, const Buffer &a, const Buffer &b, int64_t size, Scalar type);

/// The same of `a` with each of several: they advance side by side, which hides the latency of fma.
llvm::SmallVector<Val> dots(KernelBuilder &k, const Buffer &a, llvm::ArrayRef<Buffer> others, int64_t size,
                            Scalar type);

/// A loop over low .. high-1 in order that carries values and takes several numbers at once: `body` gets the first of
/// `count` of them.
llvm::SmallVector<Val>
foldGroups(KernelBuilder &k, Val low, Val high, llvm::ArrayRef<Val> initial,
           llvm::function_ref<llvm::SmallVector<Val>(Val first, int64_t count, llvm::ArrayRef<Val> carried)> body);

/// The derivative of silu at an f64 x: s + x s (1 - s), s = sigmoid(x).
Val siluSlope(Val x);
/// The derivative of any activation at an f64 x.
Val activationSlope(Activation activation, Val x);

/// The row id of a compact row.
Val rowId(const Rows &rows, Val row);

/// Calls `body` with the compact rows of a sequence, in order.
void forEachRowOf(KernelBuilder &k, const Buffer &start, Val sequence, llvm::function_ref<void(Val row)> body);

/// The number of rows of a sequence whose id is below `id`, by bisection.
Val countBelow(KernelBuilder &k, const Rows &rows, Val sequence, Val id);

/// Stores zeros at begin .. end-1.
void fillZero(KernelBuilder &k, const Buffer &buffer, Val begin, Val end, Scalar type);

/// `width` sums over rows at once (at most `most`), as codegen/ref/TrainingKernels.h orders them. `addSequence` adds
/// the rows of one sequence to `sums`, which start at +0 in every leaf. Returns the sums of all leaves; they hold until
/// the next call of this kernel.
Buffer sumOverLeaves(KernelBuilder &k, const Buffer &leaves, Scalar type, int64_t most, Val width,
                     llvm::function_ref<void(Val sequence, const Buffer &sums)> addSequence);

} // namespace chimera::ref

#endif // CHIMERA_CODEGEN_REF_TRAININGSUPPORT_H
