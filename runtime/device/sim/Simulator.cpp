// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/sim/Simulator.h"

#include "runtime/device/sim/Block.h"

#include <memory>
#include <numeric>

namespace chimera::sim {

Outcome run(const Launch &launch) {
  auto block = std::make_unique<Block>();
  Outcome outcome;
  outcome.error = block->prepare(launch);
  if (!outcome.ok())
    return outcome;
  std::vector<int64_t> order(size_t(launch.blocks > 0 ? launch.blocks : 0));
  std::iota(order.begin(), order.end(), int64_t(0));
  uint64_t state = launch.seed;
  for (size_t i = order.size(); launch.seed != 0 && i > 1; --i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    std::swap(order[i - 1], order[size_t((state >> 33) % i)]);
  }
  for (int64_t index : order)
    if (!block->runBlock(index))
      break;
  outcome.error = block->error;
  outcome.statistics = block->statistics;
  return outcome;
}

} // namespace chimera::sim
