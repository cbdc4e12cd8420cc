// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens and forced modes that are functions of a seed and a place, so that every run, batch and cut gets the same.
#ifndef CHIMERA_TOOLS_CHIMERABENCH_ROUTING_H
#define CHIMERA_TOOLS_CHIMERABENCH_ROUTING_H

#include "tools/chimera-inspect/MemoryEstimate.h"

#include <cstdint>
#include <vector>

namespace chimera::bench {

using inspect::Fractions;

/// A token id in 0 .. vocabSize - 1.
int32_t drawToken(uint64_t seed, int64_t sequence, int64_t position, int64_t vocabSize);

/// Draws modes with given shares.
class ForcedRouting {
public:
  /// `forceable`: a layer's modes that may be forced, as bits. A layer draws with `fractions` renormalised over them
  /// (equal shares where they are all 0); one without a choice is left alone.
  ForcedRouting(uint64_t seed, const Fractions &fractions, const std::vector<uint32_t> &forceable);

  /// The mode to admit, or -1 for a layer without a choice.
  int8_t draw(int64_t sequence, int64_t position, int64_t layer) const;

private:
  uint64_t seed;
  std::vector<uint32_t> forceable;
  std::vector<Fractions> shares;
};

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_ROUTING_H
