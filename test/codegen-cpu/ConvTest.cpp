// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/CpuKernel.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {
namespace {

using ref::test::allRows;
using ref::test::expectNear;
using ref::test::randomVector;
using ref::test::someRows;

/// Slots 0 .. 3; the sequences lie in 2, 0 and 3; the second has no row in the slice.
const Batch batch({9, 2, 3}, {2, 0, 3}, {0, 5, 9});
const std::vector<bool> kept = {true, true, true, false, true, true, true, true, true, false, false, true, true, false};

struct ConvCase {
  ConvSpec spec;
  std::vector<float> x, w, bias, tail; // x without the columns beside the view

  ConvCase(int64_t channels, int64_t taps, bool silu, bool addInput, int64_t rows)
      : spec{channels, taps, silu, addInput, View{channels + 7, 2}}, x(randomVector<float>(rows * channels, 1)),
        w(randomVector<float>(channels * taps, 2)), bias(randomVector<float>(channels, 3)),
        tail(randomVector<float>(4 * (taps - 1) * channels, 4)) {}
};

struct ConvResult {
  std::vector<float> y, tail;
};

ConvResult run(const Isa &isa, const ConvCase &c, const RowSet &rows) {
  int64_t channels = c.spec.channels;
  std::vector<float> wide(rows.count() * (channels + 7), std::numeric_limits<float>::quiet_NaN());
  for (size_t i = 0; i < c.x.size(); ++i)
    wide[i / channels * (channels + 7) + 2 + i % channels] = c.x[i];
  Launch launch;
  rows.addTo(launch, batch);
  launch.add(wide);
  launch.add(c.w);
  launch.add(c.bias);
  size_t tail = c.spec.taps > 1 ? launch.add(c.tail) : 0;
  size_t y = launch.add(std::vector<float>(c.x.size()));
  runKernel(isa, c.spec, launch, batch.sizes());
  return {launch.get<float>(y), c.spec.taps > 1 ? launch.get<float>(tail) : std::vector<float>()};
}

ConvResult runRef(const ConvCase &c, const RowSet &rows) {
  Launch launch;
  rows.addTo(launch, batch);
  launch.add(c.x);
  launch.add(c.w);
  launch.add(c.bias);
  if (c.spec.taps > 1)
    launch.add(c.tail);
  size_t y = launch.add(std::vector<float>(c.x.size()));
  ref::test::runKernel(ref::CausalConvSpec{c.spec.channels, c.spec.taps, c.spec.silu, Scalar::F32}, launch,
                       batch.sizes());
  ConvResult result{launch.get<float>(y), {}};
  for (size_t i = 0; c.spec.addInput && i < c.x.size(); ++i)
    result.y[i] = c.x[i] + result.y[i];
  if (c.spec.taps == 1)
    return result;
  Launch shift;
  rows.addTo(shift, batch);
  shift.add(c.x);
  size_t tail = shift.add(c.tail);
  ref::test::runKernel(ref::ShiftTailSpec{c.spec.channels, c.spec.taps - 1, Scalar::F32}, shift, batch.sizes());
  result.tail = shift.get<float>(tail);
  return result;
}

TEST(CpuConv, HasTheBitsOfTheRefConvolutionAndTail) {
  RowSet rows = someRows(batch, kept, 3);
  for (auto [channels, taps, addInput] :
       {std::tuple(128, 4, false), std::tuple(3, 4, true), std::tuple(77, 2, true), std::tuple(136, 7, false),
        std::tuple(64, 1, true), std::tuple(150, 1, false), std::tuple(20, 12, false)}) {
    ConvCase c(channels, taps, false, addInput, rows.count());
    ConvResult expected = runRef(c, rows);
    for (const Isa &isa : hostIsas()) {
      ConvResult result = run(isa, c, rows);
      EXPECT_TRUE(result.y == expected.y) << isa.name << ", " << channels << " channels, " << taps << " taps";
      EXPECT_TRUE(result.tail == expected.tail) << isa.name << ", " << channels << " channels, " << taps << " taps";
    }
  }
}

TEST(CpuConv, SiluComesAfterTheConvolution) {
  RowSet rows = someRows(batch, kept, 3);
  for (int64_t channels : {77, 128}) {
    ConvCase c(channels, 4, true, false, rows.count());
    ConvResult expected = runRef(c, rows);
    for (const Isa &isa : hostIsas()) {
      ConvResult result = run(isa, c, rows);
      expectNear(result.y, expected.y, 4 * 0x1p-23); // silu: exp within 2 ulp, a sum and a quotient
      EXPECT_TRUE(result.tail == expected.tail) << isa.name;
    }
  }
}

/// The rows [first, last) of the batch alone, from the tail that `c` has.
ConvResult runPart(const Isa &isa, ConvCase c, int64_t first, int64_t last) {
  std::vector<bool> part(batch.tokens());
  std::fill(part.begin() + first, part.begin() + last, true);
  c.x = std::vector<float>(c.x.begin() + first * c.spec.channels, c.x.begin() + last * c.spec.channels);
  return run(isa, c, someRows(batch, part, 0));
}

TEST(CpuConv, GivesTheSameBitsInOneCallInPiecesOrRowByRow) {
  RowSet all = allRows(batch);
  for (const Isa &isa : hostIsas()) {
    ConvCase c(77, 4, true, false, all.count());
    ConvResult whole = run(isa, c, all);
    for (const std::vector<int64_t> &cuts :
         {std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, {0, 5, 7, 10, 14}, {0, 2, 13, 14}}) {
      ConvCase step = c;
      for (size_t i = 0; i + 1 < cuts.size(); ++i) {
        ConvResult part = runPart(isa, step, cuts[i], cuts[i + 1]);
        EXPECT_TRUE(std::equal(part.y.begin(), part.y.end(), whole.y.begin() + cuts[i] * 77))
            << isa.name << ", rows from " << cuts[i];
        step.tail = part.tail;
      }
      EXPECT_TRUE(step.tail == whole.tail) << isa.name;
    }
  }
}

TEST(CpuConv, ANaNStaysInItsSequenceAndChannel) {
  RowSet all = allRows(batch);
  for (const Isa &isa : hostIsas()) {
    ConvCase c(77, 4, true, true, all.count()), dirty = c;
    dirty.x[8 * 77 + 5] = std::numeric_limits<float>::quiet_NaN();         // the last row of the first sequence
    dirty.tail[2 * 3 * 77 + 76] = std::numeric_limits<float>::quiet_NaN(); // its oldest row of the tail
    ConvResult clean = run(isa, c, all), beside = run(isa, dirty, all);
    for (size_t i = 0; i < clean.y.size(); ++i) {
      bool own = i == 8 * 77 + 5 || i == 76;
      EXPECT_TRUE(own ? std::isnan(beside.y[i]) : beside.y[i] == clean.y[i]) << isa.name << ", element " << i;
    }
    for (size_t i = 0; i < clean.tail.size(); ++i) {
      bool own = i == (2 * 3 + 2) * 77 + 5;
      EXPECT_TRUE(own ? std::isnan(beside.tail[i]) : beside.tail[i] == clean.tail[i]) << isa.name << ", tail " << i;
    }
  }
}

TEST(CpuConv, NoRowsLeaveTheTailAsItWas) {
  RowSet none = someRows(batch, std::vector<bool>(batch.tokens()), 2);
  for (const Isa &isa : hostIsas()) {
    ConvCase c(77, 4, true, false, 0);
    EXPECT_TRUE(run(isa, c, none).tail == c.tail) << isa.name;
  }
}

} // namespace
} // namespace chimera::cpu::test
