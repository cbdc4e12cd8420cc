// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-ref/TrainingCheck.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

constexpr double scale = 0.125;

/// Rows whose targets count: those of `keep`.
struct LossCase {
  Batch batch;
  RowSet rows;
  std::vector<int32_t> targets, leaves;
  int64_t inputs, vocab;
  Tensor x, w;
  std::optional<double> softCap = std::nullopt;

  template <typename T> T capped(T logit) const {
    return softCap ? static_cast<T>(*softCap * std::tanh(logit / *softCap)) : logit;
  }
};

LossCase makeCase(int64_t inputs, int64_t vocab) {
  // The last sequence has more rows than the kernels take at once.
  LossCase c{wholeSequences({4, 3, 12}), {{}, {}}, {}, leavesOf({0, 2}, 3), inputs, vocab, {}, {}};
  std::vector<bool> counts(c.batch.tokens(), true);
  for (int64_t r : {2, 4, 5, 6, 9})
    counts[r] = false;
  c.rows = someRows(c.batch, counts, 0);
  for (int64_t r = 0; r < c.batch.tokens(); ++r)
    c.targets.push_back(counts[r] ? static_cast<int32_t>(r * 5 % vocab) : -100);
  c.x = exactTensor(c.rows.count() * inputs, 1);
  c.w = exactTensor(vocab * inputs, 2);
  return c;
}

struct Loss {
  Tensor lse, scores;
};

Loss runLoss(const LossCase &c, Types types, const Tensor &x, const Tensor &w) {
  Launch launch;
  c.rows.addTo(launch, c.batch);
  launch.add(c.targets);
  add(launch, types.operand, x);
  add(launch, types.operand, w);
  size_t lse = addResult(launch, types.type, c.rows.count());
  size_t scores = addResult(launch, Scalar::F64, c.rows.count() * 2);
  compiled(CrossEntropySpec{c.inputs, c.vocab, types.operand, types.type, c.softCap}).run(launch, c.batch.sizes());
  return {get(launch, types.type, lse), get(launch, Scalar::F64, scores)};
}

/// dx, or dw if `leaves` are given.
Tensor runGrad(const LossCase &c, Types types, const Tensor &lse, const std::vector<int32_t> *leaves) {
  Launch launch;
  if (leaves)
    launch.add(*leaves);
  c.rows.addTo(launch, c.batch);
  launch.add(c.targets);
  Tensor hyper(16, 99);
  hyper[static_cast<size_t>(Hyper::LossScale)] = scale;
  launch.add(hyper);
  add(launch, types.operand, c.x);
  add(launch, types.operand, c.w);
  add(launch, types.type, lse);
  size_t out = addResult(launch, types.type, leaves ? c.w.size() : c.x.size());
  Compiled kernel = leaves
                        ? compiled(CrossEntropyWeightGradSpec{c.inputs, c.vocab, types.operand, types.type, c.softCap})
                        : compiled(CrossEntropyInputGradSpec{c.inputs, c.vocab, types.operand, types.type, c.softCap});
  kernel.run(launch, c.batch.sizes());
  return get(launch, types.type, out);
}

/// dx and dw by their definition, the gradients of logits rounded to bf16.
std::pair<Tensor, Tensor> roundedGradients(const LossCase &c, const Tensor &lse) {
  Tensor dx(c.x.size()), dw(c.w.size());
  for (int64_t i = 0; i < c.rows.count(); ++i)
    for (int64_t v = 0; v < c.vocab; ++v) {
      double l = 0;
      for (int64_t k = 0; k < c.inputs; ++k)
        l += c.x[i * c.inputs + k] * c.w[v * c.inputs + k];
      l = c.capped(l);
      double exact = (std::exp(l - lse[i]) - (v == c.targets[c.rows.index[i]])) * scale;
      if (c.softCap)
        exact *= 1 - l / *c.softCap * (l / *c.softCap);
      double g = fromBF16(toBF16(static_cast<float>(exact)));
      for (int64_t k = 0; k < c.inputs; ++k) {
        dx[i * c.inputs + k] += g * c.w[v * c.inputs + k];
        dw[v * c.inputs + k] += g * c.x[i * c.inputs + k];
      }
    }
  return {dx, dw};
}

void checkLoss(const LossCase &c) {
  Types exact{Scalar::F64, Scalar::F64};
  Loss reference = runLoss(c, exact, c.x, c.w);
  for (int64_t i = 0; i < c.rows.count(); ++i) {
    std::vector<long double> logits(c.vocab);
    long double sum = 0;
    for (int64_t v = 0; v < c.vocab; ++v) {
      for (int64_t k = 0; k < c.inputs; ++k)
        logits[v] += static_cast<long double>(c.x[i * c.inputs + k]) * c.w[v * c.inputs + k];
      logits[v] = c.capped(logits[v]);
      sum += expl(logits[v]);
    }
    int32_t target = c.targets[c.rows.index[i]];
    EXPECT_NEAR(reference.lse[i], static_cast<double>(logl(sum)), 1e-14);
    EXPECT_NEAR(reference.scores[2 * i], static_cast<double>(logl(sum) - logits[target]), 1e-14);
    bool first = std::max_element(logits.begin(), logits.end()) - logits.begin() == target;
    EXPECT_EQ(reference.scores[2 * i + 1], first ? 1 : 0);
  }
  Tensor dx = runGrad(c, exact, reference.lse, nullptr), dw = runGrad(c, exact, reference.lse, &c.leaves);
  expectGradients({c.x, c.w}, {dx, dw}, [&](const Tensors &in) {
    Loss loss = runLoss(c, exact, in[0], in[1]);
    double sum = 0;
    for (size_t i = 0; i < loss.scores.size(); i += 2)
      sum += loss.scores[i];
    return sum * scale;
  });
  for (Types types : {allTypes[1], allTypes[2]}) {
    Loss narrow = runLoss(c, types, c.x, c.w);
    expectNear(narrow.lse, reference.lse, 1e-6);
    expectNear(narrow.scores, reference.scores, 1e-6);
    bool rounds = types.operand == Scalar::BF16;
    auto [roundedDx, roundedDw] = roundedGradients(c, narrow.lse);
    expectNear(runGrad(c, types, narrow.lse, nullptr), rounds ? roundedDx : dx, 1e-6);
    expectNear(runGrad(c, types, narrow.lse, &c.leaves), rounds ? roundedDw : dw, 1e-6);
  }
}

TEST(RefTrainingLoss, CrossEntropyAndItsGradientsFollowTheDefinition) {
  checkLoss(makeCase(3, 5));
  checkLoss(makeCase(1, 1));
  checkLoss(makeCase(2, 8));
  checkLoss(makeCase(4, 19));
}

TEST(RefTrainingLoss, CappedLogitsHaveTheirGradients) {
  for (auto [inputs, vocab] : {std::pair<int64_t, int64_t>{3, 5}, {4, 19}}) {
    LossCase c = makeCase(inputs, vocab);
    c.softCap = 0.6; // logits are up to 2 or so
    checkLoss(c);
  }
}

TEST(RefTrainingLoss, AStripOfTheWeightsGradientMayBePartOfARow) {
  LossCase c = makeCase(1100, 3);
  Types types{Scalar::F64, Scalar::F64};
  Tensor lse = runLoss(c, types, c.x, c.w).lse, expected(c.w.size());
  for (int64_t i = 0; i < c.rows.count(); ++i)
    for (int64_t v = 0; v < c.vocab; ++v) {
      long double l = 0;
      for (int64_t k = 0; k < c.inputs; ++k)
        l += static_cast<long double>(c.x[i * c.inputs + k]) * c.w[v * c.inputs + k];
      long double g = (expl(l - lse[i]) - (v == c.targets[c.rows.index[i]])) * scale;
      for (int64_t k = 0; k < c.inputs; ++k)
        expected[v * c.inputs + k] += static_cast<double>(g * c.x[i * c.inputs + k]);
    }
  expectNear(runGrad(c, types, lse, &c.leaves), expected, 1e-12);
}

TEST(RefTrainingLoss, GreatLogitsDoNotOverflowAndATieCountsForTheLowest) {
  LossCase c = makeCase(1, 3);
  c.x.assign(c.x.size(), 1e30);
  c.w = {1, 1, -1};
  for (Types types : allTypes) {
    Loss loss = runLoss(c, types, c.x, c.w);
    for (int64_t i = 0; i < c.rows.count(); ++i) {
      EXPECT_NEAR(loss.lse[i] / 1e30, 1, 1e-2);
      EXPECT_EQ(loss.scores[2 * i + 1], c.targets[c.rows.index[i]] == 0 ? 1 : 0);
    }
  }
}

TEST(RefTrainingLoss, NoRowGivesAZeroGradientAndLeavesAreTheirHalvesAdded) {
  LossCase c = makeCase(3, 5);
  for (Types types : allTypes) {
    Tensor lse = runLoss(c, types, c.x, c.w).lse;
    auto of = [&](std::vector<int32_t> leaves) { return runGrad(c, types, lse, &leaves); };
    Tensor whole = of(c.leaves), left = of(leavesOf({0}, 2)), right = of(leavesOf({2}, 3));
    for (size_t i = 0; i < whole.size(); ++i) {
      double sum = left[i] + right[i];
      EXPECT_EQ(whole[i], types.type == Scalar::F64 ? sum : static_cast<float>(sum));
    }
    LossCase none = c;
    none.rows = someRows(c.batch, std::vector<bool>(c.batch.tokens(), false), 2);
    EXPECT_EQ(runGrad(none, types, {}, &c.leaves), Tensor(c.w.size(), 0));
  }
}

} // namespace
