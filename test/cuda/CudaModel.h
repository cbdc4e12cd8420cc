// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model whose binary for cuda runs by the library that stands for NVIDIA's driver (FakeDriver.cpp).
#ifndef CHIMERA_TEST_CUDA_CUDAMODEL_H
#define CHIMERA_TEST_CUDA_CUDAMODEL_H

#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace chimera::test {

class CudaModelTest : public testing::Test {
protected:
  /// A model with all four modes and its weights, model.safetensors.
  CudaModelTest();

  static ProcessResult must(const std::vector<std::string> &command);

  /// Makes its binaries, sim.chm and cuda.chm.
  void compile(const std::string &dtype = "f32") const;

  /// A command in the environment that the binaries need, and more of it.
  std::vector<std::string> withDriver(const std::vector<std::string> &command,
                                      const std::vector<std::string> &environment = {}) const;

  /// Runs the binary for a target, with more of the environment.
  ProcessResult run(const std::string &target, const std::vector<std::string> &options,
                    const std::vector<std::string> &environment = {}) const;

  /// The error of a run of the cuda binary that must fail: one line.
  std::string errorOf(const std::vector<std::string> &environment) const;

  TemporaryDirectory folder;
};

} // namespace chimera::test

#endif // CHIMERA_TEST_CUDA_CUDAMODEL_H
