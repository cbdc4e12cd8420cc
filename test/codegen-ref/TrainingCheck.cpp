// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-ref/TrainingCheck.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::ref::test {

Compiled compileKernel(const std::function<Kernel(mlir::ModuleOp)> &emit) {
  static std::map<std::string, KernelFunction> functions;
  static std::vector<std::unique_ptr<KernelJit>> keepers;
  static KernelJit seen; // holds every kernel, so that asking for one again costs nothing
  Kernel kernel = emit(seen.module());
  for (char c : kernel.symbol)
    EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(c)) || c == '_') << kernel.symbol;
  auto [found, isNew] = functions.try_emplace(kernel.symbol, nullptr);
  if (isNew) {
    keepers.push_back(std::make_unique<KernelJit>());
    emit(keepers.back()->module());
    found->second = keepers.back()->compile(kernel.symbol);
  }
  return {found->second, kernel.grid};
}

size_t add(Launch &launch, Scalar type, const Tensor &values) {
  if (type == Scalar::F64)
    return launch.add(values);
  std::vector<float> narrow(values.begin(), values.end());
  if (type == Scalar::F32)
    return launch.add(narrow);
  std::vector<uint16_t> bits;
  for (float v : narrow)
    bits.push_back(toBF16(v));
  return launch.add(bits);
}

size_t addResult(Launch &launch, Scalar type, int64_t size) {
  return add(launch, type, Tensor(size, std::numeric_limits<double>::quiet_NaN()));
}

Tensor get(const Launch &launch, Scalar type, size_t place) {
  if (type == Scalar::F64)
    return launch.get<double>(place);
  Tensor values;
  if (type == Scalar::F32)
    for (float v : launch.get<float>(place))
      values.push_back(v);
  else
    for (uint16_t bits : launch.get<uint16_t>(place))
      values.push_back(fromBF16(bits));
  return values;
}

Tensor exactTensor(int64_t size, uint64_t seed) {
  Tensor values = randomVector<double>(size, seed);
  for (double &v : values)
    v = fromBF16(toBF16(static_cast<float>(v)));
  return values;
}

Batch wholeSequences(const std::vector<int64_t> &lengths) {
  std::vector<int32_t> slots;
  for (size_t s = 0; s < lengths.size(); ++s)
    slots.push_back(static_cast<int32_t>(s));
  return Batch(lengths, slots, std::vector<int64_t>(lengths.size(), 0));
}

std::vector<int32_t> leavesOf(const std::vector<int32_t> &first, int64_t sequences) {
  std::vector<int32_t> leaves(ir::leavesLength, 0);
  leaves[0] = static_cast<int32_t>(first.size());
  std::copy(first.begin(), first.end(), leaves.begin() + 1);
  leaves[first.size() + 1] = static_cast<int32_t>(sequences);
  return leaves;
}

double inner(const Tensor &a, const Tensor &b) {
  EXPECT_EQ(a.size(), b.size());
  double sum = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    sum += a[i] * b[i];
  return sum;
}

Tensor columnSums(const Tensor &x, int64_t width) {
  Tensor sums(width);
  for (size_t i = 0; i < x.size(); ++i)
    sums[i % width] += x[i];
  return sums;
}

void expectGradients(const Tensors &operands, const Tensors &gradients,
                     const std::function<double(const Tensors &)> &objective, size_t step) {
  ASSERT_LE(gradients.size(), operands.size());
  // The formula's own error is h^4 / 30 of the fifth derivative, and about 1e-13 of the objective by rounding.
  constexpr double h = 1e-3;
  Tensors moved = operands;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i].empty())
      continue;
    ASSERT_EQ(gradients[i].size(), operands[i].size()) << "operand " << i;
    for (size_t j = 0; j < operands[i].size(); j += step) {
      auto at = [&](double offset) {
        moved[i][j] = operands[i][j] + offset;
        return objective(moved);
      };
      double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
      moved[i][j] = operands[i][j];
      ASSERT_LE(std::abs(gradients[i][j] - slope), 1e-6 * std::abs(slope) + 1e-9)
          << "operand " << i << ", element " << j << ": " << gradients[i][j] << ", by differences " << slope;
    }
  }
}

} // namespace chimera::ref::test
