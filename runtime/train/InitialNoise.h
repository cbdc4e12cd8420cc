// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The random numbers of initial weights.
#ifndef CHIMERA_RUNTIME_TRAIN_INITIALNOISE_H
#define CHIMERA_RUNTIME_TRAIN_INITIALNOISE_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace chimera {

/// Random numbers that are a function of a seed, a name and an index (Philox4x32-10), so that elements can be made in
/// any order.
class InitialNoise {
public:
  InitialNoise(uint64_t seed, std::string_view name);

  /// Uniform in (low, high).
  double uniform(uint64_t index, double low, double high) const { return low + (high - low) * pair(index)[0]; }
  /// Standard normal, by Box and Muller.
  double normal(uint64_t index) const;
  /// to[i] = float(deviation * normal(first + i)) for i in 0 .. count - 1, in much less time. deviation > 0.
  void fillNormal(double deviation, uint64_t first, size_t count, float *to) const;

private:
  /// Two numbers in (0, 1), never an end.
  std::array<double, 2> pair(uint64_t index) const;

  uint64_t seed, stream;
};

} // namespace chimera

#endif // CHIMERA_RUNTIME_TRAIN_INITIALNOISE_H
