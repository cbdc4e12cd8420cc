// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights of WeightFormat::I8 as the numbers they stand for. A 32-bit lane holds the weights of one output for four
// neighbouring inputs (a group of 4).
//
// For a byte q and an exponent e, -128 <= e <= 104, let B be the f32 2^(e+23) + 2^(e+7), whose last place is worth 2^e
// and whose low byte is 0x80. Then B with its low byte replaced by q ^ 0x80 is B + q 2^e, and subtracting B leaves
// q 2^e exactly (or 0 where that is subnormal).
#ifndef CHIMERA_CODEGEN_CPU_LINEARQUANTISED_H
#define CHIMERA_CODEGEN_CPU_LINEARQUANTISED_H

#include "codegen/kernel/KernelBuilder.h"

namespace chimera::cpu {

using namespace kernel;

/// Inputs of one output in a 32-bit lane.
inline constexpr int64_t quantisedGroup = 4;

/// Bytes of a panel's block of scaleGroup inputs: the exponents, then the numbers.
int64_t quantisedBlockBytes(int64_t panel);

/// The bits of B, of 32, for `lanes` exponents at `index` of `bytes`.
Val quantisedBase(const Buffer &bytes, Val index, int64_t lanes);

/// The f32 weights of input `place` (0..3) in each lane.
Val quantisedWeight(Val lanes, Val base, int64_t place);
/// The bits of the bf16 weights of inputs `place` (0 or 2) and place + 1, in the low and the high half of each lane.
Val quantisedPair(Val lanes, Val base, int64_t place);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_LINEARQUANTISED_H
