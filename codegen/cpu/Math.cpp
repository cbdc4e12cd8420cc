// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Math.h"

namespace chimera::cpu {

/// The constant in the type of `like`.
static Val real(Val like, double value) {
  return like.builder->real(value, like.value.getType());
}

/// x = n ln 2 + r with |r| <= ln 2 / 2; e^x = 2^n e^r. The polynomial interpolates e^r at the seven Chebyshev nodes,
/// within 2.6e-9 (relative).
Val exp(Val x) {
  constexpr double coefficients[] = {0x1p+0,
                                     0x1.000000a21653fp+0,
                                     0x1.000000287f871p-1,
                                     0x1.5554041b96acbp-3,
                                     0x1.5554accfdb593p-5,
                                     0x1.126fb8fa71fe6p-7,
                                     0x1.6d7543e4127b8p-10};
  // ln 2 in two parts: n times the first is exact for |n| < 2^9.
  constexpr double ln2High = 0x1.62e4p-1, ln2Low = 0x1.7f7d1cf79abc9p-20;
  // Adding this rounds to a whole number and leaves it in the low bits.
  constexpr double rounder = 0x1.8p+23;
  KernelBuilder &k = *x.builder;
  // e^-150 is 0 and e^89 is infinity; a NaN passes both comparisons.
  x = select(x < real(x, -150), real(x, -150), x);
  x = select(x > real(x, 89), real(x, 89), x);
  Val shifted = fma(x, real(x, 0x1.715476p+0), real(x, rounder));
  Val n = shifted - real(x, rounder);
  Val r = fma(n, real(x, -ln2Low), fma(n, real(x, -ln2High), x));
  Val sum = real(x, coefficients[6]);
  for (int i = 6; i-- > 0;)
    sum = fma(sum, r, real(x, coefficients[i]));
  // 2^n in two factors, since n may be 128 or below -126: n + 256 is in [39, 384].
  Val bits = bitcast(shifted, k.ops.getI32Type());
  Val biased = bits - constantLike(bits, 0x4b400000 - 256);
  Val half = shiftRight(biased, 1);
  auto power = [&](Val exponent) { return bitcast(shiftLeft(exponent, 23), k.f32Type()); };
  Val first = power(half - constantLike(half, 128 - 127));
  Val second = power(biased - half - constantLike(half, 128 - 127));
  return sum * first * second;
}

/// log(1 + u) for 0 <= u <= 1 as u + u^2 q(u): q interpolates at the eleven Chebyshev nodes of [0, 1]; with its
/// coefficients rounded to f32, the whole is within 2.1e-8 (relative).
static Val logOnePlus(Val u) {
  constexpr double coefficients[] = {-0x1.fffffff2ec387p-2, 0x1.555548ecbbd08p-2,  -0x1.fffc0c71d9e7ep-3,
                                     0x1.9959bce6ce742p-3,  -0x1.5339101f82779p-3, 0x1.19dc3bd311bc8p-3,
                                     -0x1.b956aef6be8a9p-4, 0x1.271c54ad23afbp-4,  -0x1.29827e5b62972p-5,
                                     0x1.80374a09c4a32p-7,  -0x1.d02b28216b4adp-10};
  Val sum = real(u, coefficients[10]);
  for (int i = 10; i-- > 0;)
    sum = fma(sum, u, real(u, coefficients[i]));
  return fma(u * u, sum, u);
}

Val softplus(Val x) {
  Val zero = real(x, 0), positive = x > zero;
  // A NaN fails the comparison and comes back through exp.
  return select(positive, x, zero) + logOnePlus(exp(select(positive, -x, x)));
}

Val sigmoid(Val x) {
  Val one = real(x, 1);
  return one / (one + exp(-x));
}

Val silu(Val x) {
  return x / (real(x, 1) + exp(-x));
}

Val geluTanh(Val x) {
  return x / (real(x, 1) + exp(-(x * fma(x * x, real(x, gelu2Cubic), real(x, gelu2)))));
}

Val relu2(Val x) {
  return select(x < real(x, 0), real(x, 0), x * x);
}

Val activate(Activation activation, Val x) {
  switch (activation) {
  case Activation::None:
    break;
  case Activation::Silu:
    return silu(x);
  case Activation::GeluTanh:
    return geluTanh(x);
  case Activation::Relu2:
    return relu2(x);
  }
  llvm_unreachable("there is something to apply");
}

} // namespace chimera::cpu
