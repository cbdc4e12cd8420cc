// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/RunBatch.h"

namespace chimera::train {

void RunBatch::clear() {
  step.clear();
  step.seqStart.push_back(0);
  step.outStart.push_back(0);
  targets.clear();
  noise.clear();
  leaves.fill(0);
}

void RunBatch::beginLeaf() {
  leaves[size_t(1 + leaves[0]++)] = int32_t(step.seqs());
}

void RunBatch::add(const int32_t *tokens, const int32_t *wanted, int64_t length, int64_t layers) {
  int32_t sequence = int32_t(step.seqs());
  step.seqSlot.push_back(sequence);
  for (int64_t position = 0; position < length; ++position) {
    int32_t row = int32_t(step.tokens.size());
    step.tokens.push_back(tokens[position]);
    step.rowIndex.push_back(row);
    step.rowPosition.push_back(position);
    step.rowSequence.push_back(sequence);
    targets.push_back(wanted[position]);
    if (wanted[position] >= 0)
      step.outIndex.push_back(row);
  }
  step.forced.insert(step.forced.end(), size_t(length * layers), int8_t(-1));
  step.seqStart.push_back(int32_t(step.tokens.size()));
  step.outStart.push_back(int32_t(step.outIndex.size()));
}

void RunBatch::finish() {
  leaves[size_t(1 + leaves[0])] = int32_t(step.seqs());
}

} // namespace chimera::train
