// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-ref/TrainingCheck.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

/// Five sequences of a slice, the second without a row, in four leaves, the third of them empty.
const Batch batch = wholeSequences({3, 1, 2, 4, 2});
const std::vector<bool> kept = {true, false, true, false, true, true, true, true, true, false, true, true};
const RowSet slice = someRows(batch, kept, 3);
const int64_t rows = slice.count();
const std::vector<int32_t> leafStarts = {0, 2, 4, 4};
const std::vector<int32_t> leaves = leavesOf(leafStarts, 5);

Tensor runForward(const Tensor &x, const Tensor &w, int64_t inputs, int64_t outputs) {
  Launch launch;
  launch.add(slice.start);
  launch.add(x);
  launch.add(w);
  size_t y = addResult(launch, Scalar::F64, rows * outputs);
  compiled(LinearSpec{inputs, outputs, Scalar::F64, Scalar::F64, Scalar::F64}).run(launch, batch.sizes());
  return launch.get<double>(y);
}

Tensor runInputGrad(Types types, const Tensor &dy, const Tensor &w, int64_t inputs, int64_t outputs) {
  Launch launch;
  launch.add(slice.start);
  add(launch, types.operand, dy);
  add(launch, types.operand, w);
  size_t dx = addResult(launch, types.type, rows * inputs);
  compiled(LinearInputGradSpec{inputs, outputs, types.operand, types.type}).run(launch, batch.sizes());
  return get(launch, types.type, dx);
}

Tensor runWeightGrad(Types types, const Tensor &dy, const Tensor &x, int64_t inputs, int64_t outputs,
                     const std::vector<int32_t> &byLeaves = leaves) {
  Launch launch;
  launch.add(byLeaves);
  launch.add(slice.start);
  add(launch, types.operand, dy);
  add(launch, types.operand, x);
  size_t dw = addResult(launch, types.type, inputs * outputs);
  compiled(LinearWeightGradSpec{inputs, outputs, types.operand, types.type}).run(launch, batch.sizes());
  return get(launch, types.type, dw);
}

void checkGradients(int64_t inputs, int64_t outputs) {
  Tensor x = exactTensor(rows * inputs, 1), w = exactTensor(inputs * outputs, 2);
  Tensor dy = exactTensor(rows * outputs, 3);
  Types types{Scalar::F64, Scalar::F64};
  expectGradients({x, w}, {runInputGrad(types, dy, w, inputs, outputs), runWeightGrad(types, dy, x, inputs, outputs)},
                  [&](const Tensors &in) { return inner(runForward(in[0], in[1], inputs, outputs), dy); });
}

TEST(RefTrainingLinear, ProductsHaveTheirGradients) {
  checkGradients(1, 1);
  checkGradients(3, 4);
  checkGradients(5, 2);
}

/// By one fma a product: T is f64 or f32.
template <typename T> void expectSameBits(Types types, int64_t inputs, int64_t outputs) {
  Tensor x = exactTensor(rows * inputs, 1), w = exactTensor(inputs * outputs, 2), dy = exactTensor(rows * outputs, 3);
  Tensor dx, dw;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t c = 0; c < inputs; ++c) {
      T sum = 0;
      for (int64_t n = 0; n < outputs; ++n)
        sum = std::fma(static_cast<T>(dy[i * outputs + n]), static_cast<T>(w[n * inputs + c]), sum);
      dx.push_back(sum);
    }
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t c = 0; c < inputs; ++c) {
      T sums[4] = {};
      for (size_t leaf = 0; leaf < 4; ++leaf)
        for (int32_t j = slice.start[leaves[leaf + 1]]; j < slice.start[leaves[leaf + 2]]; ++j) {
          int64_t i = j - slice.start[0];
          sums[leaf] = std::fma(static_cast<T>(dy[i * outputs + n]), static_cast<T>(x[i * inputs + c]), sums[leaf]);
        }
      dw.push_back((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
  EXPECT_EQ(runInputGrad(types, dy, w, inputs, outputs), dx);
  EXPECT_EQ(runWeightGrad(types, dy, x, inputs, outputs), dw);
}

TEST(RefTrainingLinear, EveryElementIsASumByFmaInOrder) {
  for (int64_t inputs : {1, 63, 64, 65, 130})
    for (Types types : allTypes) {
      if (types.type == Scalar::F64)
        expectSameBits<double>(types, inputs, 7);
      else
        expectSameBits<float>(types, inputs, 7);
    }
}

TEST(RefTrainingLinear, LeavesAreTheirHalvesAdded) {
  constexpr int64_t inputs = 3, outputs = 2;
  Types types{Scalar::F32, Scalar::F32};
  Tensor x = randomVector<double>(rows * inputs, 1), dy = randomVector<double>(rows * outputs, 2);
  Tensor whole = runWeightGrad(types, dy, x, inputs, outputs);
  Tensor left = runWeightGrad(types, dy, x, inputs, outputs, leavesOf({0, 2}, 4));
  Tensor right = runWeightGrad(types, dy, x, inputs, outputs, leavesOf({4, 4}, 5));
  for (size_t i = 0; i < whole.size(); ++i)
    EXPECT_EQ(whole[i], static_cast<float>(left[i]) + static_cast<float>(right[i]));
}

template <typename T> void checkEmbedding(int64_t width) {
  constexpr int64_t vocab = 5;
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < batch.tokens(); ++i)
    tokens.push_back(static_cast<int32_t>(i * i % 4)); // 4 never comes
  std::vector<T> dx = randomVector<T>(batch.tokens() * width, 4), expected;
  Launch launch;
  launch.add(leaves);
  launch.add(batch.start);
  launch.add(tokens);
  launch.add(dx);
  size_t dtable = addResult(launch, scalarOf<T>, vocab * width);
  compiled(EmbedGradSpec{vocab, width, scalarOf<T>}).run(launch, batch.sizes());
  for (int64_t v = 0; v < vocab; ++v)
    for (int64_t c = 0; c < width; ++c) {
      T sums[4] = {};
      for (size_t leaf = 0; leaf < 4; ++leaf)
        for (int32_t r = batch.start[leaves[leaf + 1]]; r < batch.start[leaves[leaf + 2]]; ++r)
          if (tokens[r] == v)
            sums[leaf] += dx[r * width + c];
      expected.push_back((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
  EXPECT_EQ(launch.get<T>(dtable), expected);
}

TEST(RefTrainingLinear, TheEmbeddingSumsTheRowsOfEachToken) {
  for (int64_t width : {1, 6, 1023, 1024, 1030}) {
    checkEmbedding<double>(width);
    checkEmbedding<float>(width);
  }
}

} // namespace
