// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the entries of a key/value cache lie (CacheSpec), and how rows are written into a block of it. All copies move
// words of 32 bits: a pair of bf16 dimensions is one word, so that both operand types have the same shape here.
#ifndef CHIMERA_CODEGEN_CPU_CACHELAYOUT_H
#define CHIMERA_CODEGEN_CPU_CACHELAYOUT_H

#include "codegen/cpu/Kernels.h"
#include "codegen/kernel/KernelBuilder.h"

namespace chimera::cpu {

/// One key/value head of a block of 64 entries, as words: keys [words][64], values [64][words], weights [64] (those of
/// all heads; null without write weights).
struct CacheBlock {
  Buffer keys, values, weights;
};

/// Words of an entry's key at one head.
int64_t wordsOf(const CacheSpec &spec);

/// The head `head` of the block in page `page`.
CacheBlock blockInPage(const CacheSpec &spec, const Buffer &pages, Val page, Val head);

/// A cache's buffers in a kernel.
class CacheBuffers {
public:
  /// Takes the next buffers of the launch.
  CacheBuffers(KernelBuilder &k, const CacheSpec &spec);

  /// Block `number` (entries 64 number and up) of a slot, at a head.
  CacheBlock block(Val slot, Val number, Val head) const;

  Buffer count; ///< Entries written so far: i64[slots].
  Buffer pages; ///< List only, bytes.
  /// List only: the pages of a slot.
  Buffer pagesOf(Val slot) const;

private:
  KernelBuilder &k;
  const CacheSpec &spec;
  Buffer keys, values, weights, table;
};

/// Writes rows into the places low .. high-1 of a block (nothing if low >= high). `keys` and `values` point to the
/// first row, at the block's head; rows lie kvHeads * headSize elements apart. Weights are not written.
void fillBlock(KernelBuilder &k, const Isa &isa, const CacheSpec &spec, const Buffer &keys, const Buffer &values,
               const CacheBlock &block, Val low, Val high);

/// The spec as a piece of a symbol.
std::string nameOf(const CacheSpec &spec);

/// Keeps the optimiser from inlining a function into each of its callers.
void keepCalls(mlir::func::FuncOp function);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_CACHELAYOUT_H
