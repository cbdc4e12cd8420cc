// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Experts: who is chosen, with what weight, whose rows are whose, what is added up, and the gradients of all that.
#include "test/codegen-ref/TrainingCheck.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

const Batch batch = wholeSequences({4, 1, 3});
const int64_t rows = batch.tokens();
constexpr int64_t experts = 5, width = 3;

struct Routed {
  std::vector<int8_t> chosen;
  Tensor weights;
};

Routed runRoute(const RouteExpertsSpec &spec, const Tensor &logits, const Tensor &bias) {
  Launch launch;
  launch.add(batch.start);
  add(launch, spec.type, logits);
  if (spec.biased)
    add(launch, spec.type, bias);
  size_t chosen = launch.add(std::vector<int8_t>(logits.size(), 7));
  size_t weights = addResult(launch, spec.type, static_cast<int64_t>(logits.size()));
  compiled(spec).run(launch, batch.sizes());
  return {launch.get<int8_t>(chosen), get(launch, spec.type, weights)};
}

/// One row by the definition.
Routed plainRow(const RouteExpertsSpec &spec, const double *logits, const Tensor &bias) {
  Tensor scores, keys(logits, logits + experts);
  double sum = 0, total = 0;
  for (int64_t e = 0; e < experts; ++e)
    total += std::exp(logits[e]);
  for (int64_t e = 0; e < experts; ++e)
    scores.push_back(spec.score == ExpertScore::Softmax ? std::exp(logits[e]) / total : 1 / (1 + std::exp(-logits[e])));
  for (int64_t e = 0; spec.biased && e < experts; ++e)
    keys[e] = scores[e] + bias[e];
  std::vector<int64_t> order(experts);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return keys[a] != keys[b] ? keys[a] > keys[b] : a < b; });
  order.resize(spec.count);
  for (int64_t e : order)
    sum += scores[e];
  Routed routed{std::vector<int8_t>(experts, 0), Tensor(experts, 0)};
  for (int64_t e : order) {
    routed.chosen[e] = 1;
    routed.weights[e] = spec.scale * scores[e] / (spec.normalized ? sum : 1);
  }
  return routed;
}

std::vector<RouteExpertsSpec> everySpec(Scalar type) {
  std::vector<RouteExpertsSpec> specs;
  for (ExpertScore score : {ExpertScore::Softmax, ExpertScore::Sigmoid})
    for (bool normalized : {false, true})
      for (bool biased : {false, true})
        for (int64_t count : {int64_t(1), int64_t(2), experts})
          specs.push_back({experts, count, score, normalized, biased, biased ? 2.5 : 1, type});
  return specs;
}

TEST(RefExperts, TheBestAreChosenAndWeighted) {
  Tensor logits = exactTensor(rows * experts, 1), bias = exactTensor(experts, 2);
  for (double &logit : logits)
    logit *= 4;
  for (Scalar type : {Scalar::F64, Scalar::F32})
    for (const RouteExpertsSpec &spec : everySpec(type)) {
      Routed got = runRoute(spec, logits, bias);
      std::vector<int8_t> chosen;
      Tensor weights;
      for (int64_t r = 0; r < rows; ++r) {
        Routed row = plainRow(spec, &logits[r * experts], bias);
        chosen.insert(chosen.end(), row.chosen.begin(), row.chosen.end());
        weights.insert(weights.end(), row.weights.begin(), row.weights.end());
      }
      EXPECT_EQ(got.chosen, chosen);
      expectNear(got.weights, weights, type == Scalar::F64 ? 1e-14 : 1e-6);
    }
}

TEST(RefExperts, OfEqualsTheFirstAreChosenAndOfNaNsExactlyAsMany) {
  Tensor logits(rows * experts, 0.5);
  logits[4] = 0.75; // the last of the first row
  std::fill(logits.begin() + 5, logits.begin() + 10, std::numeric_limits<double>::quiet_NaN());
  logits[11] = std::numeric_limits<double>::quiet_NaN();
  for (const RouteExpertsSpec &spec : everySpec(Scalar::F64)) {
    Routed got = runRoute(spec, logits, Tensor(experts, 0));
    for (int64_t r = 0; r < rows; ++r)
      EXPECT_EQ(std::accumulate(&got.chosen[r * experts], &got.chosen[r * experts] + experts, int64_t(0)), spec.count);
    EXPECT_EQ(got.chosen[4], 1);
    for (int64_t e = 0; e < experts; ++e)
      EXPECT_EQ(got.chosen[3 * experts + e], e < spec.count);
    for (int64_t i = 3 * experts; i < rows * experts; ++i)
      EXPECT_FALSE(std::isnan(got.weights[i]));
  }
}

TEST(RefExperts, HugeLogitsDoNotOverflow) {
  Tensor logits(rows * experts, -1e30);
  for (int64_t r = 0; r < rows; ++r)
    logits[r * experts + 2] = 1e30;
  for (const RouteExpertsSpec &spec : everySpec(Scalar::F64)) {
    Routed got = runRoute(spec, logits, Tensor(experts, 0));
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t e = 0; e < experts; ++e)
        EXPECT_EQ(got.weights[r * experts + e], e == 2 ? spec.scale : 0);
  }
}

TEST(RefExperts, EachGetsItsRowsInTheirOrder) {
  std::vector<int8_t> chosen = {1, 0, 1, /**/ 0, 0, 1, /**/ 1, 1, 0, /**/ 0, 1, 1, /**/
                                0, 1, 1, /**/ 1, 0, 1, /**/ 0, 0, 1, /**/ 1, 0, 1};
  Launch launch;
  allRows(batch).addTo(launch, batch);
  launch.add(chosen);
  size_t index = launch.add(std::vector<int32_t>(16, -1)), starts = index + 1;
  for (int e = 0; e < 3; ++e)
    launch.add(std::vector<int32_t>(4, -1));
  compiled(DispatchExpertsSpec{3}).run(launch, batch.sizes());
  EXPECT_EQ(launch.get<int32_t>(index), (std::vector<int32_t>{0, 2, 5, 7, 2, 3, 4, 0, 1, 3, 4, 5, 6, 7, -1, -1}));
  EXPECT_EQ(launch.get<int32_t>(starts), (std::vector<int32_t>{0, 2, 2, 4}));
  EXPECT_EQ(launch.get<int32_t>(starts + 1), (std::vector<int32_t>{4, 6, 7, 7}));
  EXPECT_EQ(launch.get<int32_t>(starts + 2), (std::vector<int32_t>{7, 10, 11, 14}));
}

const RowSet some = someRows(batch, {false, true, true, false, true, true, false, false}, 2);
const std::vector<int64_t> someIds = {1, 2, 4, 5};

TEST(RefExperts, OutputsAreAddedToTheRowsThatTookTheExpert) {
  for (Scalar type : {Scalar::F64, Scalar::F32}) {
    Tensor outputs = exactTensor(4 * width, 1), weights = exactTensor(rows * experts, 2);
    Tensor y = exactTensor(rows * width, 3);
    Launch launch;
    some.addTo(launch, batch);
    add(launch, type, outputs);
    add(launch, type, weights);
    size_t sum = add(launch, type, y);
    compiled(AddExpertSpec{width, experts, type}).run(launch, batch.sizes(), {3});
    for (size_t i = 0; i < someIds.size(); ++i)
      for (int64_t c = 0; c < width; ++c)
        y[someIds[i] * width + c] += weights[someIds[i] * experts + 3] * outputs[i * width + c];
    expectNear(get(launch, type, sum), y, type == Scalar::F64 ? 0 : 1e-6);
  }
}

TEST(RefExperts, ZerosAreZeros) {
  Launch launch;
  launch.add(batch.start);
  size_t out = addResult(launch, Scalar::F32, rows * width);
  compiled(ZerosSpec{width, Scalar::F32}).run(launch, batch.sizes());
  EXPECT_EQ(get(launch, Scalar::F32, out), Tensor(rows * width, 0));
}

TEST(RefExperts, TheRoutersGradientIsThatOfItsWeights) {
  Tensor logits = exactTensor(rows * experts, 4), bias(experts, 0), dweights = exactTensor(rows * experts, 6);
  // Far enough from each other that differences change no choice.
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t e = 0; e < experts; ++e)
      logits[r * experts + e] = 0.1 * logits[r * experts + e] + 0.5 * static_cast<double>((3 * e + r) % experts);
  for (const RouteExpertsSpec &spec : everySpec(Scalar::F64)) {
    Launch launch;
    launch.add(batch.start);
    add(launch, spec.type, logits);
    launch.add(runRoute(spec, logits, bias).chosen);
    add(launch, spec.type, dweights);
    size_t dlogits = addResult(launch, spec.type, rows * experts);
    RouteExpertsGradSpec grad{experts, spec.score, spec.normalized, spec.scale, spec.type};
    compiled(grad).run(launch, batch.sizes());
    expectGradients({logits}, {get(launch, spec.type, dlogits)},
                    [&](const Tensors &at) { return inner(runRoute(spec, at[0], bias).weights, dweights); });
  }
}

TEST(RefExperts, TheGradientOfASumGoesToTheOutputAndItsWeight) {
  Tensor dy = exactTensor(rows * width, 7);
  Tensors in = {exactTensor(4 * width, 8), exactTensor(4, 9)}; // the outputs and their weights
  Tensor weights = exactTensor(rows * experts, 10);
  for (size_t i = 0; i < someIds.size(); ++i)
    weights[someIds[i] * experts + 1] = in[1][i];
  Launch launch;
  some.addTo(launch, batch);
  add(launch, Scalar::F64, dy);
  add(launch, Scalar::F64, in[0]);
  add(launch, Scalar::F64, weights);
  size_t doutputs = addResult(launch, Scalar::F64, 4 * width), dweight = addResult(launch, Scalar::F64, 4);
  compiled(AddExpertGradSpec{width, experts, Scalar::F64}).run(launch, batch.sizes(), {1});
  expectGradients(in, {get(launch, Scalar::F64, doutputs), get(launch, Scalar::F64, dweight)}, [&](const Tensors &at) {
    double sum = 0;
    for (size_t i = 0; i < someIds.size(); ++i)
      for (int64_t c = 0; c < width; ++c)
        sum += dy[someIds[i] * width + c] * at[1][i] * at[0][i * width + c];
    return sum;
  });
}

} // namespace
