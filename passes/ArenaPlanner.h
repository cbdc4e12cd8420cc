// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which bytes of the arena each value of a straight-line program has.

#ifndef CHIMERA_PASSES_ARENA_PLANNER_H
#define CHIMERA_PASSES_ARENA_PLANNER_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>

namespace chimera {

/// A value that needs bytes from launch `first` to launch `last`, both included.
struct ArenaRequest {
  int64_t bytes;
  int64_t first;
  int64_t last;
  int64_t offset = -1; ///< the answer, a multiple of `arenaAlignment`
};

constexpr int64_t arenaAlignment = 64;

/// Gives each request an offset so that requests that live at the same time do not overlap: the largest first (a tie:
/// the earliest), each at the lowest offset that is free throughout its life. Returns the bytes of the arena. This is
/// the greedy by size of Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020.
int64_t planArena(llvm::MutableArrayRef<ArenaRequest> requests);

} // namespace chimera

#endif // CHIMERA_PASSES_ARENA_PLANNER_H
