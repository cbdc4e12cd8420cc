// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Math.h"
#include "test/codegen-cpu/MathCase.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {
namespace {

using ref::test::allRows;
using ref::test::expectNear;
using ref::test::randomVector;
using ref::test::someRows;

/// Slots 2, 0, 1; the second sequence has no row in the slice.
const Batch batch({6, 2, 3}, {2, 0, 1}, {0, 5, 9});
const std::vector<bool> kept = {true, true, false, true, true, true, false, false, true, true, true};

struct LtiCase {
  LtiScanSpec spec;
  std::vector<float> u, decay, write, state;

  LtiCase(int64_t size, bool weighted, int64_t rows)
      : spec{size, weighted}, u(randomVector<float>(rows * size, 1)), decay(randomVector<float>(size, 2)),
        write(randomVector<float>(rows, 3)), state(randomVector<float>(3 * size, 4)) {}
};

struct LtiResult {
  std::vector<float> out, state;
};

Launch launchOf(const LtiCase &c, const RowSet &rows) {
  Launch launch;
  rows.addTo(launch, batch);
  launch.add(c.u);
  launch.add(c.decay);
  if (c.spec.weighted)
    launch.add(c.write);
  return launch;
}

LtiResult run(const Isa &isa, const LtiCase &c, const RowSet &rows) {
  Launch launch = launchOf(c, rows);
  size_t state = launch.add(c.state), out = launch.add(std::vector<float>(c.u.size()));
  runKernel(isa, c.spec, launch, batch.sizes());
  return {launch.get<float>(out), launch.get<float>(state)};
}

/// The formula with its roundings, exp and sigmoid as the ISA has them.
LtiResult plainScan(const Isa &isa, const LtiCase &c, const RowSet &rows) {
  int64_t size = c.spec.stateSize;
  std::vector<float> factors = apply(isa, "sigmoid", sigmoid, c.decay), weights = apply(isa, "exp", exp, c.write);
  LtiResult r{c.u, c.state};
  for (int64_t q = 0; q < batch.seqs(); ++q)
    for (int64_t row = rows.start[q] - rows.start[0]; row < rows.start[q + 1] - rows.start[0]; ++row)
      for (int64_t n = 0; n < size; ++n) {
        float &state = r.state[batch.slot[q] * size + n];
        float input = c.spec.weighted ? c.u[row * size + n] * weights[row] : c.u[row * size + n];
        r.out[row * size + n] = state = std::fma(factors[n], state, input);
      }
  return r;
}

TEST(CpuLtiScan, HasTheBitsOfTheFormula) {
  RowSet rows = someRows(batch, kept, 1);
  for (int64_t size : {1, 5, 64, 77, 200})
    for (bool weighted : {false, true})
      for (const Isa &isa : hostIsas()) {
        LtiCase c(size, weighted, rows.count());
        LtiResult result = run(isa, c, rows), expected = plainScan(isa, c, rows);
        EXPECT_TRUE(result.out == expected.out) << isa.name << ", size " << size;
        EXPECT_TRUE(result.state == expected.state) << isa.name << ", size " << size;
      }
}

TEST(CpuLtiScan, IsTheRefScanButForExpAndSigmoid) {
  RowSet rows = someRows(batch, kept, 1);
  LtiCase c(77, true, rows.count());
  Launch launch = launchOf(c, rows);
  size_t state = launch.add(c.state), out = launch.add(std::vector<float>(c.u.size()));
  ref::test::runKernel(ref::LtiScanSpec{77, true, Scalar::F32}, launch, batch.sizes());
  // Six rows at most, each with errors of 3 and 2 ulp in factors of about one.
  for (const Isa &isa : hostIsas()) {
    LtiResult result = run(isa, c, rows);
    expectNear(result.out, launch.get<float>(out), 6 * 6 * 0x1p-24);
    expectNear(result.state, launch.get<float>(state), 6 * 6 * 0x1p-24);
  }
}

TEST(CpuLtiScan, GivesTheSameBitsInOneCallOrRowByRow) {
  RowSet all = allRows(batch);
  for (const Isa &isa : hostIsas()) {
    LtiCase c(77, true, all.count()), step = c;
    LtiResult whole = run(isa, c, all);
    for (int64_t row = 0; row < batch.tokens(); ++row) {
      std::vector<bool> one(batch.tokens());
      one[row] = true;
      step.u.assign(c.u.begin() + row * 77, c.u.begin() + (row + 1) * 77);
      step.write.assign(1, c.write[row]);
      LtiResult result = run(isa, step, someRows(batch, one, 0));
      EXPECT_TRUE(std::equal(result.out.begin(), result.out.end(), whole.out.begin() + row * 77))
          << isa.name << ", row " << row;
      step.state = result.state;
    }
    EXPECT_TRUE(step.state == whole.state) << isa.name;
  }
}

TEST(CpuLtiScan, ANaNStaysInItsSequence) {
  RowSet all = allRows(batch);
  for (const Isa &isa : hostIsas()) {
    LtiCase c(77, true, all.count()), dirty = c;
    dirty.write[5] = std::numeric_limits<float>::quiet_NaN(); // the last row of the first sequence
    LtiResult clean = run(isa, c, all), beside = run(isa, dirty, all);
    for (size_t i = 0; i < clean.out.size(); ++i)
      ASSERT_TRUE(i / 77 == 5 ? std::isnan(beside.out[i]) : beside.out[i] == clean.out[i]) << isa.name << " " << i;
    for (size_t i = 0; i < clean.state.size(); ++i)
      ASSERT_TRUE(i / 77 == 2 ? std::isnan(beside.state[i]) : beside.state[i] == clean.state[i])
          << isa.name << " " << i;
  }
}

} // namespace
} // namespace chimera::cpu::test
