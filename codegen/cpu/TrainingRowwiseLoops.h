// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the row by row kernels of training share: walks by vectors, sums in lanes, the slope of silu.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGROWWISELOOPS_H
#define CHIMERA_CODEGEN_CPU_TRAININGROWWISELOOPS_H

#include "codegen/cpu/Reduce.h"

namespace chimera::cpu {

/// Covers the elements of the rows [begin, end) that are there, `width` a row, by vectors that start at i; their lanes
/// are a power of two of at most `lanes`. For maps of one element to one.
void forEachElement(KernelBuilder &k, const Buffer &start, int64_t width, int64_t lanes,
                    llvm::function_ref<void(Val i, int64_t lanes)> body);

/// Loads 16 neighbours of a buffer: those at a walk's place; zeros past its end.
using LoadLanes = llvm::function_ref<Val(const Buffer &)>;
/// `sums` sums over 0 <= i < count, each ordered as that of sumInLanes. `combine` gets a way to load 16 neighbours and
/// the sums so far, and returns the next ones; past the end its results are dropped.
llvm::SmallVector<Val>
sumsInLanes(KernelBuilder &k, int64_t count, size_t sums,
            llvm::function_ref<llvm::SmallVector<Val>(LoadLanes load, llvm::ArrayRef<Val> sums)> combine);

/// An activation and its derivative at x.
struct ActivationParts {
  Val value, slope;
};
/// silu: x s and s + (x s) (1 - s), s = sigmoid(x). With u = e^-|x| and r = 1 / (1 + u), s and 1 - s are r and u r or
/// the other way round, so that neither loses digits.
ActivationParts siluParts(Val x);
/// Of any; the tanh form of GELU as silu, with s the sigmoid of the polynomial that Math.h names and its slope times
/// 1 - s.
ActivationParts activationParts(Activation activation, Val x);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGROWWISELOOPS_H
