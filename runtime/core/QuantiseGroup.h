// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights as whole numbers of a few bits with an exponent for each group: what the formats I8 and I4 keep.
#ifndef CHIMERA_RUNTIME_CORE_QUANTISEGROUP_H
#define CHIMERA_RUNTIME_CORE_QUANTISEGROUP_H

#include "runtime/abi/WeightFormat.h"

#include <cstdint>

namespace chimera::runtime {

/// The largest magnitude that a quantised format can hold: 127 * 2^104 or 7.5 * 2^104, which is rounded to 7.
constexpr float largestWeight(abi::WeightFormat format) {
  return format == abi::WeightFormat::I8 ? 0x1.fcp+110f : 0x1.ep+106f;
}

/// The numbers and the exponent that a quantised format has for a group of scaleGroup weights, by the rule of
/// docs/model-binary.md, "Packed weights", as they lie in a row: a byte each for I8, eight in 32 bits (nibbleShift) for
/// I4. False if one of the weights is not at most largestWeight; then nothing is written.
bool quantiseGroup(abi::WeightFormat format, const float *weights, int8_t &exponent, uint8_t *numbers);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_QUANTISEGROUP_H
