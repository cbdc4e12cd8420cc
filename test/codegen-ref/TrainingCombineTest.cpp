// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-ref/TrainingCheck.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

const Batch batch = wholeSequences({4, 1, 3});
const int64_t rows = batch.tokens();
constexpr int64_t width = 5;

Tensor runSoft(const SoftCombineSpec &spec, const Tensors &in) {
  Launch launch;
  launch.add(batch.start);
  for (const Tensor &operand : in)
    add(launch, spec.type, operand);
  size_t z = addResult(launch, spec.type, rows * width);
  compiled(spec).run(launch, batch.sizes());
  return get(launch, spec.type, z);
}

/// dlogp, then the gradients by the outputs.
Tensors runSoftGrad(const SoftCombineGradSpec &spec, const Tensor &logp, const Tensor &dz, const Tensors &outputs) {
  Launch launch;
  launch.add(batch.start);
  add(launch, spec.type, logp);
  add(launch, spec.type, dz);
  for (const Tensor &o : outputs)
    add(launch, spec.type, o);
  std::vector<size_t> places = {addResult(launch, spec.type, logp.size())};
  for (const Tensor &o : outputs)
    places.push_back(addResult(launch, spec.type, o.size()));
  compiled(spec).run(launch, batch.sizes());
  Tensors results;
  for (size_t place : places)
    results.push_back(get(launch, spec.type, place));
  return results;
}

TEST(RefTrainingCombine, SoftRoutingWeighsEveryOutput) {
  for (std::vector<bool> present : {std::vector<bool>{true, true, false}, {false, true}, {true}, {false}}) {
    auto modes = static_cast<int64_t>(present.size());
    Tensors in = {exactTensor(rows * width, 1), exactTensor(rows * modes, 2)};
    Tensors outputs;
    Tensor expected = in[0];
    for (int64_t m = 0; m < modes; ++m) {
      if (!present[m])
        continue;
      outputs.push_back(exactTensor(rows * width, 3 + m));
      for (int64_t i = 0; i < rows * width; ++i)
        expected[i] += std::exp(in[1][i / width * modes + m]) * outputs.back()[i];
    }
    in.insert(in.end(), outputs.begin(), outputs.end());
    for (Scalar type : {Scalar::F64, Scalar::F32})
      expectNear(runSoft({width, present, type}, in), expected, type == Scalar::F64 ? 1e-15 : 1e-6);
    Tensor dz = exactTensor(rows * width, 9);
    SoftCombineGradSpec spec{width, present, Scalar::F64};
    Tensors got = runSoftGrad(spec, in[1], dz, outputs), gradients = got;
    gradients.insert(gradients.begin(), dz);
    expectGradients(in, gradients,
                    [&](const Tensors &moved) { return inner(runSoft({width, present, Scalar::F64}, moved), dz); });
    spec.type = Scalar::F32;
    Tensors narrow = runSoftGrad(spec, in[1], dz, outputs);
    for (size_t i = 0; i < got.size(); ++i)
      expectNear(narrow[i], got[i], 1e-6);
  }
}

/// Rows sorted by mode: swa and full have an output, identity none.
struct Dispatched {
  std::vector<int8_t> mode = {1, 2, 3, 2, 1, 1, 2, 3};
  std::vector<int32_t> inverse = {0, 0, 0, 1, 1, 2, 2, 1};
  static constexpr int64_t sizes[2] = {3, 3};
};

Tensor runCombine(const Dispatched &d, const Tensors &in) {
  Launch launch;
  launch.add(batch.start);
  launch.add(d.mode);
  launch.add(d.inverse);
  launch.add(in[0]);
  launch.add(in[1]);
  size_t z = addResult(launch, Scalar::F64, rows * width);
  launch.add(in[2]);
  launch.add(in[3]);
  compiled(CombineSpec{width, {1, 2}, true, Scalar::F64}).run(launch, batch.sizes());
  return launch.get<double>(z);
}

Tensors runCombineGrad(Scalar type, const Dispatched &d, const Tensors &in, const Tensor &dz) {
  Launch launch;
  launch.add(batch.start);
  launch.add(d.mode);
  launch.add(d.inverse);
  add(launch, type, in[1]);
  add(launch, type, dz);
  add(launch, type, in[2]);
  add(launch, type, in[3]);
  size_t dgate = addResult(launch, type, rows);
  size_t first = addResult(launch, type, in[2].size()), second = addResult(launch, type, in[3].size());
  compiled(CombineGradSpec{width, {1, 2}, type}).run(launch, batch.sizes());
  return {get(launch, type, dgate), get(launch, type, first), get(launch, type, second)};
}

TEST(RefTrainingCombine, HardRoutingGivesEachRowsGradientToItsMode) {
  Dispatched d;
  Tensors in = {exactTensor(rows * width, 1), exactTensor(rows, 2), exactTensor(d.sizes[0] * width, 3),
                exactTensor(d.sizes[1] * width, 4)};
  Tensor dz = exactTensor(rows * width, 5);
  Tensors got = runCombineGrad(Scalar::F64, d, in, dz);
  EXPECT_EQ(got[0][2], 0);
  EXPECT_EQ(got[0][7], 0);
  expectGradients(in, {dz, got[0], got[1], got[2]},
                  [&](const Tensors &moved) { return inner(runCombine(d, moved), dz); });
  Tensors narrow = runCombineGrad(Scalar::F32, d, in, dz);
  for (size_t i = 0; i < got.size(); ++i)
    expectNear(narrow[i], got[i], 1e-6);
}

/// Two parts of the batch that overlap, the second without a row of the first sequence, and an empty one.
const std::vector<RowSet> parts = {
    someRows(batch, {true, false, true, true, true, false, true, true}, 2),
    someRows(batch, {false, false, false, false, true, true, true, false}, 0),
    someRows(batch, std::vector<bool>(8, false), 3),
};

template <typename T> void checkScatter() {
  std::vector<T> expected(rows * width, 0);
  Launch launch;
  launch.add(batch.start);
  for (size_t i = 0; i < parts.size(); ++i) {
    auto x = randomVector<T>(parts[i].count() * width, i + 1);
    parts[i].addTo(launch, batch);
    launch.add(x);
    for (int64_t row = 0; row < parts[i].count(); ++row)
      for (int64_t c = 0; c < width; ++c)
        expected[parts[i].index[parts[i].start[0] + row] * width + c] += x[row * width + c];
  }
  size_t out = addResult(launch, scalarOf<T>, rows * width);
  compiled(ScatterSpec{width, 3, scalarOf<T>}).run(launch, batch.sizes());
  EXPECT_EQ(launch.get<T>(out), expected);
}

template <typename T> void checkScatterColumns() {
  const std::vector<int64_t> columns = {2, 2, 0}; // two pieces share a column
  std::vector<T> expected(rows * 3, 0);
  Launch launch;
  launch.add(batch.start);
  for (size_t i = 0; i < parts.size(); ++i) {
    auto x = randomVector<T>(parts[i].count(), i + 1);
    parts[i].addTo(launch, batch);
    launch.add(x);
    for (int64_t row = 0; row < parts[i].count(); ++row)
      expected[parts[i].index[parts[i].start[0] + row] * 3 + columns[i]] += x[row];
  }
  size_t out = addResult(launch, scalarOf<T>, rows * 3);
  compiled(ScatterColumnsSpec{3, columns, scalarOf<T>}).run(launch, batch.sizes());
  EXPECT_EQ(launch.get<T>(out), expected);
}

TEST(RefTrainingCombine, ScattersAddTheRowsOfEveryPart) {
  checkScatter<double>();
  checkScatter<float>();
  checkScatterColumns<double>();
  checkScatterColumns<float>();
}

} // namespace
