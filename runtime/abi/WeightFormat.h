// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The formats of packed weights, which kernels read, the compiler chooses and the runtime fills: the layouts of
// docs/model-binary.md, "Packed weights". Knows neither LLVM nor the runtime.
#ifndef CHIMERA_RUNTIME_ABI_WEIGHTFORMAT_H
#define CHIMERA_RUNTIME_ABI_WEIGHTFORMAT_H

#include "runtime/abi/Layout.h"

#include <cstdint>

namespace chimera::abi {

/// I8 and I4 are whole numbers of eight or four bits and, for each output and scaleGroup inputs, a power of two: the
/// weight is w = q * 2^e, which is a bf16 and an f32 number exactly, so that every way to multiply sees the same
/// weight.
enum class WeightFormat : uint8_t { F32, BF16, I8, I4 };

/// As symbols, manifests and `chimera.pack` spell them.
inline constexpr const char *weightFormatNames[] = {"f32", "bf16", "i8", "i4"};
inline constexpr int weightFormatCount = 4;

constexpr const char *nameOf(WeightFormat format) {
  return weightFormatNames[static_cast<int>(format)];
}

/// Whether weights are whole numbers with an exponent for each group.
constexpr bool isQuantised(WeightFormat format) {
  return format == WeightFormat::I8 || format == WeightFormat::I4;
}

/// Bits of a weight, without its share of an exponent.
constexpr int64_t bitsOf(WeightFormat format) {
  constexpr int64_t bits[] = {32, 16, 8, 4};
  return bits[static_cast<int>(format)];
}

/// Neighbouring inputs of an output that 32 bits hold.
constexpr int64_t laneInputs(WeightFormat format) {
  return 32 / bitsOf(format);
}

/// Bytes of scaleGroup inputs of an output, with their exponent if they have one.
constexpr int64_t scaleGroupBytes(WeightFormat format) {
  return scaleGroup * bitsOf(format) / 8 + (isQuantised(format) ? 1 : 0);
}

/// Inputs with the padding to whole groups of `group`, or of scaleGroup where they share an exponent.
constexpr int64_t paddedInputs(WeightFormat format, int64_t group, int64_t inputs) {
  int64_t multiple = isQuantised(format) ? scaleGroup : group;
  return (inputs + multiple - 1) / multiple * multiple;
}

/// Bytes of an output in a panel, of so many padded inputs.
constexpr int64_t packedRowBytes(WeightFormat format, int64_t padded) {
  return isQuantised(format) ? padded / scaleGroup * scaleGroupBytes(format) : padded * bitsOf(format) / 8;
}

/// The largest magnitude of a quantised number.
constexpr int64_t mostNumber(WeightFormat format) {
  return (int64_t(1) << (bitsOf(format) - 1)) - 1;
}

/// Exponents of quantised weights. Kernels scale by adding to an exponent's bits, and the largest is as far as that
/// goes.
inline constexpr int leastExponent = -126, mostExponent = 104;

/// What is wrong with a packed form's group of neighbouring inputs; null: nothing. I4 has one order of its numbers.
constexpr const char *groupFault(WeightFormat format, int64_t group) {
  if (format == WeightFormat::I8 && group > 0 && scaleGroup % group != 0)
    return "must divide 32";
  if (format == WeightFormat::I4 && group != laneInputs(format))
    return "must be 8";
  return nullptr;
}
static_assert(scaleGroup == 32 && laneInputs(WeightFormat::I4) == 8, "groupFault says so");

/// The bit of a 32-bit lane at which I4 keeps the number of input `place`: those of even inputs are in the lower half,
/// those of odd inputs in the upper, so that a shift puts a pair of neighbours at the beginnings of the two halves.
constexpr int64_t nibbleShift(int64_t place) {
  return place % 2 * 16 + place / 2 * 4;
}

} // namespace chimera::abi

#endif // CHIMERA_RUNTIME_ABI_WEIGHTFORMAT_H
