// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-support/KernelJit.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

/// Slots 2, 0, 1; the second sequence has no row in the rows value.
const Batch batch({6, 2, 3}, {2, 0, 1}, {0, 5, 9});
const std::vector<bool> kept = {true, true, false, true, true, true, false, false, true, true, true};

template <typename T> struct SsmCase {
  SsmScanSpec spec;
  std::vector<T> xbc, dt, logRate, skip, dtBias, write, state;
};

template <typename T> SsmCase<T> makeSsmCase(int64_t groups, bool weighted, size_t rows) {
  SsmCase<T> c{{6, 3, 5, groups, 0.0, std::numeric_limits<double>::infinity(), weighted, scalarOf<T>},
               {},
               {},
               {},
               {},
               {},
               {},
               {}};
  c.xbc = randomVector<T>(rows * (6 * 3 + 2 * groups * 5), 1);
  c.dt = randomVector<T>(rows * 6, 2);
  c.logRate = randomVector<T>(6, 3);
  c.skip = randomVector<T>(6, 4);
  c.dtBias = randomVector<T>(6, 5);
  c.write = randomVector<T>(rows, 6);
  c.state = randomVector<T>(3 * 6 * 3 * 5, 7);
  return c;
}

template <typename T> std::pair<std::vector<T>, std::vector<T>> runSsm(const SsmCase<T> &c, const RowSet &rows) {
  Launch launch;
  rows.addTo(launch, batch);
  for (const std::vector<T> *v : {&c.xbc, &c.dt, &c.logRate, &c.skip, &c.dtBias})
    launch.add(*v);
  if (c.spec.weighted)
    launch.add(c.write);
  size_t state = launch.add(c.state), out = launch.add(std::vector<T>(rows.count() * c.spec.heads * c.spec.headSize));
  runKernel(c.spec, launch, batch.sizes());
  return {launch.get<T>(out), launch.get<T>(state)};
}

/// The recurrence in long double, for an oracle of its own roundings.
template <typename T> void expectSsm(const SsmCase<T> &c, const RowSet &rows) {
  auto [y, state] = runSsm(c, rows);
  const SsmScanSpec &p = c.spec;
  int64_t inner = p.heads * p.headSize, width = inner + 2 * p.groups * p.stateSize;
  std::vector<long double> s(c.state.begin(), c.state.end());
  std::vector<T> expected(rows.count() * inner);
  for (int64_t q = 0; q < batch.seqs(); ++q)
    for (int64_t row = rows.start[q] - rows.start[0]; row < rows.start[q + 1] - rows.start[0]; ++row)
      for (int64_t h = 0; h < p.heads; ++h) {
        const T *x = &c.xbc[row * width + h * p.headSize];
        const T *b = &c.xbc[row * width + inner + h * p.groups / p.heads * p.stateSize],
                *m = b + p.groups * p.stateSize;
        long double d = log1pl(expl(static_cast<long double>(c.dt[row * p.heads + h]) + c.dtBias[h]));
        d = std::clamp<long double>(d, p.dtMin, p.dtMax);
        if (p.weighted)
          d *= expl(c.write[row]);
        long double decay = expl(-expl(c.logRate[h]) * d);
        for (int64_t i = 0; i < p.headSize; ++i) {
          long double sum = static_cast<long double>(c.skip[h]) * x[i];
          long double *line = &s[((batch.slot[q] * p.heads + h) * p.headSize + i) * p.stateSize];
          for (int64_t n = 0; n < p.stateSize; ++n) {
            line[n] = decay * line[n] + d * x[i] * b[n];
            sum += line[n] * m[n];
          }
          expected[row * inner + h * p.headSize + i] = static_cast<T>(sum);
        }
      }
  double tolerance = sizeof(T) == 8 ? 1e-14 : 3e-6;
  expectNear(y, expected, tolerance);
  expectNear(state, std::vector<T>(s.begin(), s.end()), tolerance);
}

template <typename T> class RefScan : public testing::Test {};
using AccumulatorTypes = testing::Types<double, float>;
TYPED_TEST_SUITE(RefScan, AccumulatorTypes);

TYPED_TEST(RefScan, SsmFollowsTheRecurrenceOfItsOwnTokens) {
  RowSet rows = someRows(batch, kept, 2);
  for (int64_t groups : {1, 2, 3, 6})
    expectSsm(makeSsmCase<TypeParam>(groups, false, rows.count()), rows);
}

TYPED_TEST(RefScan, SsmStepSizesAreClampedThenWeighted) {
  RowSet rows = someRows(batch, kept, 2);
  SsmCase<TypeParam> c = makeSsmCase<TypeParam>(2, true, rows.count());
  expectSsm(c, rows);
  c.spec.dtMin = 0.5;
  c.spec.dtMax = 0.75;
  expectSsm(c, rows);
}

TYPED_TEST(RefScan, SsmGivesTheSameBitsInOneCallOrRowByRow) {
  RowSet all = allRows(batch);
  SsmCase<TypeParam> whole = makeSsmCase<TypeParam>(2, true, all.count());
  auto [y, state] = runSsm(whole, all);
  SsmCase<TypeParam> step = whole;
  int64_t inner = 18, width = inner + 20;
  for (int64_t r = 0; r < batch.tokens(); ++r) {
    std::vector<bool> one(batch.tokens());
    one[r] = true;
    step.xbc.assign(whole.xbc.begin() + r * width, whole.xbc.begin() + (r + 1) * width);
    step.dt.assign(whole.dt.begin() + r * 6, whole.dt.begin() + (r + 1) * 6);
    step.write.assign(1, whole.write[r]);
    auto [row, next] = runSsm(step, someRows(batch, one, 0));
    EXPECT_TRUE(std::equal(row.begin(), row.end(), y.begin() + r * inner)) << "row " << r;
    step.state = next;
  }
  EXPECT_EQ(step.state, state);
}

TYPED_TEST(RefScan, ANaNSequenceLeavesTheOthersAsTheyWere) {
  RowSet all = allRows(batch);
  SsmCase<TypeParam> clean = makeSsmCase<TypeParam>(1, false, all.count()), dirty = clean;
  std::fill(dirty.dt.begin(), dirty.dt.begin() + 6 * 6, std::numeric_limits<TypeParam>::quiet_NaN());
  auto [y, state] = runSsm(clean, all);
  auto [yDirty, stateDirty] = runSsm(dirty, all);
  EXPECT_TRUE(std::equal(y.begin() + 6 * 18, y.end(), yDirty.begin() + 6 * 18));
  EXPECT_TRUE(std::equal(state.begin(), state.begin() + 2 * 90, stateDirty.begin())); // slots 0 and 1
  EXPECT_TRUE(std::isnan(stateDirty[2 * 90]));
}

TYPED_TEST(RefScan, LtiDecaysAndAdds) {
  using T = TypeParam;
  RowSet rows = someRows(batch, kept, 1);
  constexpr size_t size = 4;
  auto u = randomVector<T>(rows.count() * size, 1), decay = randomVector<T>(size, 2),
       write = randomVector<T>(rows.count(), 3);
  auto state = randomVector<T>(3 * size, 4);
  for (bool weighted : {false, true}) {
    Launch launch;
    rows.addTo(launch, batch);
    launch.add(u);
    launch.add(decay);
    if (weighted)
      launch.add(write);
    size_t after = launch.add(state), out = launch.add(std::vector<T>(u.size()));
    runKernel(LtiScanSpec{size, weighted, scalarOf<T>}, launch, batch.sizes());
    std::vector<T> expectedState = state, expected(u.size());
    for (int64_t q = 0; q < batch.seqs(); ++q)
      for (int64_t row = rows.start[q] - rows.start[0]; row < rows.start[q + 1] - rows.start[0]; ++row)
        for (size_t n = 0; n < size; ++n) {
          T input = weighted ? u[row * size + n] * static_cast<T>(expl(write[row])) : u[row * size + n];
          T factor = static_cast<T>(1 / (1 + expl(-static_cast<long double>(decay[n]))));
          T &s = expectedState[batch.slot[q] * size + n];
          s = std::fma(factor, s, input);
          expected[row * size + n] = s;
        }
    double tolerance = sizeof(T) == 8 ? 1e-15 : 3e-7;
    expectNear(launch.get<T>(out), expected, tolerance);
    expectNear(launch.get<T>(after), expectedState, tolerance);
  }
}

} // namespace
