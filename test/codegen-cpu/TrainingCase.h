// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tests of training kernels share: ragged slices in leaves, operands of either type.
#ifndef CHIMERA_TEST_CODEGENCPU_TRAININGCASE_H
#define CHIMERA_TEST_CODEGENCPU_TRAININGCASE_H

#include "codegen/ref/TrainingKernels.h"
#include "test/codegen-cpu/CpuKernel.h"

#include <limits>

namespace chimera::cpu::test {

/// A slice of whole sequences, and its leaves.
struct TrainingRows {
  Batch batch;
  RowSet slice;
  std::vector<int32_t> leaves;
  int64_t count() const { return slice.count(); }
};

/// The leaves buffer: leaf i begins with sequence first[i].
inline std::vector<int32_t> leavesOf(const std::vector<int32_t> &first, int64_t sequences) {
  std::vector<int32_t> leaves(ir::leavesLength, 0);
  leaves[0] = static_cast<int32_t>(first.size());
  std::copy(first.begin(), first.end(), leaves.begin() + 1);
  leaves[first.size() + 1] = static_cast<int32_t>(sequences);
  return leaves;
}

/// Sequences of these lengths; every `every`-th row is left out of the slice, which starts inside a longer index.
inline TrainingRows trainingRows(const std::vector<int64_t> &lengths, const std::vector<int32_t> &firstOfLeaf,
                                 int64_t every = 3) {
  std::vector<int32_t> slots;
  for (size_t s = 0; s < lengths.size(); ++s)
    slots.push_back(static_cast<int32_t>(s));
  Batch batch(lengths, slots, std::vector<int64_t>(lengths.size(), 0));
  std::vector<bool> keep;
  for (int64_t r = 0; r < batch.tokens(); ++r)
    keep.push_back(r % every != 1);
  RowSet slice = ref::test::someRows(batch, keep, 3);
  return {batch, slice, leavesOf(firstOfLeaf, static_cast<int64_t>(lengths.size()))};
}

/// The numbers in [-1, 1) that both types hold.
inline std::vector<float> exactNumbers(int64_t count, uint64_t seed) {
  auto values = ref::test::randomVector<float>(count, seed);
  for (float &value : values)
    value = ref::test::fromBF16(ref::test::toBF16(value));
  return values;
}

inline size_t addOperand(Launch &launch, Scalar type, const std::vector<float> &values) {
  return type == Scalar::BF16 ? launch.add(toBF16(values)) : launch.add(values);
}

/// A result that is all NaN, so that what a kernel leaves out is seen.
inline size_t addResult(Launch &launch, int64_t count) {
  return launch.add(std::vector<float>(count, std::numeric_limits<float>::quiet_NaN()));
}

} // namespace chimera::cpu::test

#endif // CHIMERA_TEST_CODEGENCPU_TRAININGCASE_H
