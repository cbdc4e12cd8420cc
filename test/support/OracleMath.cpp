// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/OracleMath.h"

namespace chimera::test::oracle {

double sigmoid(double x) {
  return x >= 0 ? 1.0 / (1.0 + std::exp(-x)) : std::exp(x) / (1.0 + std::exp(x));
}

double silu(double x) {
  return x * sigmoid(x);
}

double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

double clamp(double x, double low, double high) {
  return std::min(std::max(x, low), high);
}

double dot(const double *a, const double *b, size_t count) {
  double sum = 0.0;
  for (size_t i = 0; i < count; ++i)
    sum += a[i] * b[i];
  return sum;
}

/// Eight significant bits: scales the significand to 128 .. 256 and rounds it to a whole number.
double roundedToBfloat16(double x) {
  int exponent;
  double significand = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(significand, 8)), exponent - 8);
}

Var roundedToBfloat16(const Var &x) {
  return straightThrough(x, roundedToBfloat16(x.value()));
}

} // namespace chimera::test::oracle
