// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shuffling without a table.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_PERMUTATION_H
#define CHIMERA_RUNTIME_TRAIN_DATA_PERMUTATION_H

#include <cstdint>

namespace chimera::train {

/// A pseudo-random permutation of 0 .. size-1, another for each (seed, epoch): a Feistel network of eight rounds of
/// Philox over the next power of four, walked until it falls inside (Black and Rogaway: "Ciphers with arbitrary finite
/// domains", 2002). Any element is found in constant memory and, on average, fewer than four walks.
class Permutation {
public:
  /// `size` is in 1 .. 2^62.
  Permutation(uint64_t size, uint64_t seed, uint64_t epoch);

  /// Where `index` (0 .. size-1) goes.
  uint64_t at(uint64_t index) const;

private:
  uint64_t size, seed, epoch;
  int halfBits = 1; ///< The network works on 2 * halfBits bits.
};

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_PERMUTATION_H
