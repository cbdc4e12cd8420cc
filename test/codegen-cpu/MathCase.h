// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs elementary functions on numbers, by the vectors of an ISA.
#ifndef CHIMERA_TEST_CODEGENCPU_MATHCASE_H
#define CHIMERA_TEST_CODEGENCPU_MATHCASE_H

#include "codegen/kernel/KernelBuilder.h"
#include "test/codegen-cpu/CpuKernel.h"

namespace chimera::cpu::test {

/// The function of every number; a name stands for one function only. The count is rounded up to a multiple of 16.
std::vector<float> apply(const Isa &isa, const std::string &name, Val (*function)(Val), std::vector<float> x);

/// `count` numbers from low to high.
std::vector<float> range(float low, float high, int count);

/// The distance to the exact value in units of the last place of f32.
double ulps(float value, double exact);

} // namespace chimera::cpu::test

#endif // CHIMERA_TEST_CODEGENCPU_MATHCASE_H
