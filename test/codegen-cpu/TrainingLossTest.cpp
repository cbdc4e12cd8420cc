// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingLoss.h"
#include "codegen/cpu/TrainingProducts.h"
#include "test/codegen-cpu/TrainingCase.h"

#include <cmath>
#include <gtest/gtest.h>
#include <optional>

namespace chimera::cpu::test {

namespace {

constexpr double scale = 0.125;

struct LossCase {
  TrainingRows rows;
  int64_t inputs, vocab;
  Scalar operand;
  std::vector<int32_t> targets;
  std::vector<float> x, w;
  std::optional<double> softCap;

  LossCase(TrainingRows some, int64_t inputs, int64_t vocab, Scalar operand)
      : rows(std::move(some)), inputs(inputs), vocab(vocab), operand(operand) {
    for (int64_t r = 0; r < rows.batch.tokens(); ++r)
      targets.push_back(static_cast<int32_t>(r * 29 % vocab));
    x = exactNumbers(rows.count() * inputs, 1);
    w = exactNumbers(vocab * inputs, 2);
  }
};

struct Loss {
  std::vector<float> lse;
  std::vector<double> scores;
};

/// `weights` adds the buffer of weights; `run` runs the kernel.
Loss loss(const LossCase &c, llvm::function_ref<void(Launch &)> weights, llvm::function_ref<void(Launch &)> run) {
  Launch launch;
  c.rows.slice.addTo(launch, c.rows.batch);
  launch.add(c.targets);
  addOperand(launch, c.operand, c.x);
  weights(launch);
  size_t lse = addResult(launch, c.rows.count());
  size_t scores = launch.add(std::vector<double>(c.rows.count() * 2, std::nan("")));
  run(launch);
  return {launch.get<float>(lse), launch.get<double>(scores)};
}

Loss refLoss(const LossCase &c) {
  return loss(
      c, [&](Launch &launch) { addOperand(launch, c.operand, c.w); },
      [&](Launch &launch) {
        ref::test::runKernel(ref::CrossEntropySpec{c.inputs, c.vocab, c.operand, Scalar::F32, c.softCap}, launch,
                             c.rows.batch.sizes());
      });
}

Loss cpuLoss(const Isa &isa, const LossCase &c) {
  CrossEntropySpec spec{c.inputs, c.vocab, c.operand, c.softCap};
  PackSpec pack{c.vocab, c.inputs, false, lossLayout(isa, spec)};
  Launch packing;
  packing.add(c.w);
  size_t packed = addResult(packing, packedWords(pack));
  runKernel(isa, pack, packing, {});
  return loss(
      c, [&](Launch &launch) { launch.add(packing.get<uint8_t>(packed)); },
      [&](Launch &launch) { runKernel(isa, spec, launch, c.rows.batch.sizes()); });
}

struct Gradients {
  std::vector<float> dx, dw;
};

/// The operands from x on, after leaves (if any), rows, targets and hyper.
void addGradientOperands(Launch &launch, const LossCase &c, const std::vector<int32_t> *leaves) {
  if (leaves)
    launch.add(*leaves);
  c.rows.slice.addTo(launch, c.rows.batch);
  launch.add(c.targets);
  std::vector<double> hyper(16, 99);
  hyper[static_cast<size_t>(ref::Hyper::LossScale)] = scale;
  launch.add(hyper);
  addOperand(launch, c.operand, c.x);
}

Gradients refGradients(const LossCase &c, const std::vector<float> &lse) {
  Gradients found;
  for (bool ofWeights : {false, true}) {
    Launch launch;
    addGradientOperands(launch, c, ofWeights ? &c.rows.leaves : nullptr);
    addOperand(launch, c.operand, c.w);
    launch.add(lse);
    size_t out = addResult(launch, ofWeights ? c.vocab * c.inputs : c.rows.count() * c.inputs);
    StepSizes sizes = c.rows.batch.sizes();
    if (ofWeights)
      ref::test::runKernel(ref::CrossEntropyWeightGradSpec{c.inputs, c.vocab, c.operand, Scalar::F32, c.softCap},
                           launch, sizes);
    else
      ref::test::runKernel(ref::CrossEntropyInputGradSpec{c.inputs, c.vocab, c.operand, Scalar::F32, c.softCap}, launch,
                           sizes);
    (ofWeights ? found.dw : found.dx) = launch.get<float>(out);
  }
  return found;
}

/// One of the two kernels of the gradients.
struct GradLaunch {
  CrossEntropyGradSpec spec;
  bool sum;
};
Kernel getOrEmit(mlir::ModuleOp kernels, const Isa &isa, const GradLaunch &launch) {
  CrossEntropyGrad both = getOrEmitGrad(kernels, isa, launch.spec);
  return launch.sum ? both.sum : both.gradients;
}

Gradients cpuGradients(const Isa &isa, const LossCase &c, const std::vector<float> &lse,
                       const std::vector<int32_t> &leaves) {
  CrossEntropyGradSpec spec{c.inputs, c.vocab, c.operand, c.softCap};
  Launch launch, sum;
  addGradientOperands(launch, c, &leaves);
  launch.add(c.w);
  launch.add(lse);
  size_t dw = addResult(launch, c.vocab * c.inputs);
  size_t parts = addResult(launch, c.rows.count() * lossParts(isa, spec));
  runKernel(isa, GradLaunch{spec, false}, launch, c.rows.batch.sizes());
  sum.add(c.rows.slice.start);
  sum.add(launch.get<float>(parts));
  size_t dx = addResult(sum, c.rows.count() * c.inputs);
  runKernel(isa, GradLaunch{spec, true}, sum, c.rows.batch.sizes());
  return {sum.get<float>(dx), launch.get<float>(dw)};
}

/// |a - b| <= tolerance, and the element's slack if there is one, for each element.
template <typename T>
void expectClose(const std::vector<T> &a, const std::vector<T> &b, double tolerance, const std::string &what,
                 const std::vector<double> &slack = {}) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], tolerance + (slack.empty() ? 0 : slack[i])) << what << ", element " << i;
}

/// What an element of a gradient may be off because gradients of logits with an error of `error` are rounded to bf16:
/// the step between neighbours for each that may round to either, times what it is multiplied with.
struct Slack {
  std::vector<double> dx, dw;

  Slack(const LossCase &c, const std::vector<float> &lse, double error)
      : dx(c.rows.count() * c.inputs), dw(c.vocab * c.inputs) {
    for (int64_t i = 0; i < c.rows.count(); ++i)
      for (int64_t v = 0; v < c.vocab; ++v) {
        double step = stepOf(gradientOfLogit(c, lse, i, v), error);
        for (int64_t input = 0; step > 0 && input < c.inputs; ++input) {
          dx[i * c.inputs + input] += step * std::abs(c.w[v * c.inputs + input]);
          dw[v * c.inputs + input] += step * std::abs(c.x[i * c.inputs + input]);
        }
      }
  }

private:
  static double gradientOfLogit(const LossCase &c, const std::vector<float> &lse, int64_t row, int64_t v) {
    double logit = 0;
    for (int64_t input = 0; input < c.inputs; ++input)
      logit += static_cast<double>(c.x[row * c.inputs + input]) * c.w[v * c.inputs + input];
    bool isTarget = c.targets[c.rows.slice.index[c.rows.slice.start[0] + row]] == v;
    double part = c.softCap ? std::tanh(logit / *c.softCap) : 0;
    logit = c.softCap ? *c.softCap * part : logit;
    return (std::exp(logit - lse[row]) - (isTarget ? 1 : 0)) * scale * (1 - part * part);
  }

  static double stepOf(double g, double error) {
    auto round = [](double value) { return ref::test::fromBF16(ref::test::toBF16(static_cast<float>(value))); };
    return round(g + error) - round(g - error);
  }
};

void expectLoss(const Isa &isa, const LossCase &c) {
  std::string what = isa.name + " " + std::to_string(c.inputs) + "x" + std::to_string(c.vocab);
  Loss expected = refLoss(c), found = cpuLoss(isa, c);
  // A logit is a sum of `inputs` products of at most 1, each sum rounded; exp and the sums of a panel round as often.
  double ulp = 0x1p-24, logit = 2 * static_cast<double>(c.inputs * c.inputs) * ulp, tolerance = logit + 32 * ulp;
  expectClose(found.lse, expected.lse, tolerance + 8 * ulp, what);
  expectClose(found.scores, expected.scores, 2 * tolerance, what);
  Gradients right = refGradients(c, expected.lse), left = cpuGradients(isa, c, expected.lse, c.rows.leaves);
  // p has the error of its logit; sums over words (p sums to 1, weights and rows are at most 1) and over rows.
  double gradient = scale * (2 * tolerance + 32 * ulp);
  std::optional<Slack> slack;
  if (c.operand == Scalar::BF16)
    slack.emplace(c, expected.lse, gradient);
  expectClose(left.dx, right.dx, gradient * 4, what + " dx", slack ? slack->dx : std::vector<double>());
  expectClose(left.dw, right.dw, gradient * static_cast<double>(c.rows.count()), what + " dw",
              slack ? slack->dw : std::vector<double>());
}

TrainingRows raggedRows() {
  return trainingRows({3, 1, 150, 4, 2, 40, 1, 5}, {0, 2, 3, 3, 5, 6, 6, 7});
}

TEST(CpuLoss, CrossEntropyAndItsGradientsAreTheRefKernels) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16})
      for (auto [inputs, vocab] : {std::pair<int64_t, int64_t>{1, 1}, {3, 5}, {64, 128}, {33, 67}, {64, 1500}})
        expectLoss(isa, LossCase(raggedRows(), inputs, vocab, operand));
}

TEST(CpuLoss, CappedLogitsAreThoseOfTheRefKernels) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16})
      for (auto [inputs, vocab] : {std::pair<int64_t, int64_t>{3, 5}, {33, 67}, {64, 300}}) {
        LossCase c(raggedRows(), inputs, vocab, operand);
        c.softCap = 3; // logits are up to 9 or so
        expectLoss(isa, c);
      }
}

TEST(CpuLoss, WideRowsTakeSmallerTiles) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16})
      for (int64_t inputs : {520, 1030})
        expectLoss(isa, LossCase(trainingRows({3, 130}, {0, 1}), inputs, 70, operand));
}

TEST(CpuLoss, ATieCountsForTheLowestAndGreatLogitsDoNotOverflow) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16})
      for (int64_t vocab : {3, 200}) {
        LossCase c(trainingRows({4, 3, 2}, {0, 2}), 1, vocab, operand);
        c.x.assign(c.x.size(), 0x1p+90F);
        c.w.assign(c.w.size(), 1);
        c.w[0] = -1;
        c.w[2] = 0.5F;
        Loss found = cpuLoss(isa, c);
        for (int64_t i = 0; i < c.rows.count(); ++i) {
          EXPECT_EQ(found.lse[i], 0x1p+90F);
          int32_t target = c.targets[c.rows.slice.index[c.rows.slice.start[0] + i]];
          EXPECT_EQ(found.scores[2 * i + 1], target == 1 ? 1 : 0) << isa.name << ", row " << i;
        }
      }
}

TEST(CpuLoss, ANaNReachesItsRowAlone) {
  for (const Isa &isa : hostIsas()) {
    LossCase c(trainingRows({4, 3, 2}, {0, 2}), 5, 70, Scalar::F32);
    Loss clean = cpuLoss(isa, c);
    c.x[5] = std::nanf("");
    Loss found = cpuLoss(isa, c);
    for (int64_t i = 0; i < c.rows.count(); ++i) {
      if (i == 1)
        EXPECT_TRUE(std::isnan(found.lse[i]) && std::isnan(found.scores[2 * i])) << isa.name;
      else
        EXPECT_EQ(found.scores[2 * i], clean.scores[2 * i]) << isa.name << ", row " << i;
    }
  }
}

TEST(CpuLoss, NoRowGivesAZeroGradientAndLeavesAreTheirHalvesAdded) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16}) {
      LossCase c(raggedRows(), 20, 90, operand);
      std::vector<float> lse = refLoss(c).lse;
      Gradients whole = cpuGradients(isa, c, lse, c.rows.leaves);
      Gradients left = cpuGradients(isa, c, lse, leavesOf({0, 2, 3, 3}, 5));
      Gradients right = cpuGradients(isa, c, lse, leavesOf({5, 6, 6, 7}, 8));
      for (size_t i = 0; i < whole.dw.size(); ++i)
        ASSERT_EQ(whole.dw[i], left.dw[i] + right.dw[i]) << isa.name << ", element " << i;
      LossCase none(trainingRows({0, 0}, {0, 1}), 20, 90, operand);
      EXPECT_EQ(cpuGradients(isa, none, {}, none.rows.leaves).dw, std::vector<float>(20 * 90, 0));
    }
}

} // namespace

} // namespace chimera::cpu::test
