// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops of the runtime itself that are worth wide vectors, and functions of double precision for them. Their results
// are good to a stated error, not to the last bit: use them where such an error is bounded and cannot be seen.
#ifndef CHIMERA_RUNTIME_CORE_VECTORS_H
#define CHIMERA_RUNTIME_CORE_VECTORS_H

#include <cstdint>
#include <cstring>

/// For what is to be compiled with its caller's instructions: bodies of onWidestVectors, and all that they call.
#define CHIMERA_VECTOR_INLINE __attribute__((always_inline))

namespace chimera {

template <typename Body> __attribute__((target("avx2,fma"))) void onAvx2(const Body &body) {
  body();
}

template <typename Body>
__attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"))) void onAvx512(const Body &body) {
  body();
}

/// Runs `body`, a lambda without arguments marked CHIMERA_VECTOR_INLINE, compiled for the widest vectors that this CPU
/// has. What it computes may differ in rounding from CPU to CPU, as products and sums are fused where that is possible.
template <typename Body> void onWidestVectors(const Body &body) {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
    return onAvx512(body);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return onAvx2(body);
  body();
}

namespace vectors {

CHIMERA_VECTOR_INLINE inline uint64_t bitsOf(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

CHIMERA_VECTOR_INLINE inline double fromBits(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Adding it rounds a number below 2^51 to an integer, which is in the low bits then.
inline constexpr double roundingShift = 0x1.8p52;

/// e^x for x <= 0, within 2^-46 of it in relation; for x below -700, e^-700. Not for NaN.
CHIMERA_VECTOR_INLINE inline double expNegative(double x) {
  // e^x = 2^k e^r with |r| <= ln 2 / 2, ln 2 in two parts, the first of them short; e^r by its series.
  constexpr double perLn2 = 0x1.71547652b82fep+0, ln2High = 0x1.62e42feep-1, ln2Low = 0x1.a39ef35793c76p-33;
  x = x > -700.0 ? x : -700.0;
  double shifted = x * perLn2 + roundingShift, k = shifted - roundingShift;
  double r = (x - k * ln2High) - k * ln2Low;
  double sum = 1.0 / 6227020800;
  sum = sum * r + 1.0 / 479001600;
  sum = sum * r + 1.0 / 39916800;
  sum = sum * r + 1.0 / 3628800;
  sum = sum * r + 1.0 / 362880;
  sum = sum * r + 1.0 / 40320;
  sum = sum * r + 1.0 / 5040;
  sum = sum * r + 1.0 / 720;
  sum = sum * r + 1.0 / 120;
  sum = sum * r + 1.0 / 24;
  sum = sum * r + 1.0 / 6;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  return fromBits(bitsOf(sum) + (bitsOf(shifted) << 52));
}

/// ln u for u in (0, 1), a normal number, within 2^-49 of it in relation.
CHIMERA_VECTOR_INLINE inline double logUnit(double u) {
  // u = 2^e m with m in [sqrt(1/2), sqrt 2), and ln m = 2 artanh((m - 1) / (m + 1)), by its series.
  constexpr double ln2High = 0x1.62e42feep-1, ln2Low = 0x1.a39ef35793c76p-33;
  constexpr uint64_t fraction = 0x000FFFFFFFFFFFFFu, sqrtHalf = 0x3FE6A09E667F3BCDu;
  uint64_t bits = bitsOf(u), above = bits - sqrtHalf; // Its high bits are e, and those of m remain.
  double e = fromBits((uint64_t(int64_t(above) >> 52) + 2048) | 0x4330000000000000u) - (0x1p52 + 2048.0);
  double m = fromBits((above & fraction) + sqrtHalf);
  double s = (m - 1.0) / (m + 1.0), z = s * s;
  double sum = 2.0 / 21;
  sum = sum * z + 2.0 / 19;
  sum = sum * z + 2.0 / 17;
  sum = sum * z + 2.0 / 15;
  sum = sum * z + 2.0 / 13;
  sum = sum * z + 2.0 / 11;
  sum = sum * z + 2.0 / 9;
  sum = sum * z + 2.0 / 7;
  sum = sum * z + 2.0 / 5;
  sum = sum * z + 2.0 / 3;
  sum = sum * z + 2.0;
  return e * ln2High + (sum * s + e * ln2Low);
}

/// cos(2 pi a) for a in [0, 1], within 2^-50.
CHIMERA_VECTOR_INLINE inline double cosTurn(double a) {
  // The nearest quarter of a turn, and what is left: at most an eighth, exactly.
  double shifted = 4.0 * a + roundingShift, quarters = shifted - roundingShift;
  uint64_t quarter = bitsOf(shifted);
  constexpr double twoPi = 6.28318530717958647692;
  double x = twoPi * (a - 0.25 * quarters), z = x * x;
  double cosine = 1.0 / 20922789888000;
  cosine = cosine * z - 1.0 / 87178291200;
  cosine = cosine * z + 1.0 / 479001600;
  cosine = cosine * z - 1.0 / 3628800;
  cosine = cosine * z + 1.0 / 40320;
  cosine = cosine * z - 1.0 / 720;
  cosine = cosine * z + 1.0 / 24;
  cosine = cosine * z - 0.5;
  cosine = cosine * z + 1.0;
  double sine = -1.0 / 1307674368000;
  sine = sine * z + 1.0 / 6227020800;
  sine = sine * z - 1.0 / 39916800;
  sine = sine * z + 1.0 / 362880;
  sine = sine * z - 1.0 / 5040;
  sine = sine * z + 1.0 / 120;
  sine = sine * z - 1.0 / 6;
  sine = sine * z + 1.0;
  sine = sine * x;
  double magnitude = quarter & 1 ? sine : cosine;
  return fromBits(bitsOf(magnitude) ^ ((quarter + 1) & 2) << 62);
}

} // namespace vectors
} // namespace chimera

#endif // CHIMERA_RUNTIME_CORE_VECTORS_H
