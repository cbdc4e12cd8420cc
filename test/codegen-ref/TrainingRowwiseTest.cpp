// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/kernel/KernelBuilder.h"
#include "test/codegen-ref/TrainingCheck.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

/// Four rows of a slice that begins at 2; three sequences, the second without a row.
const std::vector<int32_t> start = {2, 4, 4, 6};
constexpr int64_t rows = 4;
const StepSizes sizes{7, 3};

/// Runs a kernel row by row: start, operands, results of these sizes.
template <typename Spec>
Tensors runRows(const Spec &spec, const Tensors &operands, const std::vector<int64_t> &results) {
  static_assert(std::is_same_v<decltype(spec.type), Scalar>);
  Compiled kernel = compiled(spec);
  Launch launch;
  launch.add(start);
  for (const Tensor &operand : operands)
    add(launch, spec.type, operand);
  std::vector<size_t> places;
  for (int64_t size : results)
    places.push_back(addResult(launch, spec.type, size));
  kernel.run(launch, sizes);
  Tensors values;
  for (size_t place : places)
    values.push_back(get(launch, spec.type, place));
  return values;
}

/// The kernel in f32 gives what it gives in f64, nearly.
template <typename Spec> void expectSameInF32(Spec spec, const Tensors &operands, const std::vector<int64_t> &results) {
  spec.type = Scalar::F64;
  Tensors wide = runRows(spec, operands, results);
  spec.type = Scalar::F32;
  Tensors narrow = runRows(spec, operands, results);
  for (size_t i = 0; i < wide.size(); ++i)
    expectNear(narrow[i], wide[i], toleranceOf(Scalar::F32));
}

void checkNorm(NormKind kind, int64_t width) {
  Tensor x = exactTensor(rows * width, 1), w = exactTensor(width, 2), b = exactTensor(width, 3);
  Tensor dy = exactTensor(rows * width, 4);
  NormGradSpec spec{width, kind, 1e-2, Scalar::F64};
  Tensors got = runRows(spec, {x, w, dy}, {rows * width, rows * width});
  auto objective = [&](const Tensors &in) {
    Tensors operands = {in[0], in[1]};
    if (kind == NormKind::Layer)
      operands.push_back(in[2]);
    return inner(runRows(NormSpec{width, kind, 1e-2, Scalar::F64}, operands, {rows * width})[0], dy);
  };
  Tensor db = kind == NormKind::Layer ? columnSums(dy, width) : Tensor();
  expectGradients({x, w, b}, {got[0], columnSums(got[1], width), db}, objective);
  expectSameInF32(spec, {x, w, dy}, {rows * width, rows * width});
}

TEST(RefTrainingRowwise, NormsHaveTheirGradients) {
  for (int64_t width : {1, 2, 7}) {
    checkNorm(NormKind::RMS, width);
    checkNorm(NormKind::Layer, width);
  }
}

TEST(RefTrainingRowwise, NormsOfGroupsHaveTheirGradients) {
  constexpr int64_t width = 12;
  for (int64_t groups : {2, 3, 6}) {
    int64_t size = width / groups;
    Tensor x = exactTensor(rows * width, 1), w = exactTensor(size, 2), dy = exactTensor(rows * width, 4);
    NormGradSpec spec{width, NormKind::RMS, 1e-2, Scalar::F64, groups};
    Tensors got = runRows(spec, {x, w, dy}, {rows * width, rows * size});
    auto objective = [&](const Tensors &in) {
      return inner(runRows(NormSpec{width, NormKind::RMS, 1e-2, Scalar::F64, groups}, in, {rows * width})[0], dy);
    };
    expectGradients({x, w}, {got[0], columnSums(got[1], size)}, objective);
    expectSameInF32(spec, {x, w, dy}, {rows * width, rows * size});
  }
}

TEST(RefTrainingRowwise, ANormWithAUnitOffsetHasItsGradient) {
  constexpr int64_t width = 6;
  for (int64_t groups : {1, 2}) {
    int64_t size = width / groups;
    Tensor x = exactTensor(rows * width, 1), w = exactTensor(size, 2), dy = exactTensor(rows * width, 4);
    NormGradSpec spec{width, NormKind::RMS, 1e-2, Scalar::F64, groups, /*unitOffset=*/true};
    Tensors got = runRows(spec, {x, w, dy}, {rows * width, rows * size});
    auto objective = [&](const Tensors &in) {
      return inner(runRows(NormSpec{width, NormKind::RMS, 1e-2, Scalar::F64, groups, true}, in, {rows * width})[0], dy);
    };
    expectGradients({x, w}, {got[0], columnSums(got[1], size)}, objective);
  }
}

TEST(RefTrainingRowwise, TheGatedNormHasItsGradientByGroups) {
  for (int64_t groups : {1, 2, 3}) {
    constexpr int64_t width = 6;
    Tensor y = exactTensor(rows * width, 1), z = exactTensor(rows * width, 2), w = exactTensor(width, 3);
    Tensor dout = exactTensor(rows * width, 4);
    GatedNormGradSpec spec{width, groups, 1e-2, Scalar::F64};
    std::vector<int64_t> results(3, rows * width);
    Tensors got = runRows(spec, {y, z, w, dout}, results);
    auto objective = [&](const Tensors &in) {
      return inner(runRows(GatedNormSpec{width, groups, 1e-2, Scalar::F64}, in, {rows * width})[0], dout);
    };
    expectGradients({y, z, w}, {got[0], got[1], columnSums(got[2], width)}, objective);
    expectSameInF32(spec, {y, z, w, dout}, results);
  }
}

TEST(RefTrainingRowwise, ActivationsAndGatedUnitsHaveTheirGradients) {
  constexpr int64_t width = 5;
  Tensor x = exactTensor(rows * width, 1), up = exactTensor(rows * width, 2), dy = exactTensor(rows * width, 3);
  for (double &v : x)
    v *= 6;
  for (Activation activation : {Activation::Silu, Activation::GeluTanh, Activation::Relu2}) {
    SCOPED_TRACE(nameOf(activation));
    ActivateGradSpec plain{width, activation, Scalar::F64};
    expectGradients({x}, runRows(plain, {x, dy}, {rows * width}), [&](const Tensors &in) {
      return inner(runRows(ActivateSpec{width, activation, Scalar::F64}, in, {rows * width})[0], dy);
    });
    expectSameInF32(plain, {x, dy}, {rows * width});
    GluGradSpec gated{width, activation, Scalar::F64};
    std::vector<int64_t> both = {rows * width, rows * width};
    expectGradients({x, up}, runRows(gated, {x, up, dy}, both), [&](const Tensors &in) {
      return inner(runRows(GluSpec{width, activation, Scalar::F64}, in, {rows * width})[0], dy);
    });
    expectSameInF32(gated, {x, up, dy}, both);
  }
}

TEST(RefTrainingRowwise, ActivationsHaveTheSlopesOfTheirEndsHoweverFar) {
  const Tensor x = {-1e300, -1e20, -1000, 1000, 1e20, 1e300};
  auto width = static_cast<int64_t>(x.size());
  Tensor repeated;
  for (int64_t row = 0; row < rows; ++row)
    repeated.insert(repeated.end(), x.begin(), x.end());
  Tensor dy(repeated.size(), 1);
  for (Activation activation : {Activation::Silu, Activation::GeluTanh}) {
    Tensor got = runRows(ActivateGradSpec{width, activation, Scalar::F64}, {repeated, dy}, {rows * width})[0];
    got.resize(x.size());
    EXPECT_EQ(got, (Tensor{0, 0, 0, 1, 1, 1})) << nameOf(activation);
  }
}

TEST(RefTrainingRowwise, SiluGradientsOfF32AreRoundedOnce) {
  constexpr int64_t width = 64;
  Tensor x = exactTensor(rows * width, 5), dy = exactTensor(rows * width, 6), expected;
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] *= 20;
    long double s = 1 / (1 + expl(-static_cast<long double>(x[i])));
    expected.push_back(static_cast<float>(static_cast<double>(dy[i] * (s + x[i] * s * (1 - s)))));
  }
  EXPECT_EQ(runRows(ActivateGradSpec{width, Activation::Silu, Scalar::F32}, {x, dy}, {rows * width})[0], expected);
}

TEST(RefTrainingRowwise, JoinedColumnsLieAtTheirOffsetsBetweenZeros) {
  JoinColumnsSpec spec{9, {5, 0, 8}, {2, 3, 1}, Scalar::F64};
  for (Scalar type : {Scalar::F64, Scalar::F32, Scalar::BF16}) {
    spec.type = type;
    Tensors pieces = {exactTensor(rows * 2, 1), exactTensor(rows * 3, 2), exactTensor(rows, 3)};
    Tensor expected(rows * 9);
    for (size_t j = 0; j < 3; ++j)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t c = 0; c < spec.sizes[j]; ++c)
          expected[i * 9 + spec.offsets[j] + c] = pieces[j][i * spec.sizes[j] + c];
    EXPECT_EQ(runRows(spec, pieces, {rows * 9})[0], expected);
  }
}

TEST(RefTrainingRowwise, TheInverseRotationIsTheGradient) {
  constexpr int64_t heads = 2, size = 6;
  Batch batch = wholeSequences({3, 2});
  RowSet all = allRows(batch);
  Tensor x = exactTensor(5 * heads * size, 1), dy = exactTensor(5 * heads * size, 2);
  RopeSpec spec{heads, size, 4, {1.0, 0.3}, Scalar::F64, false};
  auto turn = [&](const Tensor &in, bool inverse) {
    spec.inverse = inverse;
    Launch launch;
    all.addTo(launch, batch);
    launch.add(in);
    size_t out = addResult(launch, Scalar::F64, 5 * heads * size);
    compiled(spec).run(launch, batch.sizes());
    return launch.get<double>(out);
  };
  expectGradients({x}, {turn(dy, true)}, [&](const Tensors &in) { return inner(turn(in[0], false), dy); });
  expectNear(turn(turn(x, false), true), x, 1e-15);
}

/// One leaf's rows in order from +0, then neighbours pairwise.
template <typename T> T leafSum(const std::vector<std::vector<T>> &leaves) {
  std::vector<T> sums;
  for (const std::vector<T> &leaf : leaves) {
    T sum = 0;
    for (T v : leaf)
      sum += v;
    sums.push_back(sum);
  }
  for (; sums.size() > 1; sums.resize(sums.size() / 2))
    for (size_t i = 0; i < sums.size() / 2; ++i)
      sums[i] = sums[2 * i] + sums[2 * i + 1];
  return sums[0];
}

template <typename T>
std::vector<T> runColumnSum(const ColumnSumSpec &spec, const RowSet &slice, const Tensor &x,
                            const std::vector<int32_t> &leaves, const StepSizes &step) {
  Launch launch;
  launch.add(leaves);
  launch.add(slice.start);
  add(launch, spec.in, x);
  size_t out = addResult(launch, spec.out, spec.width);
  compiled(spec).run(launch, step);
  return launch.get<T>(out);
}

template <typename T> void checkColumnSum(Scalar in) {
  constexpr int64_t width = 3;
  Batch batch = wholeSequences({3, 1, 4, 2, 5, 3});
  std::vector<bool> keep(batch.tokens(), true);
  keep[1] = keep[3] = keep[9] = false; // the second sequence has no row in the slice
  RowSet slice = someRows(batch, keep, 4);
  Tensor x = exactTensor(slice.count() * width, 1);
  for (double &v : x)
    v *= in == Scalar::BF16 ? 1 : 1.0 / 3; // sums that round
  // Leaves of two, none, three and one sequences.
  std::vector<int32_t> first = {0, 2, 2, 5};
  std::vector<T> expected;
  for (int64_t c = 0; c < width; ++c) {
    std::vector<std::vector<T>> values(4);
    for (size_t leaf = 0; leaf < 4; ++leaf)
      for (int32_t j = slice.start[first[leaf]]; j < slice.start[leaf < 3 ? first[leaf + 1] : 6]; ++j) {
        double v = x[(j - slice.start[0]) * width + c];
        values[leaf].push_back(static_cast<T>(in == Scalar::F32 ? static_cast<float>(v) : v));
      }
    expected.push_back(leafSum(values));
  }
  EXPECT_EQ(runColumnSum<T>({width, in, scalarOf<T>}, slice, x, leavesOf(first, 6), batch.sizes()), expected);
}

TEST(RefTrainingRowwise, ColumnSumsGoByLeaves) {
  checkColumnSum<double>(Scalar::F64);
  checkColumnSum<double>(Scalar::F32);
  checkColumnSum<float>(Scalar::F32);
  checkColumnSum<float>(Scalar::BF16);
}

TEST(RefTrainingRowwise, SixteenLeavesAreTheirHalvesAddedAndNoRowGivesZero) {
  constexpr int64_t width = 2;
  std::vector<int64_t> lengths(32);
  for (size_t s = 0; s < lengths.size(); ++s)
    lengths[s] = static_cast<int64_t>(s * 7 % 5 + 1);
  Batch batch = wholeSequences(lengths);
  RowSet all = allRows(batch);
  Tensor x = randomVector<double>(batch.tokens() * width, 9);
  ColumnSumSpec spec{width, Scalar::F32, Scalar::F32};
  // Sequences low .. low + 8 per - 1 in eight leaves each.
  auto sum = [&](int32_t low, int32_t leaves) {
    std::vector<int32_t> first;
    for (int32_t i = 0; i < leaves; ++i)
      first.push_back(low + 2 * i);
    return runColumnSum<float>(spec, all, x, leavesOf(first, low + 2 * leaves), batch.sizes());
  };
  auto whole = sum(0, 16), left = sum(0, 8), right = sum(16, 8);
  for (int64_t c = 0; c < width; ++c)
    EXPECT_EQ(whole[c], left[c] + right[c]);
  EXPECT_NE(whole, runColumnSum<float>(spec, all, x, leavesOf({0}, 32), batch.sizes())); // the order matters here
  EXPECT_EQ(runColumnSum<float>(spec, all, x, leavesOf({0, 0, 0, 0}, 0), batch.sizes()), std::vector<float>(width, 0));
}

} // namespace
