// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/Permutation.h"

#include "runtime/core/Sampler.h"

namespace chimera::train {

static constexpr int rounds = 8;
/// In the counter's upper bits of the round, so that no other stream of the same seed is met.
static constexpr uint32_t purpose = 0x5EED0300;

Permutation::Permutation(uint64_t size, uint64_t seed, uint64_t epoch) : size(size), seed(seed), epoch(epoch) {
  while (halfBits < 31 && (uint64_t(1) << (2 * halfBits)) < size)
    ++halfBits;
}

uint64_t Permutation::at(uint64_t index) const {
  const uint64_t mask = (uint64_t(1) << halfBits) - 1;
  do {
    uint64_t left = index >> halfBits, right = index & mask;
    for (uint32_t round = 0; round < rounds; ++round) {
      auto words = philox4x32({uint32_t(right), purpose + round, uint32_t(epoch), uint32_t(epoch >> 32)},
                              {uint32_t(seed), uint32_t(seed >> 32)});
      uint64_t mixed = left ^ (words[0] & mask);
      left = right;
      right = mixed;
    }
    index = left << halfBits | right;
  } while (index >= size);
  return index;
}

} // namespace chimera::train
