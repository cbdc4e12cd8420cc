// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/Routing.h"

#include "runtime/abi/chimera.h"
#include "runtime/core/Sampler.h"

namespace chimera::bench {

/// The use of a random number, so that tokens and modes are independent.
enum Stream : uint32_t { Tokens, Modes };

/// Random bits for a place.
static uint32_t draw32(uint64_t seed, Stream stream, int64_t sequence, int64_t position, int64_t layer) {
  std::array<uint32_t, 4> counter = {uint32_t(position), uint32_t(uint64_t(position) >> 32), uint32_t(sequence),
                                     uint32_t(layer) * 2 + stream};
  return philox4x32(counter, {uint32_t(seed), uint32_t(seed >> 32)})[0];
}

int32_t drawToken(uint64_t seed, int64_t sequence, int64_t position, int64_t vocabSize) {
  return int32_t(uint64_t(draw32(seed, Tokens, sequence, position, 0)) * uint64_t(vocabSize) >> 32);
}

ForcedRouting::ForcedRouting(uint64_t seed, const Fractions &fractions, const std::vector<uint32_t> &forceable)
    : seed(seed), forceable(forceable) {
  for (uint32_t modes : forceable)
    shares.push_back(inspect::layerFractions(fractions, modes));
}

int8_t ForcedRouting::draw(int64_t sequence, int64_t position, int64_t layer) const {
  uint32_t modes = forceable[size_t(layer)];
  if (__builtin_popcount(modes) < 2)
    return -1;
  double left = (double(draw32(seed, Modes, sequence, position, layer)) + 0.5) * 0x1p-32;
  int8_t chosen = -1;
  for (int mode = 0; mode < CHIMERA_MODE_COUNT; ++mode) {
    double share = shares[size_t(layer)][size_t(mode)];
    if (!(modes >> mode & 1) || share <= 0)
      continue;
    chosen = int8_t(mode); // The last one with a share takes what rounding leaves over.
    left -= share;
    if (left < 0)
      break;
  }
  return chosen;
}

} // namespace chimera::bench
