// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products for tests: random operands, weights packed as a kernel wants them, the result by the ref kernels.
#ifndef CHIMERA_TEST_CODEGENCPU_LINEARCASE_H
#define CHIMERA_TEST_CODEGENCPU_LINEARCASE_H

#include "test/codegen-cpu/CpuKernel.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace chimera::cpu::test {

/// A matrix [outputs, inputs] whose numbers the format holds exactly.
struct Matrix {
  int64_t outputs = 0, inputs = 0;
  std::vector<float> values;
  // Quantised formats only: values[n][k] = numbers[n][k] * 2^exponents[n][k / 32].
  std::vector<int8_t> numbers, exponents;
};

/// Random numbers in [-1, 1); quantised: random numbers of the format with exponents in [-12, -4].
Matrix randomMatrix(WeightFormat format, int64_t outputs, int64_t inputs, uint64_t seed);

/// The matrix, or two interleaved, as `layout` says.
std::vector<uint8_t> packed(const PackedLayout &layout, const std::vector<Matrix> &matrices);

/// The operands of one launch: all that is independent of the ISA.
struct LinearCase {
  LinearSpec spec;
  Batch batch;
  RowSet rows;
  std::vector<float> x; // [., stride], numbers of spec.in
  std::vector<Matrix> weights;
  std::vector<float> gate, before; // f32 [N] if gated; what out holds, numbers of spec.out
};

/// Random operands. x and out have a row for each row of the batch.
LinearCase randomCase(const LinearSpec &spec, const Batch &batch, const RowSet &rows, uint64_t seed);

/// What out holds after the kernel, as f32.
std::vector<float> run(const Isa &isa, const LinearCase &problem);
/// The same, the buffers being laid out for `isa` and run by `runLaunch`.
std::vector<float> run(const Isa &isa, const LinearCase &problem, llvm::function_ref<void(Launch &)> runLaunch);

/// The sums of the rows times each matrix by the ref kernel: [rows, outputs] a matrix.
std::vector<std::vector<float>> refSums(const LinearCase &problem);
/// What out should hold: the ref kernels' sums and activations.
std::vector<float> refResult(const LinearCase &problem);

/// Expects equal bits, NaNs being equal to NaNs.
void expectSameBits(const std::vector<float> &a, const std::vector<float> &b, const std::string &what);

/// The rows of x that the product reads, compact, [., inputs].
std::vector<float> rowsRead(const LinearCase &problem);

} // namespace chimera::cpu::test

#endif // CHIMERA_TEST_CODEGENCPU_LINEARCASE_H
