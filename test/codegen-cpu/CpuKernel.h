// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs cpu kernels beside ref kernels, on every ISA that this machine has.
#ifndef CHIMERA_TEST_CODEGENCPU_CPUKERNEL_H
#define CHIMERA_TEST_CODEGENCPU_CPUKERNEL_H

#include "codegen/cpu/Kernels.h"
#include "test/codegen-support/KernelJit.h"

namespace chimera::cpu::test {

using ref::test::Batch;
using ref::test::Launch;
using ref::test::RowSet;
using ref::test::StepSizes;

/// The ISAs of allIsas() whose features this machine has.
const std::vector<Isa> &hostIsas();

/// A module for the kernels of one ISA.
std::unique_ptr<ref::test::KernelJit> makeJit(const Isa &isa);

/// Compiles a kernel, or finds it compiled, and runs it.
template <typename Spec>
void runKernel(const Isa &isa, const Spec &spec, Launch &launch, const StepSizes &sizes,
               std::vector<int64_t> constants = {}) {
  static std::map<std::pair<std::string, std::string>, ref::test::KernelFunction> compiled;
  static std::vector<std::unique_ptr<ref::test::KernelJit>> keepers;
  auto jit = makeJit(isa);
  Kernel kernel = getOrEmit(jit->module(), isa, spec);
  auto [found, isNew] = compiled.try_emplace({isa.name, kernel.symbol}, nullptr);
  if (isNew) {
    found->second = jit->compile(kernel.symbol);
    keepers.push_back(std::move(jit));
  }
  if (found->second)
    launch.run(found->second, kernel.grid, sizes, std::move(constants));
}

/// The same numbers as bf16.
std::vector<uint16_t> toBF16(const std::vector<float> &values);

} // namespace chimera::cpu::test

#endif // CHIMERA_TEST_CODEGENCPU_CPUKERNEL_H
