// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The scalar and vector functions from which the oracle is written: plain loops over doubles.
#ifndef CHIMERA_TEST_SUPPORT_ORACLEMATH_H
#define CHIMERA_TEST_SUPPORT_ORACLEMATH_H

#include "test/support/Oracle.h"
#include "test/support/Tensor.h"

#include <cstddef>
#include <vector>

namespace chimera::test::oracle {

using Vector = std::vector<double>;

/// 1 / (1 + exp(-x)).
double sigmoid(double x);

/// x * sigmoid(x).
double silu(double x);

/// ln(1 + exp(x)), without overflow.
double softplus(double x);

/// Each element of `x` as an operand: rounded to the nearest bf16, ties to even, or unchanged.
Vector rounded(const Vector &x, OperandRounding rounding);

/// `weight` [out, in] times `x` [in], without a bias. Returns [out].
Vector linear(const Tensor &weight, const Vector &x);

/// x / sqrt(mean(x^2) + eps) * weight, element by element.
Vector rmsNorm(const Vector &x, const Vector &weight, double eps);

/// (x - mean) / sqrt(variance + eps) * weight + bias, with the population variance.
Vector layerNorm(const Vector &x, const Vector &weight, const Vector &bias, double eps);

/// The root-mean-square norm of each of `groups` equal parts of `x` by itself; `weight` covers the whole.
Vector groupedRmsNorm(const Vector &x, const Vector &weight, double eps, size_t groups);

/// One output of a causal depthwise convolution: `history` holds every input so far, the current one last; `weight` is
/// [channels, taps], the last tap meeting the current input. Inputs before the first are zero.
Vector causalConvolution(const std::vector<Vector> &history, const Tensor &weight, const Vector &bias);

/// Elements first .. first+count-1 of `x`.
Vector slice(const Vector &x, size_t first, size_t count);

/// a + b.
Vector add(const Vector &a, const Vector &b);

/// ln sum exp(x_k).
double logSumExp(const Vector &x);

} // namespace chimera::test::oracle

#endif
