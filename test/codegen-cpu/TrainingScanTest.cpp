// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingScan.h"
#include "test/codegen-cpu/CpuKernel.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {
namespace {

using ref::SeqSsmScanSpec;
using ref::test::expectNear;
using ref::test::randomVector;
using ref::test::someRows;

using Floats = std::vector<float>;
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

struct GradSpec {
  SeqSsmScanSpec scan;
};
Kernel getOrEmit(mlir::ModuleOp m, const Isa &isa, const GradSpec &spec) {
  return getOrEmitGrad(m, isa, spec.scan);
}
Kernel getOrEmit(mlir::ModuleOp m, const GradSpec &spec) {
  return ref::getOrEmitGrad(m, spec.scan);
}

/// Several blocks of rows and a bit, a row, nothing, a whole block, a block and a row.
const Batch batch({75, 1, 0, 32, 33}, {0, 1, 2, 3, 4}, {0, 0, 0, 0, 0});

RowSet slice() {
  std::vector<bool> kept(batch.tokens(), true);
  kept[2] = kept[70] = kept[75] = kept[80] = false;
  return someRows(batch, kept, 2);
}

/// y, then the gradients by xbc, dt, A_log, D and write.
using Results = std::vector<Floats>;

template <typename Spec> void runOn(const Isa *isa, const Spec &spec, Launch &launch, const Batch &step) {
  // Modes 2 are kept, if there are modes.
  isa ? runKernel(*isa, spec, launch, step.sizes(), {2}) : ref::test::runKernel(spec, launch, step.sizes(), {2});
}

struct Case {
  SeqSsmScanSpec spec;
  Floats xbc, dt, logRate, skip, dtBias, write, dy;

  int64_t inner() const { return spec.heads * spec.headSize; }
  int64_t width() const { return inner() + 2 * spec.groups * spec.stateSize; }
};

Case makeCase(const SeqSsmScanSpec &spec, int64_t rows) {
  Case c{spec, {}, {}, {}, {}, {}, {}, {}};
  c.xbc = randomVector<float>(rows * c.width(), 1), c.dt = randomVector<float>(rows * spec.heads, 2);
  c.logRate = randomVector<float>(spec.heads, 3), c.skip = randomVector<float>(spec.heads, 4);
  c.dtBias = randomVector<float>(spec.heads, 5), c.write = randomVector<float>(rows, 6);
  c.dy = randomVector<float>(rows * c.inner(), 7);
  return c;
}

/// A mode for each row of the batch.
std::vector<int8_t> modesOf(const Batch &step) {
  std::vector<int8_t> modes;
  for (int64_t row = 0; row < step.tokens(); ++row)
    modes.push_back(static_cast<int8_t>(row % 7 % 4));
  return modes;
}

Results run(const Isa *isa, const Case &c, const RowSet &rows, const Batch &step = batch) {
  auto begin = [&] {
    Launch launch;
    rows.addTo(launch, step);
    for (const Floats *values : {&c.xbc, &c.dt, &c.logRate, &c.skip, &c.dtBias})
      launch.add(*values);
    if (c.spec.weighted)
      launch.add(c.write);
    if (c.spec.masked)
      launch.add(modesOf(step));
    return launch;
  };
  Launch forward = begin();
  int64_t kept = rows.count() * ir::scanStates(c.spec.heads, c.spec.headSize, c.spec.stateSize);
  size_t states = forward.add(Floats(kept, 0)), y = forward.add(Floats(c.dy.size(), nan));
  runOn(isa, c.spec, forward, step);
  Launch backward = begin();
  backward.add(forward.get<float>(states));
  backward.add(c.dy);
  std::vector<size_t> places = {backward.add(Floats(c.xbc.size(), nan))};
  for (int i = 0; i < 3; ++i)
    places.push_back(backward.add(Floats(c.dt.size(), nan)));
  if (c.spec.weighted)
    places.push_back(backward.add(Floats(c.write.size(), nan)));
  runOn(isa, GradSpec{c.spec}, backward, step);
  Results results = {forward.get<float>(y)};
  for (size_t place : places)
    results.push_back(backward.get<float>(place));
  return results;
}

SeqSsmScanSpec specOf(int64_t heads, int64_t headSize, int64_t stateSize, int64_t groups, bool weighted,
                      bool masked = false) {
  // Decays forget within some ten rows, so that few errors of the state add up; some steps are at each bound.
  return {heads, headSize, stateSize, groups, 0.25, 1.2, weighted, masked, Scalar::F32};
}

/// Whole vectors of state and dimensions, fewer, more than one chunk with a rest, several groups of heads.
const std::vector<SeqSsmScanSpec> specs = {specOf(4, 32, 16, 1, true),        specOf(6, 3, 5, 2, false),
                                           specOf(2, 20, 85, 2, true),        specOf(3, 16, 64, 1, false),
                                           specOf(4, 18, 24, 2, false, true), specOf(2, 7, 16, 1, true, true)};

TEST(CpuTrainingScan, IsTheRefScanButForExpAndSums) {
  for (const SeqSsmScanSpec &spec : specs)
    for (const RowSet &rows : {ref::test::allRows(batch), slice()}) {
      Case c = makeCase(spec, rows.count());
      Results expected = run(nullptr, c, rows);
      for (const Isa &isa : hostIsas()) {
        Results result = run(&isa, c, rows);
        ASSERT_EQ(result.size(), expected.size());
        for (size_t i = 0; i < result.size(); ++i) {
          SCOPED_TRACE(isa.name + ", state " + std::to_string(spec.stateSize) + ", result " + std::to_string(i));
          // A decay is within (its exponent, at most 7) * 6 + 2 ulp, states and their gradients within twice that; a
          // sum has up to headSize stateSize terms of about one, whose errors are of either sign.
          expectNear(result[i], expected[i],
                     100 * 0x1p-24 * std::sqrt(static_cast<double>(spec.headSize * spec.stateSize)));
        }
      }
    }
}

TEST(CpuTrainingScan, ASequenceAloneHasTheBitsThatItHasInABatch) {
  const Batch single({33}, {0}, {0});
  RowSet rows = ref::test::allRows(batch), own = ref::test::allRows(single);
  for (const SeqSsmScanSpec &spec : {specs[0], specs[1]})
    for (const Isa &isa : hostIsas()) {
      Case c = makeCase(spec, rows.count()), alone = c;
      auto last = [&](const Floats &values) {
        return Floats(values.end() - static_cast<int64_t>(values.size()) / rows.count() * 33, values.end());
      };
      for (auto member : {&Case::xbc, &Case::dt, &Case::write, &Case::dy})
        alone.*member = last(c.*member);
      Results batched = run(&isa, c, rows), result = run(&isa, alone, own, single);
      for (size_t i = 0; i < result.size(); ++i)
        EXPECT_TRUE(result[i] == last(batched[i])) << isa.name << ", result " << i;
    }
}

} // namespace
} // namespace chimera::cpu::test
