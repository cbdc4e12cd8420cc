// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random numbers that are the same on every machine for the same seed, so that a failure can be repeated.
#ifndef CHIMERA_TEST_SUPPORT_RANDOM_H
#define CHIMERA_TEST_SUPPORT_RANDOM_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace chimera::test {

/// SplitMix64 (Steele, Lea, Flood 2014): a counter stepped by the golden ratio and mixed.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}

  uint64_t next() {
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// A whole number in 0 .. bound-1; bound > 0.
  int64_t below(int64_t bound) { return static_cast<int64_t>(next() % static_cast<uint64_t>(bound)); }

  /// A whole number in low .. high.
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }

  /// In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  bool chance(double probability) { return uniform() < probability; }

  /// Standard normal (Box and Muller 1958).
  double normal() {
    double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

  template <typename T> const T &pick(const std::vector<T> &choices) {
    return choices[static_cast<size_t>(below(static_cast<int64_t>(choices.size())))];
  }

  /// An independent stream for a part of the work.
  Random fork() { return Random(next()); }

private:
  uint64_t state;
};

} // namespace chimera::test

#endif
