// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights of the formats I8 and I4 as the numbers they stand for. A 32-bit lane holds the weights of one output for a
// group of neighbouring inputs: four of I8, eight of I4.
//
// In f32, for a number q of b bits and an exponent e, -128 <= e <= 104: let B be 2^(e+23) + 2^(e+b-1), whose last place
// is worth 2^e and whose b low bits are 2^(b-1). Then B with these replaced by q + 2^(b-1) is B + q 2^e, and
// subtracting B leaves q 2^e exactly (or 0 where that is subnormal).
//
// Pairs of bf16 of I4 are looked up: a permutation of 16-bit words takes its table's entry for the low bits of each
// word. The table has q 2^104; taking 104 - e from the exponent's bits makes q 2^e of it, with saturation so that 0
// stays 0.
#ifndef CHIMERA_CODEGEN_CPU_LINEARQUANTISED_H
#define CHIMERA_CODEGEN_CPU_LINEARQUANTISED_H

#include "codegen/kernel/KernelBuilder.h"
#include "runtime/abi/WeightFormat.h"

namespace chimera::cpu {

using namespace kernel;
using abi::scaleGroup;
using abi::WeightFormat;

/// Bytes of a panel's block of scaleGroup inputs: the exponents, then the numbers.
constexpr int64_t quantisedBlockBytes(WeightFormat format, int64_t panel) {
  return abi::scaleGroupBytes(format) * panel;
}

/// What the weights of a block share, a 32-bit lane for each output: what is not used costs nothing.
struct QuantisedScale {
  Val base; ///< The bits of B.
  Val drop; ///< I4: 104 - e at the place of a bf16's exponent, in both halves.
};
/// Of `lanes` exponents at `index` of `bytes`.
QuantisedScale quantisedScale(WeightFormat format, const Buffer &bytes, Val index, int64_t lanes);

/// The f32 weights of input `place` of the group in each lane.
Val quantisedWeight(WeightFormat format, Val lanes, const QuantisedScale &scale, int64_t place);
/// The bits of the bf16 weights of inputs `place`, which is even, and place + 1, in the low and the high half of each
/// lane. I4: of 16 lanes, on an ISA with AVX512BW.
Val quantisedPair(WeightFormat format, Val lanes, const QuantisedScale &scale, int64_t place);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_LINEARQUANTISED_H
