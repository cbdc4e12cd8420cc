// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the scans of whole sequences and their gradients share.
#ifndef CHIMERA_CODEGEN_REF_TRAININGSCANSUPPORT_H
#define CHIMERA_CODEGEN_REF_TRAININGSCANSUPPORT_H

#include "codegen/ref/Math.h"
#include "codegen/ref/TrainingKernels.h"
#include "codegen/ref/TrainingSupport.h"

namespace chimera::ref {

/// The operands of a Mamba-2 scan and their columns.
struct SsmOperands {
  KernelBuilder &k;
  const SeqSsmScanSpec &spec;
  Rows rows;
  Buffer xbc, dt, logRates, skips, dtBiases, writes, modes, states;

  /// Takes the buffers up to `states`.
  SsmOperands(KernelBuilder &k, const SeqSsmScanSpec &spec);

  int64_t inner() const { return spec.heads * spec.headSize; }
  int64_t width() const { return inner() + 2 * spec.groups * spec.stateSize; }
  /// The first columns of a head's x, B and C in a row of xbc.
  Val xColumn(Val head) const { return head * spec.headSize; }
  Val bColumn(Val head) const { return head * spec.groups / spec.heads * spec.stateSize + inner(); }
  Val cColumn(Val head) const { return bColumn(head) + spec.groups * spec.stateSize; }

  /// -exp(A_log) of a head.
  Val rate(Val head) const { return -exp(logRates.load(head)); }

  /// The step size of a row and what it is made of.
  struct Step {
    Val input;    ///< dt + dt_bias
    Val softened; ///< its softplus, before the clamp
    Val weight;   ///< exp(write); only if weighted
    Val size;
  };
  Step stepAt(Val row, Val head) const;

  /// Whether a row's state is kept; only if masked.
  Val isKept(Val row) const { return modes.load(rowId(rows, row)) == k.argument(4); }

  /// The kept state [heads][headSize][stateSize] before the row that is number 32 c (c >= 1) of a sequence.
  Buffer stateBefore(Val row) const { return states.at((row / ir::scanBlockRows - 1) * (inner() * spec.stateSize)); }
};

/// A part of a head's state [headSize][stateSize]: dimensions p .. p+dims-1, their elements n .. n+elements-1.
struct StateStrip {
  Val p, dims, n, elements;
};

/// The sizes of the strips that a kernel has in its frame at once. No bit depends on the number of dimensions.
struct StripSizes {
  int64_t dims, elements;
};
/// At most `mostElements` of one dimension; several dimensions have stripElements at most. A GPU has to keep a frame
/// for each thread that could run on it at once: a kilobyte of one may be a quarter of a gigabyte.
StripSizes stripSizes(const SeqSsmScanSpec &spec, int64_t mostElements);
inline constexpr int64_t frameElements = 16384, stripElements = 2048;

/// Calls `body` with all strips of a head; those of higher elements come later.
void forEachStrip(KernelBuilder &k, const SeqSsmScanSpec &spec, StripSizes sizes,
                  llvm::function_ref<void(const StateStrip &)> body);

/// A piece of a symbol: what the kernels of a spec differ by.
std::string nameOfScan(const SeqSsmScanSpec &spec);

} // namespace chimera::ref

#endif // CHIMERA_CODEGEN_REF_TRAININGSCANSUPPORT_H
