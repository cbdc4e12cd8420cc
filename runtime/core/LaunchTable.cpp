// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/LaunchTable.h"

#include <algorithm>

namespace chimera::runtime {

void LaunchTable::bind(const Device &device, const Phase &phase, std::vector<chimera_kernel> found,
                       const std::function<void *(const Buffer &)> &resolve) {
  *this = LaunchTable();
  program = &phase;
  kernels = std::move(found);
  for (const Launch &launch : phase.launches) {
    firstWord.push_back(words.size());
    const void *counting = nullptr;
    for (const Buffer &buffer : launch.buffers) {
      if (buffer.kind == Buffer::Kind::Table)
        tables.push_back({words.size(), size_t(buffer.index)});
      const void *address = resolve(buffer);
      if (launch.count == int64_t(words.size() - firstWord.back()))
        counting = address;
      words.push_back(wordOf(address));
    }
    firstArg.push_back(words.size());
    words.resize(words.size() + CHIMERA_ARG_CONSTANTS);
    words.insert(words.end(), launch.constants.begin(), launch.constants.end());
    starts.push_back(counting ? static_cast<const int32_t *>(device.hostView(counting)) : nullptr);
  }
}

void LaunchTable::begin(const StepCounts &step) {
  counts = step;
  for (size_t first : firstArg) {
    words[first + CHIMERA_ARG_TOKENS] = step.rows;
    words[first + CHIMERA_ARG_SEQS] = step.seqs;
    words[first + CHIMERA_ARG_OUTPUTS] = step.outputs;
    words[first + CHIMERA_ARG_STRIDE] = step.stride;
  }
}

int64_t LaunchTable::blocks(size_t launch) const {
  int64_t rows = counts.rows;
  if (const int32_t *array = starts[launch]) {
    rows = std::clamp<int64_t>(int64_t(array[counts.seqs]) - array[0], 0, rows);
    if (rows == 0)
      return 0;
  }
  return program->launches[launch].grid.blocks(rows, counts.seqs, counts.outputs);
}

} // namespace chimera::runtime
