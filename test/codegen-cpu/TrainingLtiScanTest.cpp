// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/TrainingScan.h"
#include "test/codegen-cpu/CpuKernel.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {
namespace {

using ref::SeqLtiScanSpec;
using ref::test::expectNear;
using ref::test::randomVector;
using ref::test::someRows;

using Floats = std::vector<float>;
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

struct GradSpec {
  SeqLtiScanSpec scan;
};
Kernel getOrEmit(mlir::ModuleOp m, const Isa &isa, const GradSpec &spec) {
  return getOrEmitGrad(m, isa, spec.scan);
}
Kernel getOrEmit(mlir::ModuleOp m, const GradSpec &spec) {
  return ref::getOrEmitGrad(m, spec.scan);
}

const Batch batch({41, 1, 0, 7, 20}, {0, 1, 2, 3, 4}, {0, 0, 0, 0, 0});

/// Not all rows of the batch.
RowSet slice() {
  std::vector<bool> kept(batch.tokens(), true);
  kept[3] = kept[40] = kept[41] = kept[45] = false;
  return someRows(batch, kept, 2);
}

struct Case {
  SeqLtiScanSpec spec;
  Floats u, decay, write, dout;

  Case(const SeqLtiScanSpec &spec, int64_t rows)
      : spec(spec), u(randomVector<float>(rows * spec.stateSize, 1)), decay(randomVector<float>(spec.stateSize, 2)),
        write(randomVector<float>(rows, 3)), dout(randomVector<float>(rows * spec.stateSize, 4)) {}
};

Launch launchOf(const Case &c, const RowSet &rows, const Batch &step) {
  Launch launch;
  rows.addTo(launch, step);
  launch.add(c.u);
  launch.add(c.decay);
  if (c.spec.weighted)
    launch.add(c.write);
  if (c.spec.masked) {
    std::vector<int8_t> modes; // of all rows of the step; those of mode 2 are kept
    for (int64_t row = 0; row < step.tokens(); ++row)
      modes.push_back(static_cast<int8_t>(row % 7 % 4));
    launch.add(modes);
  }
  return launch;
}

template <typename Spec> void runOn(const Isa *isa, const Spec &spec, Launch &launch, const Batch &step) {
  isa ? runKernel(*isa, spec, launch, step.sizes(), {2}) : ref::test::runKernel(spec, launch, step.sizes(), {2});
}

/// out, du, the terms of ddecay, dwrite; by the ref kernels without an ISA.
std::vector<Floats> run(const Isa *isa, const Case &c, const RowSet &rows, const Batch &step = batch) {
  Launch forward = launchOf(c, rows, step);
  size_t out = forward.add(Floats(c.u.size(), nan));
  runOn(isa, c.spec, forward, step);
  Launch backward = launchOf(c, rows, step);
  backward.add(forward.get<float>(out));
  backward.add(c.dout);
  std::vector<size_t> places = {backward.add(Floats(c.u.size(), nan)), backward.add(Floats(c.u.size(), nan))};
  if (c.spec.weighted)
    places.push_back(backward.add(Floats(c.write.size(), nan)));
  runOn(isa, GradSpec{c.spec}, backward, step);
  std::vector<Floats> results = {forward.get<float>(out)};
  for (size_t place : places)
    results.push_back(backward.get<float>(place));
  return results;
}

/// A single channel, less than a vector, whole blocks, blocks and what is left of one; with and without each option.
std::vector<SeqLtiScanSpec> specs() {
  std::vector<SeqLtiScanSpec> all;
  for (int64_t size : {1, 5, 64, 77, 200})
    for (bool weighted : {false, true})
      for (bool masked : {false, true})
        all.push_back({size, weighted, masked, Scalar::F32});
  return all;
}

std::string nameOf(const Isa &isa, const SeqLtiScanSpec &spec, size_t result) {
  return isa.name + ", size " + std::to_string(spec.stateSize) + (spec.weighted ? ", weighted" : "") +
         (spec.masked ? ", masked" : "") + ", result " + std::to_string(result);
}

TEST(CpuTrainingLtiScan, IsTheRefScanButForExpAndSums) {
  for (const SeqLtiScanSpec &spec : specs())
    for (const RowSet &rows : {ref::test::allRows(batch), slice()}) {
      Case c(spec, rows.count());
      std::vector<Floats> expected = run(nullptr, c, rows);
      for (const Isa &isa : hostIsas()) {
        std::vector<Floats> result = run(&isa, c, rows);
        ASSERT_EQ(result.size(), expected.size());
        for (size_t i = 0; i < result.size(); ++i) {
          SCOPED_TRACE(nameOf(isa, spec, i));
          // Decays are at most sigmoid(1) = 0.73, so that states stay below 10 and forget errors within a few rows;
          // dwrite is a sum over the channels, whose errors are of either sign.
          double terms = i == 3 ? std::sqrt(static_cast<double>(spec.stateSize)) : 1;
          expectNear(result[i], expected[i], 100 * 0x1p-24 * terms);
        }
      }
    }
}

TEST(CpuTrainingLtiScan, ASequenceAloneHasTheBitsThatItHasInABatch) {
  const Batch single({20}, {0}, {0});
  RowSet rows = ref::test::allRows(batch), own = ref::test::allRows(single);
  for (bool weighted : {false, true})
    for (const Isa &isa : hostIsas()) {
      SeqLtiScanSpec spec{77, weighted, false, Scalar::F32};
      Case c(spec, rows.count()), alone = c;
      auto last = [&](const Floats &values) {
        return Floats(values.end() - static_cast<int64_t>(values.size()) / rows.count() * 20, values.end());
      };
      for (auto member : {&Case::u, &Case::write, &Case::dout})
        alone.*member = last(c.*member);
      std::vector<Floats> batched = run(&isa, c, rows), result = run(&isa, alone, own, single);
      for (size_t i = 0; i < result.size(); ++i)
        EXPECT_TRUE(result[i] == last(batched[i])) << nameOf(isa, spec, i);
    }
}

TEST(CpuTrainingLtiScan, ANaNSequenceLeavesTheOthersAsTheyWere) {
  RowSet rows = ref::test::allRows(batch);
  Case clean({77, true, true, Scalar::F32}, rows.count()), dirty = clean;
  dirty.u[0] = dirty.write[1] = dirty.dout[2] = nan; // in the first sequence
  for (const Isa &isa : hostIsas()) {
    std::vector<Floats> a = run(&isa, clean, rows), b = run(&isa, dirty, rows);
    EXPECT_TRUE(std::isnan(b[0][0]));
    for (size_t i = 0; i < a.size(); ++i) {
      auto rest = static_cast<std::ptrdiff_t>(a[i].size()) / rows.count() * 41;
      EXPECT_TRUE(std::equal(a[i].begin() + rest, a[i].end(), b[i].begin() + rest)) << nameOf(isa, clean.spec, i);
    }
  }
}

TEST(CpuTrainingLtiScan, TheSlopeOfADecayNearOneIsExact) {
  // sigmoid(12) = 1 - 6e-6, so that 1 - s, taken in f32, would be right to about a hundredth.
  RowSet rows = ref::test::allRows(batch);
  Case c({3, false, false, Scalar::F32}, rows.count());
  c.decay.assign(3, 12);
  Floats expected = run(nullptr, c, rows)[2];
  float greatest = 0;
  for (float v : expected)
    greatest = std::max(greatest, std::abs(v));
  EXPECT_LT(greatest, 1e-3); // the slope is in it
  for (const Isa &isa : hostIsas()) {
    Floats result = run(&isa, c, rows)[2];
    for (size_t i = 0; i < result.size(); ++i)
      EXPECT_NEAR(result[i], expected[i], 1e-5 * greatest) << isa.name << ", element " << i;
  }
}

} // namespace
} // namespace chimera::cpu::test
