// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What sequences may come to hold, counted before they begin, so that no memory runs out while they run.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_MEMORYPLAN_H
#define CHIMERA_TOOLS_CHIMERASERVE_MEMORYPLAN_H

#include "runtime/abi/chimera.h"
#include "runtime/core/Manifest.h"

#include <array>
#include <cstdint>

namespace chimera::serve {

/// Bytes by CHIMERA_MEMORY_*.
using ModeBytes = std::array<int64_t, CHIMERA_MEMORY_COUNT>;

/// The most that the sequences of one unit of work need: `sequences` of them, each of at most `tokens` tokens.
struct Need {
  int64_t sequences = 0, bytes = 0;
  ModeBytes byMode = {};

  /// Adds another, or with sign -1 takes it off.
  void add(const Need &other, int64_t sign);
};

/// The session's memory as a ledger. A sequence holds a slot of every pool and, for each list that grows, pages for as
/// many entries as it has tokens at most; that is also what the session checks before a step (chimera_step). So as long
/// as all that runs is planned here, no step fails for want of memory.
class MemoryPlan {
public:
  MemoryPlan(const runtime::Manifest &manifest, int64_t maxSequences, int64_t memoryLimit);

  /// Saturates at INT64_MAX.
  Need need(int64_t sequences, int64_t tokens) const;
  /// What a fork of a sequence that is counted already needs beside it, until either is dropped: a slot, and the page
  /// of each list that is not full, as full ones are shared.
  Need needOfFork() const { return need(1, pageEntries); }
  /// Whether it would fit if nothing else ran.
  bool everFits(const Need &need) const { return need.sequences <= maxSequences && need.bytes <= limit; }
  bool fits(const Need &need) const {
    return need.sequences <= maxSequences - held.sequences && need.bytes <= limit - held.bytes;
  }
  void take(const Need &need) { held.add(need, 1); }
  void giveBack(const Need &need) { held.add(need, -1); }

  /// What everything that was taken may need together.
  const Need &taken() const { return held; }
  int64_t bytesLimit() const { return limit; }
  int64_t sequencesLimit() const { return maxSequences; }
  /// The most tokens of a sequence that runs alone.
  int64_t mostTokens() const;

  /// The tokens that a page of a list has entries for.
  int64_t tokensOfPage() const { return pageEntries; }

private:
  ModeBytes slotBytes = {}; ///< Of one sequence.
  ModeBytes pageBytes = {}; ///< Of one page in each list.
  int64_t pageEntries = 64;
  int64_t maxSequences, limit;
  Need held;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_MEMORYPLAN_H
