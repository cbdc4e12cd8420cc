// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The random numbers of the data: a function of (seed, split, sequence, draw), so that every rank and every resumed run
// makes the same sequences.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_RANDOM_H
#define CHIMERA_RUNTIME_TRAIN_DATA_RANDOM_H

#include "runtime/core/Sampler.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace chimera::train {

/// A stream of numbers from Philox4x32-10 (runtime/core/Sampler.h): the key is the seed, the counter holds the draw, a
/// word that says what the stream is for, and an index.
class RandomStream {
public:
  RandomStream(uint64_t seed, uint32_t purpose, uint64_t index) : seed(seed), purpose(purpose), index(index) {}

  /// 32 random bits.
  uint32_t next() {
    if (draw % 4 == 0)
      words = philox4x32({uint32_t(draw / 4), purpose, uint32_t(index), uint32_t(index >> 32)},
                         {uint32_t(seed), uint32_t(seed >> 32)});
    return words[draw++ % 4];
  }

  /// Uniform in 0 .. limit-1, without bias (Lemire: "Fast random integer generation in an interval", 2019). limit >= 1.
  uint32_t below(uint32_t limit) {
    for (;;) {
      uint64_t product = uint64_t(next()) * limit;
      if (uint32_t(product) >= limit || uint32_t(product) >= uint32_t(-limit) % limit)
        return uint32_t(product >> 32);
    }
  }

  /// `count` different numbers of 0 .. limit-1 in random order (a shuffle of Fisher and Yates, cut short).
  std::vector<uint32_t> distinct(uint32_t count, uint32_t limit) {
    std::vector<uint32_t> all(limit);
    for (uint32_t i = 0; i < limit; ++i)
      all[i] = i;
    for (uint32_t i = 0; i < count; ++i)
      std::swap(all[i], all[i + below(limit - i)]);
    all.resize(count);
    return all;
  }

private:
  uint64_t seed;
  uint32_t purpose;
  uint64_t index;
  uint64_t draw = 0;
  std::array<uint32_t, 4> words = {};
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_RANDOM_H
