// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tests of the row by row kernels of training share: one launch for a cpu and a ref kernel.
#ifndef CHIMERA_TEST_CODEGENCPU_TRAININGROWWISECASE_H
#define CHIMERA_TEST_CODEGENCPU_TRAININGROWWISECASE_H

#include "codegen/cpu/TrainingRowwise.h"
#include "codegen/ref/TrainingKernels.h"
#include "test/codegen-cpu/CpuKernel.h"

#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test::training {

/// Adds `size` results, NaN until a kernel writes them.
template <typename T> size_t addResult(Launch &launch, int64_t size) {
  return launch.add(std::vector<T>(size, std::numeric_limits<T>::quiet_NaN()));
}

/// The cpu kernel leaves the bytes of the ref kernel in the buffers `results`, on every ISA.
template <typename RefSpec, typename CpuSpec>
void expectRefBits(const RefSpec &refSpec, const CpuSpec &spec, const Launch &launch,
                   const std::vector<size_t> &results, const StepSizes &sizes,
                   const std::vector<int64_t> &constants = {}) {
  Launch reference = launch;
  ref::test::runKernel(refSpec, reference, sizes, constants);
  for (const Isa &isa : hostIsas()) {
    Launch own = launch;
    runKernel(isa, spec, own, sizes, constants);
    for (size_t place : results)
      EXPECT_TRUE(own.get<uint8_t>(place) == reference.get<uint8_t>(place)) << isa.name << ", buffer " << place;
  }
}

} // namespace chimera::cpu::test::training

#endif // CHIMERA_TEST_CODEGENCPU_TRAININGROWWISECASE_H
