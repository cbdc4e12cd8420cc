// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks over rows of f32 by vectors. Sums are kept in 16 lanes on every ISA (two registers where one has 8), so that
// their order, and with it every bit, is the same on all of them.
#ifndef CHIMERA_CODEGEN_CPU_REDUCE_H
#define CHIMERA_CODEGEN_CPU_REDUCE_H

#include "codegen/cpu/Kernels.h"
#include "codegen/kernel/KernelBuilder.h"

namespace chimera::cpu {

using namespace kernel;

/// Lanes of a sum.
inline constexpr int64_t sumLanes = 16;

/// The sum over 0 <= i < count of term(i): lane j takes the elements i mod 16 = j in ascending order, from +0, and the
/// lanes are summed as a tree (reduceSum). `combine` gets a vector of `x`, 16 neighbours, and the sums so far, and
/// returns the next sums; past the end of `x` its result is dropped.
Val sumInLanes(KernelBuilder &k, const Buffer &x, int64_t count, llvm::function_ref<Val(Val x, Val sums)> combine);

/// Covers 0 <= i < count by vectors that start at i: as many of `lanes` as there are, then ever smaller powers of two.
/// For maps of one element to one: nothing outside the range is touched, and no mask is needed.
void forEachVector(KernelBuilder &k, int64_t count, int64_t lanes,
                   llvm::function_ref<void(Val start, int64_t lanes)> body);

/// Channels of a block, for kernels that go through the rows of a sequence with some channels at a time.
inline constexpr int64_t blockChannels = 64;
/// Blocks of that many channels each, the last perhaps of fewer.
int64_t channelBlocks(int64_t channels);
/// Covers block `block` of `channels` by strips of `vectors` vectors of `lanes` channels; what is left of a narrower
/// block, by single vectors that get ever smaller.
void forEachStrip(KernelBuilder &k, int64_t channels, Val block, int64_t lanes, int64_t vectors,
                  llvm::function_ref<void(Val channel, int64_t lanes, int64_t vectors)> body);

/// sqrt(sum / count + eps): what a norm divides by.
Val rootMean(Val sum, int64_t count, double eps);

/// Row `row` of the columns that a view names, of a matrix that is `width` wide if it is no view.
Buffer rowOf(const Buffer &matrix, const View &view, int64_t width, Val row);
/// The view's part of a symbol; nothing if it is all of a matrix of this width.
std::string viewName(const View &view, int64_t width);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_REDUCE_H
