// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the kernels of attention in training share: their operands, which entries a row attends to, blocks of rows.
#ifndef CHIMERA_CODEGEN_CPU_TRAININGATTENTIONRUN_H
#define CHIMERA_CODEGEN_CPU_TRAININGATTENTIONRUN_H

#include "codegen/cpu/TrainingAttention.h"
#include "codegen/cpu/TrainingAttentionTile.h"

namespace chimera::cpu {

/// What the rows of a tile or a block attend to: the entries low[i] .. high[i]-1 of row i, i32. Both ascend.
struct Spans {
  Buffer low, high;
  Val live; ///< how many rows there are, at least 1

  Val firstEntry() const { return low.load(0); }
  Val lastLow() const { return low.load(live - 1); }
  Val firstHigh() const { return high.load(0); }
  Val endEntry() const { return high.load(live - 1); }
};

/// The launches of a spec have the same buffers up to here, own and key rows in either order.
struct SeqAttention {
  KernelBuilder &k;
  const ref::SeqAttendSpec &spec;
  AttentionTiles tiles;
  Rows own, keyRows;
  Buffer q, keys, values, writes, ownKeys, ownValues;

  SeqAttention(KernelBuilder &k, const Isa &isa, const ref::SeqAttendSpec &spec, bool keysFirst, bool takesOwn);

  int64_t queryStride() const { return spec.heads * spec.headSize; }
  int64_t kvStride() const { return spec.kvHeads * spec.headSize; }
  /// A head's columns from a compact row on, of a matrix of queries or of entries.
  HeadRows queryRows(const Buffer &matrix, Val row, Val head) const {
    return HeadRows{matrix.at(head * spec.headSize), k.integer(queryStride())}.from(row);
  }
  HeadRows entryRows(const Buffer &matrix, Val row, Val kvHead) const {
    return HeadRows{matrix.at(kvHead * spec.headSize), k.integer(kvStride())}.from(row);
  }
  /// Calls `body` with the query heads of a key/value head, ascending.
  void forEachHead(Val kvHead, llvm::function_ref<void(Val head)> body) const;

  /// A task of the grid: a sequence, a key/value head and the tiles of some rows of it that fall to the task.
  struct Task {
    Val sequence, kvHead, split;
  };
  Task taskOf(Val block) const;
  /// Calls `body` with the number in the sequence of the first row of each tile and how many rows it has.
  void forEachTile(const Task &task, const Rows &rows, llvm::function_ref<void(Val first, Val live)> body) const;

  /// The compact row of the first row of a sequence.
  Val firstRow(const Rows &rows, Val sequence) const { return rows.start.load(sequence) - rows.start.load(0); }
  Val countOf(const Rows &rows, Val sequence) const {
    return rows.start.load(sequence + 1) - rows.start.load(sequence);
  }

  /// Fills the spans of `live` own rows of a sequence from its `first` on; of `size` in all, the rest attend to
  /// nothing.
  void findSpans(Val sequence, Val first, Val size, const Spans &spans) const;

  /// The first `count` rows as f32: as they are, or widened into `room` [attentionBlock][headSize].
  HeadRows widened(const HeadRows &rows, Val count, Scalar type, const Buffer &room) const;
  Buffer newRoom(Scalar type) const {
    return type == Scalar::F32 ? Buffer() : k.scratch(Elem::F32, attentionBlock * spec.headSize);
  }
};

std::string symbolOfAttention(const char *name, const ref::SeqAttendSpec &spec);
inline Grid gridOfAttention(const ref::SeqAttendSpec &spec) {
  return {/*tokens=*/0, /*seqs=*/spec.kvHeads * attentionSplits};
}

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_TRAININGATTENTIONRUN_H
