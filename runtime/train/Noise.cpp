// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Noise.h"

#include "runtime/core/Sampler.h"

#include <cmath>

namespace chimera::train {

std::array<double, 4> gumbelNoise(const NoisePlace &place) {
  // The last word keeps these numbers apart from all others that are drawn with the same seed.
  constexpr uint32_t purpose = 0x47756d62;
  std::array<uint32_t, 4> words = philox4x32({place.position | place.layer << 20, place.sequence, place.step, purpose},
                                             {uint32_t(place.seed), uint32_t(place.seed >> 32)});
  std::array<double, 4> noise;
  for (size_t mode = 0; mode < noise.size(); ++mode) {
    double uniform = (double(words[mode]) + 0.5) * 0x1p-32; // In (0, 1), never an end.
    noise[mode] = -std::log(-std::log(uniform));
  }
  return noise;
}

} // namespace chimera::train
