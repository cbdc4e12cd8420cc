// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "test/codegen-cpu/LinearCase.h"

#include <cmath>
#include <gtest/gtest.h>

namespace chimera::cpu::test {

namespace {

/// Three sequences, one empty.
Batch ragged() {
  return Batch({7, 0, 13}, {2, 0, 1}, {0, 0, 40});
}

/// Every third row left out, after 5 entries of other rows.
RowSet slice(const Batch &batch) {
  std::vector<bool> keep;
  for (int64_t r = 0; r < batch.tokens(); ++r)
    keep.push_back(r % 3 != 1);
  return someRows(batch, keep, 5);
}

LinearSpec productOf(int64_t inputs, int64_t outputs, Scalar in = Scalar::F32) {
  LinearSpec spec;
  spec.inputs = inputs;
  spec.outputs = outputs;
  spec.in = in;
  spec.weight = in == Scalar::F32 ? WeightFormat::F32 : WeightFormat::BF16;
  return spec;
}

void expectRefBits(const LinearSpec &spec, const std::string &what) {
  Batch batch = ragged();
  LinearCase problem = randomCase(spec, batch, slice(batch), 11);
  std::vector<float> expected = refResult(problem);
  for (const Isa &isa : hostIsas())
    expectSameBits(run(isa, problem), expected, isa.name + " " + what);
}

/// Expects activations within 4 ulp of ref's f64 ones (2 of exp, one each of the sum and the quotient), the product
/// with `up` and, for bf16, one unit of 2^-8 where the two round to either side.
void expectRefActivation(const LinearSpec &spec, const std::string &what) {
  Batch batch = ragged();
  LinearCase problem = randomCase(spec, batch, slice(batch), 12);
  std::vector<float> expected = refResult(problem);
  // An ulp of GELU's exponent, a polynomial of some tens here, is some ulps of the result.
  double roundings = spec.activation == Activation::GeluTanh ? 64 : 5;
  double tolerance = spec.out == Scalar::BF16 ? 0x1p-8 : roundings * 0x1p-23;
  for (const Isa &isa : hostIsas()) {
    std::vector<float> y = run(isa, problem);
    for (size_t i = 0; i < y.size(); ++i)
      ASSERT_LE(std::abs(y[i] - expected[i]), tolerance * std::abs(expected[i]))
          << isa.name << " " << what << ", element " << i << ": " << y[i] << " and " << expected[i];
  }
}

} // namespace

TEST(CpuLinearEpilogue, GathersRowsAndReadsColumnsOfWiderOnes) {
  LinearSpec spec = productOf(21, 70);
  expectRefBits(spec, "compact");
  spec.gather = true;
  expectRefBits(spec, "gathered");
  spec.x = {50, 13};
  expectRefBits(spec, "gathered columns");
  spec.gather = false;
  expectRefBits(spec, "columns");
}

TEST(CpuLinearEpilogue, RoundsToTheTypeOfOut) {
  for (int64_t outputs : {64, 70}) {
    LinearSpec spec = productOf(21, outputs);
    spec.out = Scalar::BF16;
    expectRefBits(spec, "rounded");
  }
}

TEST(CpuLinearEpilogue, AddsToTheResidualStream) {
  LinearSpec spec = productOf(21, 70);
  spec.epilogue = Epilogue::Residual;
  expectRefBits(spec, "added");
  spec.scatter = true;
  expectRefBits(spec, "added to scattered rows");
  spec.gated = true;
  expectRefBits(spec, "gated, added to scattered rows");
  spec.scatter = false;
  spec.gather = true;
  expectRefBits(spec, "gathered, gated, added");
}

const Activation activations[] = {Activation::Silu, Activation::GeluTanh, Activation::Relu2};

TEST(CpuLinearEpilogue, AppliesActivations) {
  for (Activation activation : activations) {
    LinearSpec spec = productOf(21, 70);
    spec.epilogue = Epilogue::Activate;
    spec.activation = activation;
    expectRefActivation(spec, nameOf(activation));
    spec.out = Scalar::BF16;
    expectRefActivation(spec, nameOf(activation) + " rounded");
  }
}

TEST(CpuLinearEpilogue, GatesInterleavedMatrices) {
  for (Activation activation : activations)
    for (int64_t outputs : {6, 70, 200}) {
      LinearSpec spec = productOf(21, outputs);
      spec.epilogue = Epilogue::Glu;
      spec.activation = activation;
      expectRefActivation(spec, "gated " + nameOf(activation));
    }
  // Sums of 21 products of 8 bits and silu of them, rounded to bf16: another order of the sums shows in one unit too.
  LinearSpec spec = productOf(21, 70);
  spec.epilogue = Epilogue::Glu;
  spec.activation = Activation::Silu;
  spec.out = Scalar::BF16;
  spec.gather = true;
  expectRefActivation(spec, "gathered, gated, rounded");
}

} // namespace chimera::cpu::test
