// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The way of neighbouring blocks through lines.
#ifndef CHIMERA_CODEGEN_CPU_ATTENTIONRUN_H
#define CHIMERA_CODEGEN_CPU_ATTENTIONRUN_H

#include "codegen/cpu/AttentionTile.h"

namespace chimera::cpu {

/// The most lines that pass over the blocks together: enough to make up for reading a block, few enough that what they
/// carry stays in the caches beside it.
int64_t mostLines(int64_t headSize);

/// Blocks of a run at most.
inline constexpr int64_t runBlocks = 8;

/// Memory for a block's scores of all lines, or for those of the blocks of a run of a tile of each head; and as many
/// factors.
struct RunScratch {
  Buffer scores, factors;
  static RunScratch make(KernelBuilder &k, int64_t headSize, int64_t heads = 1);
};

/// Takes one block into `count` lines. Prefetches the block `next` if `hasNext`.
void attendBlock(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const RunScratch &scratch,
                 const Lines &lines, const LineState &state, Val count, const CacheBlock &block, Val start,
                 const CacheBlock &next, Val hasNext);

/// Takes the blocks first .. end-1, at most runBlocks, of key/value heads 0 .. heads-1 (as `locate` counts them) into
/// `count` lines of each, those of a head together. A tile of lines, which the memory keeps waiting, takes the keys of
/// all blocks first and then the values of all, with the same bits: so it waits once a run for its scores, not once a
/// block. With several heads, `count` is at most tileLines.
void attendRun(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const RunScratch &scratch, const Lines &lines,
               const LineState &state, Val heads, Val count, Val first, Val end,
               llvm::function_ref<CacheBlock(Val number, Val head)> locate);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_ATTENTIONRUN_H
