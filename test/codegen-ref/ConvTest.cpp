// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-support/KernelJit.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace chimera::ref;
using namespace chimera::ref::test;

namespace {

constexpr size_t channels = 3;

/// Slots 0 .. 3; the three sequences lie in 2, 0 and 3; the second has no row in the rows value.
const Batch batch({4, 2, 3}, {2, 0, 3}, {0, 5, 9});
const std::vector<bool> kept = {true, false, true, true, false, false, true, true, false};

/// The tail of sequence s followed by its rows of the rows value.
template <typename T>
std::vector<T> history(const RowSet &rows, const std::vector<T> &x, const std::vector<T> &tail, size_t depth,
                       size_t s) {
  std::vector<T> all(tail.begin() + batch.slot[s] * depth * channels,
                     tail.begin() + (batch.slot[s] + 1) * depth * channels);
  size_t first = rows.start[s] - rows.start[0], last = rows.start[s + 1] - rows.start[0];
  all.insert(all.end(), x.begin() + first * channels, x.begin() + last * channels);
  return all;
}

template <typename T> void expectConvolution(size_t taps, bool silu) {
  RowSet rows = someRows(batch, kept, 3);
  auto x = randomVector<T>(rows.count() * channels, 1), tail = randomVector<T>(4 * (taps - 1) * channels, 2);
  auto w = randomVector<T>(channels * taps, 3), bias = randomVector<T>(channels, 4);
  Launch launch;
  rows.addTo(launch, batch);
  launch.add(x);
  launch.add(w);
  launch.add(bias);
  if (taps > 1)
    launch.add(tail);
  size_t out = launch.add(std::vector<T>(x.size()));
  runKernel(CausalConvSpec{channels, static_cast<int64_t>(taps), silu, scalarOf<T>}, launch, batch.sizes());
  std::vector<T> expected;
  for (size_t s = 0; s < 3; ++s) {
    auto all = history(rows, x, tail, taps - 1, s);
    for (size_t t = (taps - 1) * channels; t < all.size(); ++t) {
      size_t c = t % channels;
      T sum = bias[c];
      for (size_t k = 0; k < taps; ++k)
        sum = std::fma(w[c * taps + k], all[t - (taps - 1 - k) * channels], sum);
      expected.push_back(silu ? static_cast<T>(sum / (1 + expl(-static_cast<long double>(sum)))) : sum);
    }
  }
  if (silu)
    expectNear(launch.get<T>(out), expected, sizeof(T) == 8 ? 1e-15 : 1e-7);
  else
    EXPECT_EQ(launch.get<T>(out), expected) << taps << " taps";
}

TEST(RefConv, ConvolvesOverTheRowsOfTheSequenceAndItsTail) {
  for (size_t taps : {1, 2, 4, 7}) {
    expectConvolution<double>(taps, false);
    expectConvolution<float>(taps, false);
  }
}

TEST(RefConv, SiluComesAfterTheConvolution) {
  expectConvolution<double>(4, true);
  expectConvolution<float>(4, true);
}

template <typename T> void expectShift(size_t depth) {
  RowSet rows = someRows(batch, kept, 3);
  auto x = randomVector<T>(rows.count() * channels, 5), tail = randomVector<T>(4 * depth * channels, 6);
  Launch launch;
  rows.addTo(launch, batch);
  launch.add(x);
  size_t out = launch.add(tail);
  runKernel(ShiftTailSpec{channels, static_cast<int64_t>(depth), scalarOf<T>}, launch, batch.sizes());
  auto expected = tail;
  for (size_t s = 0; s < 3; ++s) {
    auto all = history(rows, x, tail, depth, s);
    std::copy(all.end() - depth * channels, all.end(), expected.begin() + batch.slot[s] * depth * channels);
  }
  EXPECT_EQ(launch.get<T>(out), expected) << "depth " << depth;
}

TEST(RefConv, ShiftTailKeepsTheLastRowsOfTailAndSequence) {
  for (size_t depth : {1, 2, 3, 6}) {
    expectShift<double>(depth);
    expectShift<float>(depth);
  }
}

} // namespace
