// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums over rows by leaves (codegen/ref/TrainingKernels.h), of which few are held at once.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGLEAVES_H
#define CHIMERA_CODEGEN_CPU_TRAININGLEAVES_H

#include "codegen/kernel/KernelBuilder.h"

namespace chimera::cpu {

using namespace kernel;

/// Sums that are open at once at most: one for each level of the tree.
inline constexpr int64_t leafLevels = 5;

/// Calls `addLeaf` for each of `count` leaves (a power of two) with its sums, which are +0; adds neighbouring leaves as
/// soon as both are there. `sums` has room for leafLevels times `size` f32, a multiple of `lanes`; the sums of all
/// leaves end in its first `size`.
void sumByLeaves(KernelBuilder &k, Val count, const Buffer &sums, int64_t size, int64_t lanes,
                 llvm::function_ref<void(Val leaf, const Buffer &ofLeaf)> addLeaf);

/// The same over the rows of a rows value: `addRows` gets a leaf's first compact row and the row past its last.
void sumByLeaves(KernelBuilder &k, const Buffer &leaves, const Buffer &start, const Buffer &sums, int64_t size,
                 int64_t lanes, llvm::function_ref<void(Val first, Val last, const Buffer &ofLeaf)> addRows);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGLEAVES_H
