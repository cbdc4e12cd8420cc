// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingConv.h"
#include "test/codegen-cpu/CpuKernel.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {
namespace {

using ref::SeqConvSpec;
using ref::test::allRows;
using ref::test::expectNear;
using ref::test::randomVector;
using ref::test::someRows;

using Floats = std::vector<float>;
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// The launches of a spec's gradient, as specs of their own.
struct ActivationSpec {
  SeqConvSpec conv;
};
struct InputSpec {
  SeqConvSpec conv;
};
struct WeightSpec {
  SeqConvSpec conv;
};
Kernel getOrEmit(mlir::ModuleOp m, const Isa &isa, const ActivationSpec &s) {
  return getOrEmitGrad(m, isa, s.conv).activation;
}
Kernel getOrEmit(mlir::ModuleOp m, const Isa &isa, const InputSpec &s) {
  return getOrEmitGrad(m, isa, s.conv).input;
}
Kernel getOrEmit(mlir::ModuleOp m, const Isa &isa, const WeightSpec &s) {
  return getOrEmitGrad(m, isa, s.conv).weight;
}
Kernel getOrEmit(mlir::ModuleOp m, const ActivationSpec &s) {
  return ref::getOrEmitGrad(m, s.conv).activation;
}
Kernel getOrEmit(mlir::ModuleOp m, const InputSpec &s) {
  return ref::getOrEmitGrad(m, s.conv).input;
}
Kernel getOrEmit(mlir::ModuleOp m, const WeightSpec &s) {
  return ref::getOrEmitGrad(m, s.conv).weight;
}

/// Sequences of more, of fewer and of as many rows as there are taps, and an empty one.
const Batch batch({9, 1, 0, 4, 2, 17, 3, 5}, {0, 1, 2, 3, 4, 5, 6, 7}, {0, 0, 0, 0, 0, 0, 0, 0});

RowSet slice() {
  std::vector<bool> kept(batch.tokens(), true);
  kept[0] = kept[5] = kept[9] = kept[20] = kept[40] = false;
  return someRows(batch, kept, 3);
}

/// Eight leaves of a sequence each; four, the second empty; one.
const std::vector<std::vector<int32_t>> allLeaves = {{8, 0, 1, 2, 3, 4, 5, 6, 7, 8}, {4, 0, 3, 3, 6, 8}, {1, 0, 8}};

struct Results {
  Floats y, dpre, dx, dKept, dw, dbias;
};

/// On the ref target without an ISA.
template <typename Spec> void runOn(const Isa *isa, const Spec &spec, Launch &launch) {
  isa ? runKernel(*isa, spec, launch, batch.sizes()) : ref::test::runKernel(spec, launch, batch.sizes());
}

/// Some rows of another set, for the taps of a tentative convolution: runs of them, and none of one sequence.
RowSet keptOf(const RowSet &rows) {
  std::vector<bool> kept(batch.tokens());
  for (int32_t i = rows.start.front(); i < rows.start.back(); ++i)
    kept[rows.index[i]] = rows.index[i] / 3 % 2 == 0 && batch.sequence[rows.index[i]] != 3;
  return someRows(batch, kept, 1);
}

/// With `dpreOfRef`, the gradients of the input and of the weights are of that.
Results run(const Isa *isa, const SeqConvSpec &spec, const RowSet &rows, std::vector<int32_t> leaves,
            const Floats &dpreOfRef = {}) {
  RowSet kept = keptOf(rows);
  int64_t size = rows.count() * spec.channels, keptSize = spec.tentative ? kept.count() * spec.channels : 0;
  Floats x = randomVector<float>(size, 1), w = randomVector<float>(spec.channels * spec.taps, 2);
  Floats bias = randomVector<float>(spec.channels, 3), dy = randomVector<float>(size, 4), unset(size, nan);
  Floats keptX = randomVector<float>(keptSize, 5);
  for (float &value : x)
    value *= 3;
  leaves.resize(18);
  Results r;
  auto add = [](Launch &launch, const std::vector<Floats> &operands) {
    for (const Floats &values : operands)
      launch.add(values);
  };
  auto addKept = [&](Launch &launch, bool withX) {
    if (spec.tentative)
      kept.addTo(launch, batch);
    if (spec.tentative && withX)
      launch.add(keptX);
  };
  Launch forward;
  rows.addTo(forward, batch);
  add(forward, {x, w, bias});
  addKept(forward, true);
  size_t place = forward.add(unset);
  runOn(isa, spec, forward);
  r.y = forward.get<float>(place), r.dpre = dy;
  if (spec.silu) {
    Launch activation;
    rows.addTo(activation, batch);
    add(activation, {x, w, bias});
    addKept(activation, true);
    activation.add(dy), place = activation.add(unset);
    runOn(isa, ActivationSpec{spec}, activation);
    r.dpre = activation.get<float>(place);
  }
  const Floats &dpre = dpreOfRef.empty() ? r.dpre : dpreOfRef;
  Launch input;
  rows.addTo(input, batch);
  input.add(w);
  addKept(input, false);
  input.add(dpre), place = input.add(unset);
  size_t keptPlace = spec.tentative ? input.add(Floats(keptSize, nan)) : 0;
  runOn(isa, InputSpec{spec}, input);
  r.dx = input.get<float>(place);
  if (spec.tentative)
    r.dKept = input.get<float>(keptPlace);
  Launch weight;
  weight.add(leaves);
  rows.addTo(weight, batch);
  weight.add(x);
  addKept(weight, true);
  weight.add(dpre), place = weight.add(Floats(w.size(), nan));
  weight.add(Floats(bias.size(), nan));
  runOn(isa, WeightSpec{spec}, weight);
  r.dw = weight.get<float>(place), r.dbias = weight.get<float>(place + 1);
  return r;
}

TEST(CpuTrainingConv, HasTheBitsOfRefButForSilu) {
  for (const SeqConvSpec &spec :
       {SeqConvSpec{137, 4, true, false, Scalar::F32}, SeqConvSpec{64, 3, false, false, Scalar::F32},
        SeqConvSpec{5, 1, true, false, Scalar::F32}, SeqConvSpec{75, 4, true, true, Scalar::F32},
        SeqConvSpec{18, 1, false, true, Scalar::F32}})
    for (const RowSet &rows : {allRows(batch), slice()})
      for (const std::vector<int32_t> &leaves : allLeaves) {
        Results expected = run(nullptr, spec, rows, leaves);
        for (const Isa &isa : hostIsas()) {
          SCOPED_TRACE(isa.name + ", channels " + std::to_string(spec.channels));
          Results result = run(&isa, spec, rows, leaves, expected.dpre);
          if (spec.silu) {
            // exp, a sum and a quotient, then a few products; near -1.28 the slope is a difference.
            expectNear(result.y, expected.y, 12 * 0x1p-24);
            expectNear(result.dpre, expected.dpre, 16 * 0x1p-24);
          } else {
            EXPECT_TRUE(result.y == expected.y);
          }
          EXPECT_TRUE(result.dx == expected.dx);
          EXPECT_TRUE(result.dKept == expected.dKept);
          EXPECT_TRUE(result.dw == expected.dw);
          EXPECT_TRUE(result.dbias == expected.dbias);
        }
      }
}

TEST(CpuTrainingConv, HalvesOfTheLeavesAddUpToAllOfThem) {
  SeqConvSpec spec{64, 3, false, false, Scalar::F32};
  RowSet rows = allRows(batch);
  for (const Isa &isa : hostIsas()) {
    Results all = run(&isa, spec, rows, {4, 0, 2, 4, 6, 8});
    // The gradients of the other half's rows count for nothing where their leaves do not exist.
    Results lower = run(&isa, spec, rows, {2, 0, 2, 4}), upper = run(&isa, spec, rows, {2, 4, 6, 8});
    for (size_t i = 0; i < all.dw.size(); ++i)
      ASSERT_EQ(lower.dw[i] + upper.dw[i], all.dw[i]) << isa.name;
    for (size_t i = 0; i < all.dbias.size(); ++i)
      ASSERT_EQ(lower.dbias[i] + upper.dbias[i], all.dbias[i]) << isa.name;
  }
}

} // namespace
} // namespace chimera::cpu::test
