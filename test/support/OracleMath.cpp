// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/support/OracleMath.h"

#include <algorithm>
#include <cmath>

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

/// Eight significant bits: scales the significand to 128 .. 256 and rounds it to a whole number.
static double toBfloat16(double x) {
  int exponent;
  double significand = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(significand, 8)), exponent - 8);
}

Vector rounded(const Vector &x, OperandRounding rounding) {
  Vector y = x;
  if (rounding == OperandRounding::BFloat16)
    for (double &value : y)
      value = toBfloat16(value);
  return y;
}

Vector linear(const Tensor &weight, const Vector &x) {
  size_t outputs = weight.shape.at(0), inputs = weight.shape.at(1);
  Vector y(outputs, 0.0);
  for (size_t row = 0; row < outputs; ++row)
    for (size_t column = 0; column < inputs; ++column)
      y[row] += weight.values[row * inputs + column] * x.at(column);
  return y;
}

Vector rmsNorm(const Vector &x, const Vector &weight, double eps) {
  return groupedRmsNorm(x, weight, eps, 1);
}

Vector groupedRmsNorm(const Vector &x, const Vector &weight, double eps, size_t groups) {
  size_t size = x.size() / groups;
  Vector y(x.size());
  for (size_t group = 0; group < groups; ++group) {
    double sumOfSquares = 0.0;
    for (size_t i = group * size; i < (group + 1) * size; ++i)
      sumOfSquares += x[i] * x[i];
    double scale = 1.0 / std::sqrt(sumOfSquares / static_cast<double>(size) + eps);
    for (size_t i = group * size; i < (group + 1) * size; ++i)
      y[i] = x[i] * scale * weight.at(i);
  }
  return y;
}

Vector layerNorm(const Vector &x, const Vector &weight, const Vector &bias, double eps) {
  double count = static_cast<double>(x.size());
  double mean = 0.0, variance = 0.0;
  for (double value : x)
    mean += value / count;
  for (double value : x)
    variance += (value - mean) * (value - mean) / count;
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    y[i] = (x[i] - mean) / std::sqrt(variance + eps) * weight.at(i) + bias.at(i);
  return y;
}

Vector causalConvolution(const std::vector<Vector> &history, const Tensor &weight, const Vector &bias) {
  size_t channels = weight.shape.at(0), taps = weight.shape.at(1);
  Vector y = bias;
  for (size_t age = 0; age < std::min(taps, history.size()); ++age) {
    const Vector &x = history[history.size() - 1 - age];
    for (size_t channel = 0; channel < channels; ++channel)
      y.at(channel) += weight.values[channel * taps + (taps - 1 - age)] * x.at(channel);
  }
  return y;
}

Vector slice(const Vector &x, size_t first, size_t count) {
  return Vector(x.begin() + static_cast<std::ptrdiff_t>(first), x.begin() + static_cast<std::ptrdiff_t>(first + count));
}

Vector add(const Vector &a, const Vector &b) {
  Vector sum(a.size());
  for (size_t i = 0; i < a.size(); ++i)
    sum[i] = a[i] + b.at(i);
  return sum;
}

double logSumExp(const Vector &x) {
  double largest = *std::max_element(x.begin(), x.end());
  double sum = 0.0;
  for (double value : x)
    sum += std::exp(value - largest);
  return largest + std::log(sum);
}

} // namespace chimera::test::oracle
