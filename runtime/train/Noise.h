// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The noise of Gumbel routing.
#ifndef CHIMERA_RUNTIME_TRAIN_NOISE_H
#define CHIMERA_RUNTIME_TRAIN_NOISE_H

#include <array>
#include <cstdint>

namespace chimera::train {

/// Which token of a training run: its step, its sequence's number in the step (over ranks and micro-steps), its
/// position (below 2^20) and the layer (below 2^12).
struct NoisePlace {
  uint64_t seed = 0;
  uint32_t step = 0, sequence = 0, position = 0, layer = 0;
};

/// Standard Gumbel noise -ln(-ln u) for each canonical mode: adding it to log-probabilities and taking the largest
/// draws from them (Jang et al. 2017). A function of the place alone (Philox4x32-10, a counter a place, a word a mode),
/// so that it depends neither on ranks nor on what ran before.
std::array<double, 4> gumbelNoise(const NoisePlace &place);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_NOISE_H
