// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingProducts.h"
#include "test/codegen-cpu/LinearCase.h"
#include "test/codegen-cpu/TrainingCase.h"

#include <cmath>
#include <gtest/gtest.h>

namespace chimera::cpu::test {

namespace {

/// Products of training of one shape.
struct ProductCase {
  TrainingRows rows;
  int64_t inputs, outputs;
  Scalar operand;
  std::vector<float> x, dy;

  ProductCase(TrainingRows rows, int64_t inputs, int64_t outputs, Scalar operand)
      : rows(std::move(rows)), inputs(inputs), outputs(outputs), operand(operand) {
    // Their sums are rounded.
    x = ref::test::randomVector<float>(this->rows.count() * inputs, 1);
    dy = ref::test::randomVector<float>(this->rows.count() * outputs, 2);
    if (operand == Scalar::BF16) {
      x = exactNumbers(this->rows.count() * inputs, 1);
      dy = exactNumbers(this->rows.count() * outputs, 2);
    }
  }
};

std::vector<float> weightGrad(const ProductCase &c, const std::vector<int32_t> &leaves,
                              llvm::function_ref<void(Launch &)> run) {
  Launch launch;
  launch.add(leaves);
  launch.add(c.rows.slice.start);
  addOperand(launch, c.operand, c.dy);
  addOperand(launch, c.operand, c.x);
  size_t dw = addResult(launch, c.inputs * c.outputs);
  run(launch);
  return launch.get<float>(dw);
}

std::vector<float> cpuWeightGrad(const Isa &isa, const ProductCase &c, const std::vector<int32_t> &leaves) {
  return weightGrad(c, leaves, [&](Launch &launch) {
    runKernel(isa, WeightGradSpec{c.inputs, c.outputs, c.operand}, launch, c.rows.batch.sizes());
  });
}

std::vector<float> refWeightGrad(const ProductCase &c) {
  return weightGrad(c, c.rows.leaves, [&](Launch &launch) {
    ref::test::runKernel(ref::LinearWeightGradSpec{c.inputs, c.outputs, c.operand, Scalar::F32}, launch,
                         c.rows.batch.sizes());
  });
}

/// Whether weights' gradients of these operands are the chains of the ref kernel.
bool sameChain(const Isa &isa, Scalar operand) {
  return operand == Scalar::F32 || !(isa.dotBF16 || isa.tileBF16);
}

void expectWeightGrad(const Isa &isa, const ProductCase &c) {
  std::vector<float> expected = refWeightGrad(c), found = cpuWeightGrad(isa, c, c.rows.leaves);
  std::string what = isa.name + " " + std::to_string(c.inputs) + "x" + std::to_string(c.outputs);
  if (sameChain(isa, c.operand))
    return expectSameBits(found, expected, what);
  // Terms are at most 1, partial sums at most the number of rows, each rounded twice.
  double rows = static_cast<double>(c.rows.count()), tolerance = 2 * rows * rows * 0x1p-24;
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], expected[i], tolerance) << what << ", element " << i;
}

const std::vector<std::pair<int64_t, int64_t>> shapes = {{1, 1},   {3, 4},   {16, 7},   {64, 64},
                                                         {65, 50}, {96, 17}, {260, 97}, {128, 48}};

/// More rows than a chunk in a leaf, fewer, none; odd numbers of them.
TrainingRows raggedRows() {
  return trainingRows({3, 1, 130, 4, 2, 77, 1, 5}, {0, 2, 3, 3, 5, 6, 6, 7});
}

TEST(CpuWeightGrad, IsTheRefKernels) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16})
      for (auto [inputs, outputs] : shapes)
        expectWeightGrad(isa, ProductCase(raggedRows(), inputs, outputs, operand));
}

TEST(CpuWeightGrad, TakesAnyNumberOfLeaves) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16})
      for (int64_t count : {1, 2, 4, 8, 16}) {
        std::vector<int32_t> first;
        for (int32_t i = 0; i < count; ++i)
          first.push_back(i);
        TrainingRows rows = trainingRows(std::vector<int64_t>(count, 5), first, 4);
        expectWeightGrad(isa, ProductCase(rows, 20, 20, operand));
      }
}

TEST(CpuWeightGrad, OneRowAndNone) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16}) {
      expectWeightGrad(isa, ProductCase(trainingRows({1, 0}, {0, 1}), 40, 24, operand));
      expectWeightGrad(isa, ProductCase(trainingRows({0, 0}, {0, 1}), 40, 24, operand));
    }
}

TEST(CpuWeightGrad, LeavesAreTheirHalvesAdded) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16}) {
      ProductCase c(raggedRows(), 70, 33, operand);
      std::vector<float> whole = cpuWeightGrad(isa, c, c.rows.leaves);
      std::vector<float> left = cpuWeightGrad(isa, c, leavesOf({0, 2, 3, 3}, 5));
      std::vector<float> right = cpuWeightGrad(isa, c, leavesOf({5, 6, 6, 7}, 8));
      for (size_t i = 0; i < whole.size(); ++i)
        ASSERT_EQ(whole[i], left[i] + right[i]) << isa.name << ", element " << i;
    }
}

std::vector<float> transposedOf(const std::vector<float> &w, int64_t rows, int64_t columns) {
  std::vector<float> turned(w.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      turned[c * rows + r] = w[r * columns + c];
  return turned;
}

/// The product of random rows with weights that the pack kernel packed, or the test.
void expectPacks(const Isa &isa, int64_t rows, int64_t columns, bool transposed, Scalar operand) {
  WeightFormat format = operand == Scalar::F32 ? WeightFormat::F32 : WeightFormat::BF16;
  LinearSpec linear;
  linear.inputs = transposed ? rows : columns;
  linear.outputs = transposed ? columns : rows;
  linear.in = operand;
  linear.weight = format;
  TrainingRows some = trainingRows({3, 1, 14}, {0});
  LinearCase problem = randomCase(linear, some.batch, some.slice, 7);
  std::vector<float> w = ref::test::randomVector<float>(rows * columns, 8);
  Matrix &matrix = problem.weights[0];
  matrix.values = transposed ? transposedOf(w, rows, columns) : w;
  PackSpec spec{rows, columns, transposed, packedLayout(isa, linear)};
  std::vector<uint8_t> bytes;
  {
    Launch launch;
    launch.add(w);
    size_t packed = addResult(launch, packedWords(spec));
    runKernel(isa, spec, launch, {});
    bytes = launch.get<uint8_t>(packed);
  }
  ASSERT_EQ(bytes.size(), packed(spec.layout, problem.weights).size());
  // Rounded as the test packs it.
  std::vector<float> expected = run(isa, problem);
  Launch launch;
  problem.rows.addTo(launch, problem.batch);
  addOperand(launch, operand, problem.x);
  launch.add(bytes);
  size_t out = launch.add(problem.before);
  runKernel(isa, linear, launch, problem.batch.sizes());
  expectSameBits(launch.get<float>(out), expected,
                 isa.name + " " + std::to_string(rows) + "x" + std::to_string(columns) + (transposed ? "t" : ""));
}

TEST(CpuPack, ProductsAreThoseOfWeightsPackedAhead) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16})
      for (auto [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {4, 64}, {64, 64}, {65, 33}, {130, 300}})
        for (bool transposed : {false, true})
          expectPacks(isa, rows, columns, transposed, operand);
}

} // namespace

} // namespace chimera::cpu::test
