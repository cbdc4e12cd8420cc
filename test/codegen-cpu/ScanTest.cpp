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

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Slots 2, 0, 1; the first sequence is longer than one block of rows; the second has no row in the slice.
const Batch batch({150, 2, 3}, {2, 0, 1}, {0, 5, 9});

RowSet slice() {
  std::vector<bool> kept(batch.tokens(), true);
  kept[2] = kept[70] = kept[150] = kept[151] = false;
  return someRows(batch, kept, 2);
}

struct Shape {
  int64_t heads, headSize, stateSize, groups;
};
/// Whole tiles, and heads and states that are narrower, wider or a bit more than some.
const std::vector<Shape> shapes = {{2, 64, 16, 1}, {6, 3, 5, 2},    {3, 70, 9, 3}, {2, 33, 1, 1},
                                   {4, 1, 7, 4},   {1, 32, 128, 1}, {1, 136, 3, 1}};

/// The state is [slots][heads][stateSize][headSize].
struct SsmCase {
  SsmScanSpec spec;
  std::vector<float> xbc, dt, logRate, skip, dtBias, write, state; // dt without the columns beside the view

  SsmCase(Shape s, bool weighted, int64_t rows)
      : spec{s.heads, s.headSize, s.stateSize, s.groups, 0.001, 5, weighted, View{s.heads + 9, 4}},
        xbc(randomVector<float>(rows * width(), 1)), dt(randomVector<float>(rows * s.heads, 2)),
        logRate(randomVector<float>(s.heads, 3)), skip(randomVector<float>(s.heads, 4)),
        dtBias(randomVector<float>(s.heads, 5)), write(randomVector<float>(rows, 6)),
        state(randomVector<float>(3 * stateWidth(), 7)) {}

  int64_t inner() const { return spec.heads * spec.headSize; }
  int64_t width() const { return inner() + 2 * spec.groups * spec.stateSize; }
  int64_t stateWidth() const { return inner() * spec.stateSize; }
};

struct SsmResult {
  std::vector<float> y, state;
};

SsmResult run(const Isa &isa, const SsmCase &c, const RowSet &rows) {
  int64_t heads = c.spec.heads, stride = c.spec.dt.stride;
  std::vector<float> wide(rows.count() * stride, nan);
  for (size_t i = 0; i < c.dt.size(); ++i)
    wide[i / heads * stride + c.spec.dt.offset + i % heads] = c.dt[i];
  Launch launch;
  rows.addTo(launch, batch);
  for (const std::vector<float> *v :
       {&c.xbc, static_cast<const std::vector<float> *>(&wide), &c.logRate, &c.skip, &c.dtBias})
    launch.add(*v);
  if (c.spec.weighted)
    launch.add(c.write);
  size_t state = launch.add(c.state), y = launch.add(std::vector<float>(rows.count() * c.inner()));
  runKernel(isa, c.spec, launch, batch.sizes());
  return {launch.get<float>(y), launch.get<float>(state)};
}

/// [a][b] of each head as [b][a].
std::vector<float> transposed(const std::vector<float> &state, int64_t a, int64_t b) {
  std::vector<float> result(state.size());
  for (size_t i = 0; i < state.size(); ++i) {
    int64_t head = i / (a * b), place = i % (a * b);
    result[head * a * b + place % b * a + place / b] = state[i];
  }
  return result;
}

SsmResult runRef(const SsmCase &c, const RowSet &rows) {
  const SsmScanSpec &s = c.spec;
  Launch launch;
  rows.addTo(launch, batch);
  for (const std::vector<float> *v : {&c.xbc, &c.dt, &c.logRate, &c.skip, &c.dtBias})
    launch.add(*v);
  if (s.weighted)
    launch.add(c.write);
  size_t state = launch.add(transposed(c.state, s.stateSize, s.headSize));
  size_t y = launch.add(std::vector<float>(rows.count() * c.inner()));
  ref::test::runKernel(
      ref::SsmScanSpec{s.heads, s.headSize, s.stateSize, s.groups, s.dtMin, s.dtMax, s.weighted, Scalar::F32}, launch,
      batch.sizes());
  return {launch.get<float>(y), transposed(launch.get<float>(state), s.headSize, s.stateSize)};
}

/// The step sizes and decays [rows][heads], with exp and softplus as the ISA has them.
void plainSteps(const Isa &isa, const SsmCase &c, std::vector<float> &steps, std::vector<float> &decays) {
  int64_t heads = c.spec.heads, count = static_cast<int64_t>(c.dt.size());
  for (int64_t i = 0; i < count; ++i)
    steps.push_back(c.dt[i] + c.dtBias[i % heads]);
  steps = apply(isa, "softplus", softplus, steps);
  std::vector<float> rates = apply(isa, "exp", exp, c.logRate), weights = apply(isa, "exp", exp, c.write);
  for (int64_t i = 0; i < count; ++i) {
    steps[i] = std::min(std::max(steps[i], static_cast<float>(c.spec.dtMin)), static_cast<float>(c.spec.dtMax));
    if (c.spec.weighted)
      steps[i] *= weights[i / heads];
    decays.push_back(-rates[i % heads] * steps[i]);
  }
  decays = apply(isa, "exp", exp, decays);
}

/// The recurrence with the roundings that the specification states.
SsmResult plainScan(const Isa &isa, const SsmCase &c, const RowSet &rows) {
  const SsmScanSpec &s = c.spec;
  std::vector<float> steps, decays;
  plainSteps(isa, c, steps, decays);
  SsmResult r{std::vector<float>(rows.count() * c.inner()), c.state};
  for (int64_t q = 0; q < batch.seqs(); ++q)
    for (int64_t row = rows.start[q] - rows.start[0]; row < rows.start[q + 1] - rows.start[0]; ++row)
      for (int64_t h = 0; h < s.heads; ++h) {
        const float *x = &c.xbc[row * c.width() + h * s.headSize];
        const float *b = &c.xbc[row * c.width() + c.inner() + h * s.groups / s.heads * s.stateSize];
        float *state = &r.state[(batch.slot[q] * s.heads + h) * s.headSize * s.stateSize];
        float d = steps[row * s.heads + h], decay = decays[row * s.heads + h];
        for (int64_t p = 0; p < s.headSize; ++p) {
          float sum = 0, input = d * x[p];
          for (int64_t n = 0; n < s.stateSize; ++n) {
            float &at = state[n * s.headSize + p];
            at = std::fma(input, b[n], decay * at);
            sum = std::fma(at, b[n + s.groups * s.stateSize], sum);
          }
          r.y[row * c.inner() + h * s.headSize + p] = std::fma(c.skip[h], x[p], sum);
        }
      }
  return r;
}

TEST(CpuSsmScan, HasTheBitsOfTheSequentialRecurrence) {
  RowSet rows = slice();
  for (const Shape &shape : shapes)
    for (bool weighted : {false, true})
      for (const Isa &isa : hostIsas()) {
        SsmCase c(shape, weighted, rows.count());
        SsmResult result = run(isa, c, rows), expected = plainScan(isa, c, rows);
        EXPECT_TRUE(result.y == expected.y) << isa.name << ", head size " << shape.headSize;
        EXPECT_TRUE(result.state == expected.state) << isa.name << ", head size " << shape.headSize;
      }
}

TEST(CpuSsmScan, IsTheRefScanButForExpAndSoftplus) {
  RowSet rows = slice();
  for (const Shape &shape : {shapes[0], shapes[1], shapes[5]})
    for (bool weighted : {false, true}) {
      SsmCase c(shape, weighted, rows.count());
      c.spec.dtMin = 0.25; // decays forget within some ten rows, so that few errors of the state add up
      SsmResult expected = runRef(c, rows);
      for (const Isa &isa : hostIsas()) {
        SsmResult result = run(isa, c, rows);
        // A decay is within (its exponent, at most 12) * 6 + 2 ulp; a sum has stateSize terms of about one.
        double tolerance = 80 * 0x1p-24 * static_cast<double>(shape.stateSize);
        expectNear(result.y, expected.y, tolerance);
        expectNear(result.state, expected.state, 80 * 0x1p-24);
      }
    }
}

TEST(CpuSsmScan, HasTheBitsOfTheRefScanWhereDecaysAreZeroOrOne) {
  RowSet rows = slice();
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const Shape &shape : {shapes[0], shapes[1], shapes[2]}) {
    SsmCase c(shape, false, rows.count());
    c.spec.dtMin = c.spec.dtMax = 0.375; // softplus and exp have nothing left to say
    for (size_t h = 0; h < c.logRate.size(); ++h)
      c.logRate[h] = h % 2 ? infinity : -infinity;
    SsmResult expected = runRef(c, rows);
    for (const Isa &isa : hostIsas()) {
      SsmResult result = run(isa, c, rows);
      EXPECT_TRUE(result.y == expected.y) << isa.name << ", head size " << shape.headSize;
      EXPECT_TRUE(result.state == expected.state) << isa.name << ", head size " << shape.headSize;
    }
  }
}

template <typename T> std::vector<T> rowsOf(const std::vector<T> &all, int64_t width, int64_t first, int64_t last) {
  return std::vector<T>(all.begin() + first * width, all.begin() + last * width);
}

TEST(CpuSsmScan, GivesTheSameBitsInOneCallInPiecesOrRowByRow) {
  RowSet all = allRows(batch);
  std::vector<int64_t> single;
  for (int64_t row = 0; row <= batch.tokens(); ++row)
    single.push_back(row);
  for (const Shape &shape : {shapes[0], shapes[2], shapes[6]})
    for (const Isa &isa : hostIsas()) {
      SsmCase c(shape, true, all.count());
      SsmResult whole = run(isa, c, all);
      for (const std::vector<int64_t> &cuts : {single, {0, 33, 38, 149, 150, 155}}) {
        SsmCase step = c;
        for (size_t i = 0; i + 1 < cuts.size(); ++i) {
          int64_t first = cuts[i], last = cuts[i + 1];
          std::vector<bool> part(batch.tokens());
          std::fill(part.begin() + first, part.begin() + last, true);
          step.xbc = rowsOf(c.xbc, c.width(), first, last);
          step.dt = rowsOf(c.dt, c.spec.heads, first, last);
          step.write = rowsOf(c.write, 1, first, last);
          SsmResult result = run(isa, step, someRows(batch, part, 0));
          EXPECT_TRUE(result.y == rowsOf(whole.y, c.inner(), first, last)) << isa.name << ", rows from " << first;
          step.state = result.state;
        }
        EXPECT_TRUE(step.state == whole.state) << isa.name;
      }
    }
}

TEST(CpuSsmScan, ANaNStaysInItsSequenceAndHead) {
  RowSet all = allRows(batch);
  for (const Isa &isa : hostIsas()) {
    SsmCase c({3, 70, 9, 3}, false, all.count()), dirty = c;
    dirty.dt[149 * 3 + 1] = nan; // the last row of the first sequence, head 1
    SsmResult clean = run(isa, c, all), beside = run(isa, dirty, all);
    for (size_t i = 0; i < clean.y.size(); ++i) {
      bool own = i / 70 == 149 * 3 + 1;
      ASSERT_TRUE(own ? std::isnan(beside.y[i]) : beside.y[i] == clean.y[i]) << isa.name << ", element " << i;
    }
    for (size_t i = 0; i < clean.state.size(); ++i) {
      bool own = i / (70 * 9) == 2 * 3 + 1;
      ASSERT_TRUE(own ? std::isnan(beside.state[i]) : beside.state[i] == clean.state[i]) << isa.name << ", state " << i;
    }
  }
}

TEST(CpuSsmScan, NoRowsLeaveTheStateAsItWas) {
  RowSet none = someRows(batch, std::vector<bool>(batch.tokens()), 2);
  for (const Isa &isa : hostIsas()) {
    SsmCase c({3, 70, 9, 3}, true, 0);
    EXPECT_TRUE(run(isa, c, none).state == c.state) << isa.name;
  }
}

} // namespace
} // namespace chimera::cpu::test
