// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The work of one step, cut from what a caller asked for.
#ifndef CHIMERA_RUNTIME_CORE_STEPBATCH_H
#define CHIMERA_RUNTIME_CORE_STEPBATCH_H

#include "runtime/cache/Cache.h"
#include "runtime/core/Manifest.h"

#include <cstdint>
#include <vector>

namespace chimera::runtime {

/// A caller's work for one sequence, checked.
struct StepItem {
  int64_t sequence = 0; ///< The caller's name for it.
  int32_t slot = 0;
  int64_t position = 0; ///< Of its first token.
  const int32_t *tokens = nullptr;
  int64_t count = 0;
  const int8_t *forced = nullptr; ///< [count][layers], or null: all -1.
  chimera_logits logits = CHIMERA_LOGITS_NONE;

  /// The rows whose logits are wanted.
  int64_t wanted() const {
    return logits == CHIMERA_LOGITS_ALL ? count : logits == CHIMERA_LOGITS_LAST && count > 0 ? 1 : 0;
  }
};

/// The step buffers of docs/model-binary.md for one step, on the host.
struct StepBatch {
  std::vector<int32_t> tokens, rowIndex, rowSequence, seqStart, seqSlot, outIndex, outStart;
  std::vector<int64_t> rowPosition;
  std::vector<int8_t> forced;
  std::vector<Growth> growth; ///< One a sequence.

  int64_t rows() const { return int64_t(tokens.size()); }
  int64_t seqs() const { return int64_t(seqSlot.size()); }
  int64_t outputs() const { return int64_t(outIndex.size()); }

  void clear();
  /// Room for a step, so that filling it allocates nothing.
  void allocate(int64_t rows, int64_t seqs, int64_t layers);
};

/// Cuts items, in their order, into steps within a phase's limits: rows of one sequence stay in order, and only the
/// last sequence of a step goes on in the next.
class StepCutter {
public:
  StepCutter(const std::vector<StepItem> &items, int64_t maxTokens, int64_t maxSeqs, int64_t layers)
      : items(items), maxTokens(maxTokens), maxSeqs(maxSeqs), layers(layers) {}

  /// Fills the next step; false when there is none. `first` receives the index of its first item.
  bool next(StepBatch &batch, size_t &first);

private:
  void append(const StepItem &item, int64_t begin, int64_t end, StepBatch &batch) const;

  const std::vector<StepItem> &items;
  int64_t maxTokens, maxSeqs, layers;
  size_t item = 0;
  int64_t done = 0; ///< Rows of `item` that are cut already.
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_STEPBATCH_H
