// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nvptx/DeviceMath.h"

namespace chimera::nvptx {

// ln 2 in two parts: the first has 32 significant bits, so that its product with any exponent is exact.
static constexpr double ln2High = 0x1.62e42feep-1, ln2Low = 0x1.a39ef35793c76p-33;
/// Adding this to a double below 2^51 leaves the nearest integer in the sum's low bits.
static constexpr double roundingShift = 0x1.8p52;
static constexpr int64_t exponentBias = 1023, mantissaBits = 52;

/// 2^k for an i64 k in the range of normal numbers.
static Val powerOfTwo(Val k) {
  GpuBuilder &b = *k.builder;
  return bitcast(shiftLeft(k + exponentBias, mantissaBits), b.f64());
}

Val exponential(Val x) {
  GpuBuilder &b = *x.builder;
  auto real = [&](double value) { return b.real(value, b.f64()); };
  // Far enough that the result overflows or vanishes. The order of the comparisons lets a NaN through.
  Val bounded = select(x > real(710), real(710), select(x < real(-746), real(-746), x));
  Val shifted = fma(bounded, real(0x1.71547652b82fep+0), real(roundingShift));
  Val whole = shifted - real(roundingShift);
  Val k = bitcast(shifted, b.i64()) - bitcast(real(roundingShift), b.i64());
  Val r = fma(whole, real(-ln2Low), fma(whole, real(-ln2High), bounded));
  double factorial = 6227020800.0; // 13!; exact all the way down
  Val sum = real(1 / factorial);
  for (int degree = 12; degree >= 0; --degree) {
    factorial /= degree + 1;
    sum = fma(sum, r, real(1 / factorial));
  }
  Val half = convert(shiftRight(convert(k, b.i32()) + 4096, 1), b.i64()) - 2048; // floor(k / 2)
  return sum * powerOfTwo(half) * powerOfTwo(k - half);
}

Val logarithm(Val x) {
  GpuBuilder &b = *x.builder;
  auto real = [&](double value) { return b.real(value, b.f64()); };
  Val bits = bitcast(x, b.i64());
  Val exponent = shiftRight(bits, mantissaBits) - exponentBias;
  Val mantissa =
      bitcast((bits & ((int64_t(1) << mantissaBits) - 1)) | b.constant(exponentBias << mantissaBits, b.i64()), b.f64());
  Val large = mantissa > real(0x1.6a09e667f3bcdp+0); // sqrt(2)
  Val m = select(large, mantissa * real(0.5), mantissa);
  Val e = convert(select(large, exponent + 1, exponent), b.f64());
  Val f = (m - real(1)) / (m + real(1));
  Val square = f * f;
  Val series = real(1.0 / 21);
  for (int odd = 19; odd >= 3; odd -= 2)
    series = fma(series, square, real(1.0 / odd));
  Val artanh = fma(f * square, series, f);
  Val result = fma(e, real(ln2High), fma(e, real(ln2Low), artanh + artanh));
  return select(x == x, result, x);
}

} // namespace chimera::nvptx
