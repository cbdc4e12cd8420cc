// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/QuantiseGroup.h"

#include "runtime/core/Vectors.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace chimera::runtime {

using abi::scaleGroup;
using abi::WeightFormat;

/// The bits of the largest magnitude of a group, which are ordered as magnitudes are. Those of a NaN are above all.
CHIMERA_VECTOR_INLINE static inline uint32_t largestMagnitude(const float *weights) {
  uint32_t largest = 0;
  for (int64_t k = 0; k < scaleGroup; ++k) {
    uint32_t bits;
    std::memcpy(&bits, weights + k, sizeof bits);
    bits &= 0x7FFFFFFF;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

/// The smallest exponent e, from leastExponent on, with magnitude <= most * 2^e; leastExponent for 0. `most` is in
/// [2^bits / 2, 2^bits).
static int smallestExponent(float magnitude, double most, int bits) {
  if (magnitude == 0)
    return abi::leastExponent;
  // magnitude = fraction * 2^e with a fraction in [1/2, 1), which is most or below in units of 2^(e - bits).
  int e;
  std::frexp(magnitude, &e);
  e -= bits;
  if (double(magnitude) > std::ldexp(most, e))
    ++e;
  return std::max(e, abi::leastExponent);
}

/// Adding and taking away 1.5 * 2^23 rounds a number below 2^22 to an integer, ties to even.
CHIMERA_VECTOR_INLINE static inline float roundToInteger(float value) {
  constexpr float shift = 0x1.8p23f;
  return value + shift - shift;
}

CHIMERA_VECTOR_INLINE static inline void bytesOf(const float *weights, int exponent, uint8_t *bytes) {
  // A double holds the quotient exactly; as above.
  constexpr double shift = 0x1.8p52;
  double inverse = std::ldexp(1.0, -exponent);
  for (int64_t k = 0; k < scaleGroup; ++k) {
    double quotient = std::min(std::max(double(weights[k]) * inverse, -127.0), 127.0);
    bytes[k] = uint8_t(int8_t(quotient + shift - shift));
  }
}

/// Of w in units of 2^exponent: the nearest of -7 .. 7, and how far it is from there, in 1024ths of a unit.
struct Nibbles {
  int32_t numbers[scaleGroup], errors[scaleGroup];
};

CHIMERA_VECTOR_INLINE static inline void nibblesOf(const float *weights, float inverse, Nibbles &to) {
  constexpr float most = float(abi::mostNumber(WeightFormat::I4)), parts = 1024;
  for (int64_t k = 0; k < scaleGroup; ++k) {
    float quotient = weights[k] * inverse;
    float number = std::min(std::max(roundToInteger(quotient), -most), most);
    to.numbers[k] = int32_t(number);
    to.errors[k] = int32_t(roundToInteger((quotient - number) * parts));
  }
}

CHIMERA_VECTOR_INLINE static inline int64_t squaresOf(const int32_t *errors) {
  uint32_t sum = 0; // At most 32 * (8 * 1024)^2 = 2^31.
  for (int64_t k = 0; k < scaleGroup; ++k)
    sum += uint32_t(errors[k] * errors[k]);
  return sum;
}

/// The exponent at which nothing is cut off, or the one below if the sum of squared errors is smaller there.
CHIMERA_VECTOR_INLINE static inline int bestNibbles(const float *weights, int exponent, Nibbles &best) {
  float inverse = std::ldexp(1.0f, -exponent);
  nibblesOf(weights, inverse, best);
  if (exponent == abi::leastExponent)
    return exponent;
  Nibbles finer;
  nibblesOf(weights, 2 * inverse, finer);
  // Its units are half as large.
  if (squaresOf(finer.errors) >= 4 * squaresOf(best.errors))
    return exponent;
  best = finer;
  return exponent - 1;
}

static void packNibbles(const int32_t *numbers, uint8_t *bytes) {
  constexpr int64_t group = abi::laneInputs(WeightFormat::I4);
  for (int64_t first = 0; first < scaleGroup; first += group, bytes += sizeof(uint32_t)) {
    uint32_t word = 0;
    for (int64_t place = 0; place < group; ++place)
      word |= uint32_t(numbers[first + place] & 15) << abi::nibbleShift(place);
    std::memcpy(bytes, &word, sizeof word);
  }
}

bool quantiseGroup(WeightFormat format, const float *weights, int8_t &exponent, uint8_t *numbers) {
  bool fits = false;
  onWidestVectors([&]() CHIMERA_VECTOR_INLINE {
    uint32_t bits = largestMagnitude(weights);
    float magnitude;
    std::memcpy(&magnitude, &bits, sizeof bits);
    fits = magnitude <= largestWeight(format);
    if (!fits)
      return;
    if (format == WeightFormat::I8) {
      exponent = int8_t(smallestExponent(magnitude, 127, 7));
      bytesOf(weights, exponent, numbers);
    } else {
      Nibbles nibbles;
      exponent = int8_t(bestNibbles(weights, smallestExponent(magnitude, 7.5, 3), nibbles));
      packNibbles(nibbles.numbers, numbers);
    }
  });
  return fits;
}

} // namespace chimera::runtime
