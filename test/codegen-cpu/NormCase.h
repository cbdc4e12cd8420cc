// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rows that the tests of norms run on.
#ifndef CHIMERA_TEST_CODEGENCPU_NORMCASE_H
#define CHIMERA_TEST_CODEGENCPU_NORMCASE_H

#include "test/codegen-cpu/CpuKernel.h"

namespace chimera::cpu::test::norm {

/// Four sequences of which one has no rows in this rows value; the slice starts inside a longer index.
inline const std::vector<int32_t> start = {5, 7, 7, 8, 11};
inline constexpr int64_t rows = 6;
/// More tokens in the step than rows here.
inline StepSizes sizesOf(const std::vector<int32_t> &starts) {
  return {9, static_cast<int64_t>(starts.size()) - 1};
}
inline constexpr double eps = 1e-5;

} // namespace chimera::cpu::test::norm

#endif // CHIMERA_TEST_CODEGENCPU_NORMCASE_H
