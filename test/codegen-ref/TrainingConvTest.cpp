// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-ref/TrainingCheck.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

constexpr int64_t channels = 3;
const Batch batch = wholeSequences({6, 1, 3, 4});
/// The third sequence has no row in the slice; the last begins with a row that is not kept.
const RowSet slice =
    someRows(batch, {true, true, true, false, true, true, true, false, false, false, true, true, true, true}, 3);
const RowSet kept =
    someRows(batch, {true, false, true, false, true, false, true, false, false, false, false, true, true, false}, 2);
const int64_t rows = slice.count();
const std::vector<int32_t> leaves = leavesOf({0, 1, 3, 3}, 4);

/// x, w, bias, keptX.
Tensors makeOperands(int64_t taps) {
  return {exactTensor(rows * channels, 1), exactTensor(channels * taps, 2), exactTensor(channels, 3),
          exactTensor(kept.count() * channels, 4)};
}

void addPast(Launch &launch, const SeqConvSpec &spec, const Tensor *keptX) {
  if (!spec.tentative)
    return;
  kept.addTo(launch, batch);
  if (keptX)
    add(launch, spec.type, *keptX);
}

Tensor runForward(const SeqConvSpec &spec, const Tensors &in) {
  Launch launch;
  slice.addTo(launch, batch);
  for (int i = 0; i < 3; ++i)
    add(launch, spec.type, in[i]);
  addPast(launch, spec, &in[3]);
  size_t y = addResult(launch, spec.type, rows * channels);
  compiled(spec).run(launch, batch.sizes());
  return get(launch, spec.type, y);
}

Compiled compiledGrad(const SeqConvSpec &spec, Kernel SeqConvGrad::*which) {
  return compileKernel([&](mlir::ModuleOp m) { return getOrEmitGrad(m, spec).*which; });
}

Tensor runActivation(const SeqConvSpec &spec, const Tensors &in, const Tensor &dy) {
  Launch launch;
  slice.addTo(launch, batch);
  for (int i = 0; i < 3; ++i)
    add(launch, spec.type, in[i]);
  addPast(launch, spec, &in[3]);
  add(launch, spec.type, dy);
  size_t out = addResult(launch, spec.type, dy.size());
  compiledGrad(spec, &SeqConvGrad::activation).run(launch, batch.sizes());
  return get(launch, spec.type, out);
}

/// dw and dbias.
Tensors runWeight(const SeqConvSpec &spec, const Tensors &in, const Tensor &dpre, const std::vector<int32_t> &by) {
  Launch launch;
  launch.add(by);
  slice.addTo(launch, batch);
  add(launch, spec.type, in[0]);
  addPast(launch, spec, &in[3]);
  add(launch, spec.type, dpre);
  size_t dw = addResult(launch, spec.type, in[1].size()), dbias = addResult(launch, spec.type, channels);
  compiledGrad(spec, &SeqConvGrad::weight).run(launch, batch.sizes());
  return {get(launch, spec.type, dw), get(launch, spec.type, dbias)};
}

/// The gradients of x, w, bias and keptX.
Tensors runGrad(const SeqConvSpec &spec, const Tensors &in, const Tensor &dy) {
  Tensor dpre = spec.silu ? runActivation(spec, in, dy) : dy;
  Launch launch;
  slice.addTo(launch, batch);
  add(launch, spec.type, in[1]);
  addPast(launch, spec, nullptr);
  add(launch, spec.type, dpre);
  size_t dx = addResult(launch, spec.type, dy.size()), dKept = 0;
  if (spec.tentative)
    dKept = addResult(launch, spec.type, in[3].size());
  compiledGrad(spec, &SeqConvGrad::input).run(launch, batch.sizes());
  Tensors results = runWeight(spec, in, dpre, leaves);
  results.insert(results.begin(), get(launch, spec.type, dx));
  results.push_back(spec.tentative ? get(launch, spec.type, dKept) : Tensor());
  return results;
}

TEST(RefTrainingConv, WholeSequencesAreWhatInferenceGives) {
  for (int64_t taps : {1, 2, 4, 7})
    for (bool silu : {false, true})
      for (Scalar type : {Scalar::F64, Scalar::F32}) {
        Tensors in = makeOperands(taps);
        Launch launch;
        slice.addTo(launch, batch);
        for (int i = 0; i < 3; ++i)
          add(launch, type, in[i]);
        if (taps > 1)
          add(launch, type, Tensor(batch.seqs() * (taps - 1) * channels));
        size_t y = addResult(launch, type, rows * channels);
        compiled(CausalConvSpec{channels, taps, silu, type}).run(launch, batch.sizes());
        EXPECT_EQ(runForward({channels, taps, silu, false, type}, in), get(launch, type, y));
      }
}

TEST(RefTrainingConv, TentativeTapsFallOnKeptRowsAlone) {
  for (int64_t taps : {1, 2, 4}) {
    Tensors in = makeOperands(taps);
    Tensor expected;
    for (int64_t row = 0; row < rows; ++row) {
      int32_t id = slice.index[slice.start[0] + row], sequence = batch.sequence[id];
      std::vector<int64_t> past; // compact kept rows
      for (int32_t j = kept.start[sequence]; j < kept.start[sequence + 1]; ++j)
        if (kept.index[j] < id)
          past.push_back(j - kept.start[0]);
      for (int64_t c = 0; c < channels; ++c) {
        double sum = in[2][c];
        for (int64_t back = taps - 1; back >= 0; --back) {
          bool there = back == 0 || back <= static_cast<int64_t>(past.size());
          double value = !there      ? 0
                         : back == 0 ? in[0][row * channels + c]
                                     : in[3][past[past.size() - back] * channels + c];
          sum = std::fma(in[1][c * taps + (taps - 1 - back)], value, sum);
        }
        expected.push_back(sum);
      }
    }
    EXPECT_EQ(runForward({channels, taps, false, true, Scalar::F64}, in), expected);
  }
}

TEST(RefTrainingConv, EveryOperandHasItsGradient) {
  for (int64_t taps : {1, 2, 4, 7})
    for (int flags = 0; flags < 4; ++flags) {
      SeqConvSpec spec{channels, taps, bool(flags & 1), bool(flags & 2), Scalar::F64};
      Tensors in = makeOperands(taps);
      Tensor dy = exactTensor(rows * channels, 5);
      Tensors got = runGrad(spec, in, dy);
      expectGradients(in, got, [&](const Tensors &moved) { return inner(runForward(spec, moved), dy); });
      spec.type = Scalar::F32;
      Tensors narrow = runGrad(spec, in, dy);
      for (size_t i = 0; i < got.size(); ++i)
        expectNear(narrow[i], got[i], 3e-6);
    }
}

TEST(RefTrainingConv, LeavesAreTheirHalvesAdded) {
  for (bool tentative : {false, true}) {
    SeqConvSpec spec{channels, 3, false, tentative, Scalar::F32};
    Tensors in = makeOperands(3);
    Tensor dpre = randomVector<double>(rows * channels, 6);
    Tensors whole = runWeight(spec, in, dpre, leaves);
    Tensors left = runWeight(spec, in, dpre, leavesOf({0, 1}, 3)),
            right = runWeight(spec, in, dpre, leavesOf({3, 3}, 4));
    for (size_t t = 0; t < 2; ++t)
      for (size_t i = 0; i < whole[t].size(); ++i)
        EXPECT_EQ(whole[t][i], static_cast<float>(left[t][i]) + static_cast<float>(right[t][i]));
  }
}

TEST(RefTrainingConv, WithoutSiluThereIsNoActivationToUndo) {
  KernelJit jit;
  EXPECT_EQ(getOrEmitGrad(jit.module(), SeqConvSpec{channels, 2, false, false, Scalar::F32}).activation.symbol, "");
}

} // namespace
