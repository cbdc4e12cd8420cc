// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The scalar and vector functions from which the oracle is written: plain loops over doubles, or over the Vars of a
// tape (test/support/Tape.h), of which the same loops give gradients.
#ifndef CHIMERA_TEST_SUPPORT_ORACLEMATH_H
#define CHIMERA_TEST_SUPPORT_ORACLEMATH_H

#include "test/support/Oracle.h"
#include "test/support/Tape.h"
#include "test/support/Tensor.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <vector>

namespace chimera::test::oracle {

using Vector = std::vector<double>;

//===-- Scalars; Tape.h has the same for Var --------------------------------------------------------------------===//

inline double valueOf(double x) {
  return x;
}
using test::valueOf;

/// 1 / (1 + exp(-x)).
double sigmoid(double x);

/// x * sigmoid(x).
double silu(double x);

/// ln(1 + exp(x)), without overflow.
double softplus(double x);

/// The activation of a feed-forward network.
template <typename T> T activated(ActivationKind kind, const T &x) {
  using std::tanh;
  switch (kind) {
  case ActivationKind::Silu:
    return silu(x);
  case ActivationKind::GeluTanh:
    return 0.5 * x * (1.0 + tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
  case ActivationKind::Relu2:
    return valueOf(x) > 0.0 ? x * x : 0.0 * x;
  }
  return x;
}

/// min(max(x, low), high).
double clamp(double x, double low, double high);

/// sum a_i b_i, from i = 0 on.
double dot(const double *a, const double *b, size_t count);

/// `value`: without derivatives there is nothing to let through.
inline double straightThrough(double, double value) {
  return value;
}

/// `x` rounded to the nearest bf16, ties to even; derivatives pass straight through.
double roundedToBfloat16(double x);
Var roundedToBfloat16(const Var &x);

//===-- Vectors -------------------------------------------------------------------------------------------------===//

/// Each element of `x` as an operand: rounded to the nearest bf16, ties to even, or unchanged.
template <typename T = double> std::vector<T> rounded(const std::vector<T> &x, OperandRounding rounding) {
  std::vector<T> y = x;
  if (rounding == OperandRounding::BFloat16)
    for (T &value : y)
      value = roundedToBfloat16(value);
  return y;
}

/// `weight` [out, in] times `x` [in], without a bias. Returns [out].
template <typename T> std::vector<T> linear(const TensorOf<T> &weight, const std::vector<T> &x) {
  size_t outputs = weight.shape.at(0), inputs = weight.shape.at(1);
  assert(x.size() == inputs);
  std::vector<T> y;
  for (size_t row = 0; row < outputs; ++row)
    y.push_back(dot(&weight.values[row * inputs], x.data(), inputs));
  return y;
}

/// The root-mean-square norm of each of `groups` equal parts of `x` by itself; `weight` covers the whole.
template <typename T = double>
std::vector<T> groupedRmsNorm(const std::vector<T> &x, const std::vector<T> &weight, double eps, size_t groups) {
  using std::sqrt;
  size_t size = x.size() / groups;
  std::vector<T> y(x.size());
  for (size_t group = 0; group < groups; ++group) {
    T sumOfSquares = dot(&x[group * size], &x[group * size], size);
    T scale = 1.0 / sqrt(sumOfSquares / static_cast<double>(size) + eps);
    for (size_t i = group * size; i < (group + 1) * size; ++i)
      y[i] = x[i] * scale * weight.at(i);
  }
  return y;
}

/// x / sqrt(mean(x^2) + eps) * weight, element by element.
template <typename T = double>
std::vector<T> rmsNorm(const std::vector<T> &x, const std::vector<T> &weight, double eps) {
  return groupedRmsNorm(x, weight, eps, 1);
}

/// (x - mean) / sqrt(variance + eps) * weight + bias, with the population variance.
template <typename T = double>
std::vector<T> layerNorm(const std::vector<T> &x, const std::vector<T> &weight, const std::vector<T> &bias,
                         double eps) {
  using std::sqrt;
  double count = static_cast<double>(x.size());
  T mean = 0.0, variance = 0.0;
  for (const T &value : x)
    mean += value / count;
  for (const T &value : x)
    variance += (value - mean) * (value - mean) / count;
  std::vector<T> y(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    y[i] = (x[i] - mean) / sqrt(variance + eps) * weight.at(i) + bias.at(i);
  return y;
}

/// One output of a causal depthwise convolution: `history` holds every input so far, the current one last; `weight` is
/// [channels, taps], the last tap meeting the current input. Inputs before the first are zero.
template <typename T>
std::vector<T> causalConvolution(const std::vector<std::vector<T>> &history, const TensorOf<T> &weight,
                                 const std::vector<T> &bias) {
  size_t channels = weight.shape.at(0), taps = weight.shape.at(1);
  std::vector<T> y = bias;
  for (size_t age = 0; age < std::min(taps, history.size()); ++age) {
    const std::vector<T> &x = history[history.size() - 1 - age];
    for (size_t channel = 0; channel < channels; ++channel)
      y.at(channel) += weight.values[channel * taps + (taps - 1 - age)] * x.at(channel);
  }
  return y;
}

/// Elements first .. first+count-1 of `x`.
template <typename T> std::vector<T> slice(const std::vector<T> &x, size_t first, size_t count) {
  return std::vector<T>(x.begin() + static_cast<std::ptrdiff_t>(first),
                        x.begin() + static_cast<std::ptrdiff_t>(first + count));
}

/// a + b.
template <typename T> std::vector<T> add(const std::vector<T> &a, const std::vector<T> &b) {
  std::vector<T> sum(a.size());
  for (size_t i = 0; i < a.size(); ++i)
    sum[i] = a[i] + b.at(i);
  return sum;
}

/// x * factor.
template <typename T> std::vector<T> scaled(std::vector<T> x, double factor) {
  for (T &value : x)
    value *= factor;
  return x;
}

/// ln sum exp(x_k).
template <typename T> T logSumExp(const std::vector<T> &x) {
  using std::exp, std::log;
  double largest = valueOf(x.at(0)); // what is taken out and put back has no derivative
  for (const T &value : x)
    largest = std::max(largest, valueOf(value));
  T sum = 0.0;
  for (const T &value : x)
    sum += exp(value - largest);
  return largest + log(sum);
}

} // namespace chimera::test::oracle

#endif
