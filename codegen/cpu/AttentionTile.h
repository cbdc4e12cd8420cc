// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The step of the streaming softmax (AttendSpec) that takes one block of entries into several queries at once. Here
// lines are the queries of one key/value head that pass over the same blocks: the heads of its group, for some rows.
#ifndef CHIMERA_CODEGEN_CPU_ATTENTIONTILE_H
#define CHIMERA_CODEGEN_CPU_ATTENTIONTILE_H

#include "codegen/cpu/CacheLayout.h"

namespace chimera::cpu {

/// A row of headSize f32 numbers padded to whole vectors of any ISA: the stride of queries and sums in Lines.
int64_t paddedHead(int64_t headSize);

/// The columns of a head as vectors: `body(column, mask)` for each, the mask null where all lanes are columns.
void forEachColumns(KernelBuilder &k, const Isa &isa, int64_t headSize, llvm::function_ref<void(Val, Val)> body);
/// A vector at `index`; only the lanes of `mask` if it is not null, the others 0.
Val loadColumns(const Buffer &buffer, Val index, int64_t lanes, Val mask);
void storeColumns(const Buffer &buffer, Val index, Val vector, Val mask);

/// The running results of lines: sums [lines][padded], greatest [lines], total [lines]; all f32.
struct LineState {
  Buffer sums, greatest, total;

  static LineState inScratch(KernelBuilder &k, int64_t lines, int64_t headSize);
  /// From and to the operands of an internal function.
  llvm::SmallVector<Val> operands() const { return {sums.base(), greatest.base(), total.base()}; }
  static LineState fromOperands(KernelBuilder &k, unsigned first);
  /// From `line` on.
  LineState at(Val line, int64_t headSize) const;
  /// As before the first entry: sums and totals 0, the greatest -infinity.
  void clear(KernelBuilder &k, const Isa &isa, Val lines, int64_t headSize) const;
};

/// Lines that ascend in both bounds: queries f32 [lines][padded], the first and the last entry attended to, i64.
struct Lines {
  Buffer queries, first, last;

  static Lines inScratch(KernelBuilder &k, int64_t lines, int64_t headSize);
  llvm::SmallVector<Val> operands() const { return {queries.base(), first.base(), last.base()}; }
  static Lines fromOperands(KernelBuilder &k, unsigned first);
  Lines at(Val line, int64_t headSize) const;
};

/// The most lines of a tile: their scores of 64 entries are in registers together.
inline constexpr int64_t tileLines = 6;

// A block goes through lines in three internal functions: scores, their softening, sums. The places of a line in a
// block are those that it attends to: from, and one past the last.

/// Scores f32 [lines][64] of 1 to tileLines lines and at least the places from .. to-1. Operands: queries, keys,
/// weights (any pointer without write weights), scores, from, to (i64), the keys of the next block, whether to prefetch
/// those (i1).
mlir::func::FuncOp scoreTile(mlir::ModuleOp module, const Isa &isa, const AttendSpec &spec, int64_t lines);

/// Turns scores into p, takes them into the lines' greatest and total, and writes the factors f32 [lines] that their
/// sums are due before p v is added. Operands: first and last (of Lines), greatest, total, their count (i64), scores,
/// factors, the block's first entry (i64). A line that attends to none of the block's entries stays as it is; its
/// factor is 1.
mlir::func::FuncOp softenLines(mlir::ModuleOp module, const Isa &isa);

/// sums += p v over the places from .. to-1, ascending, for 1 to tileLines lines. Operands: sums, p [lines][64],
/// values, from, to (i64), the values of the next block, whether to prefetch those (i1).
mlir::func::FuncOp accumulateTile(mlir::ModuleOp module, const Isa &isa, const CacheSpec &cache, int64_t lines);

/// The places of line `line` in the block of entries from `start` on; from >= to if there are none.
std::pair<Val, Val> placesOf(const Lines &lines, Val line, Val start);

/// The greatest of two maxima as the shift of an exp: 0 where everything so far is -infinity.
Val shiftOf(Val greatest);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_ATTENTIONTILE_H
