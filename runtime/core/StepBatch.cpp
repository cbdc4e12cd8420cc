// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/StepBatch.h"

#include <algorithm>

namespace chimera::runtime {

void StepBatch::clear() {
  for (std::vector<int32_t> *array : {&tokens, &rowIndex, &rowSequence, &seqStart, &seqSlot, &outIndex, &outStart})
    array->clear();
  rowPosition.clear();
  forced.clear();
  growth.clear();
}

void StepBatch::allocate(int64_t rows, int64_t seqs, int64_t layers) {
  for (std::vector<int32_t> *array : {&tokens, &rowIndex, &rowSequence, &outIndex})
    array->reserve(size_t(rows));
  for (std::vector<int32_t> *array : {&seqStart, &seqSlot, &outStart})
    array->reserve(size_t(seqs) + 1);
  rowPosition.reserve(size_t(rows));
  forced.reserve(size_t(rows * layers));
  growth.reserve(size_t(seqs));
}

void StepCutter::append(const StepItem &item, int64_t begin, int64_t end, StepBatch &batch) const {
  int32_t sequence = int32_t(batch.seqSlot.size());
  batch.seqSlot.push_back(item.slot);
  batch.growth.push_back({item.slot, end - begin});
  for (int64_t row = begin; row < end; ++row) {
    int32_t index = int32_t(batch.tokens.size());
    batch.tokens.push_back(item.tokens[row]);
    batch.rowIndex.push_back(index);
    batch.rowPosition.push_back(item.position + row);
    batch.rowSequence.push_back(sequence);
    if (item.logits == CHIMERA_LOGITS_ALL || (item.logits == CHIMERA_LOGITS_LAST && row + 1 == item.count))
      batch.outIndex.push_back(index);
  }
  if (item.forced)
    batch.forced.insert(batch.forced.end(), item.forced + begin * layers, item.forced + end * layers);
  else
    batch.forced.insert(batch.forced.end(), size_t((end - begin) * layers), int8_t(-1));
  batch.seqStart.push_back(int32_t(batch.tokens.size()));
  batch.outStart.push_back(int32_t(batch.outIndex.size()));
}

bool StepCutter::next(StepBatch &batch, size_t &first) {
  batch.clear();
  batch.seqStart.push_back(0);
  batch.outStart.push_back(0);
  while (item < items.size() && batch.rows() < maxTokens && batch.seqs() < maxSeqs) {
    int64_t rows = std::min(items[item].count - done, maxTokens - batch.rows());
    if (rows > 0) {
      if (batch.rows() == 0)
        first = item;
      append(items[item], done, done + rows, batch);
      done += rows;
    }
    if (done == items[item].count) {
      ++item;
      done = 0;
    }
  }
  return batch.rows() > 0;
}

} // namespace chimera::runtime
