// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tests of training kernels share: launches whose tensors are given as f64 whatever the kernel's types,
// derivatives by finite differences, leaves.
#ifndef CHIMERA_TEST_CODEGENREF_TRAININGCHECK_H
#define CHIMERA_TEST_CODEGENREF_TRAININGCHECK_H

#include "codegen/ref/TrainingKernels.h"
#include "test/codegen-support/KernelJit.h"

#include <functional>

namespace chimera::ref::test {

using Tensor = std::vector<double>;
using Tensors = std::vector<Tensor>;

/// A kernel's machine code.
struct Compiled {
  KernelFunction function = nullptr;
  Grid grid;

  void run(Launch &launch, const StepSizes &sizes, std::vector<int64_t> constants = {}) const {
    if (function)
      launch.run(function, grid, sizes, std::move(constants));
  }
};

/// Compiles the kernel that `emit` puts into a module, or finds it compiled.
Compiled compileKernel(const std::function<Kernel(mlir::ModuleOp)> &emit);
template <typename Spec> Compiled compiled(const Spec &spec) {
  return compileKernel([&](mlir::ModuleOp module) { return getOrEmit(module, spec); });
}

/// The types of a kernel's operands and of all else.
struct Types {
  Scalar operand, type;
};
inline const std::vector<Types> allTypes = {
    {Scalar::F64, Scalar::F64}, {Scalar::F32, Scalar::F32}, {Scalar::BF16, Scalar::F32}};
/// How near an f32 result comes to that of f64 in these tests; f64 itself.
inline double toleranceOf(Scalar type) {
  return type == Scalar::F64 ? 1e-13 : 2e-5;
}

/// Adds a tensor, rounded to `type`; for results it may be all NaN, so that what a kernel leaves out is seen.
size_t add(Launch &launch, Scalar type, const Tensor &values);
size_t addResult(Launch &launch, Scalar type, int64_t size);
Tensor get(const Launch &launch, Scalar type, size_t place);

/// Random numbers in [-1, 1) that every type holds exactly.
Tensor exactTensor(int64_t size, uint64_t seed);

/// A step of several sequences in slots 0, 1, ..., from position 0.
Batch wholeSequences(const std::vector<int64_t> &lengths);

/// The leaves buffer: leaf i begins with sequence first[i].
std::vector<int32_t> leavesOf(const std::vector<int32_t> &first, int64_t sequences);

/// sum_i a_i b_i.
double inner(const Tensor &a, const Tensor &b);

/// The sums of the columns of x [., width].
Tensor columnSums(const Tensor &x, int64_t width);

/// Expects gradients[i][j] = d objective / d operands[i][j] by five-point differences, for each i that has gradients
/// and each j that is a multiple of `step`.
void expectGradients(const Tensors &operands, const Tensors &gradients,
                     const std::function<double(const Tensors &)> &objective, size_t step = 1);

} // namespace chimera::ref::test

#endif // CHIMERA_TEST_CODEGENREF_TRAININGCHECK_H
