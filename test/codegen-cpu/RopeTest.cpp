// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/CpuKernel.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {
namespace {

using ref::test::allRows;
using ref::test::randomVector;
using ref::test::someRows;

/// The second sequence has no row in the slice.
const Batch batch({6, 2, 3}, {2, 0, 1}, {0, 5, 1000000});
const std::vector<bool> kept = {true, true, false, true, true, true, false, false, true, true, true};

std::vector<double> frequenciesOf(int64_t dims) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < dims / 2; ++i)
    frequencies.push_back(std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(dims)));
  return frequencies;
}

std::vector<float> table(const Isa &isa, int64_t dims) {
  Launch launch;
  allRows(batch).addTo(launch, batch);
  size_t out = launch.add(std::vector<float>(batch.tokens() * dims));
  runKernel(isa, RopeTableSpec{frequenciesOf(dims)}, launch, batch.sizes());
  return launch.get<float>(out);
}

/// q, k and v are columns of one matrix with two columns more between them.
struct RopeCase {
  RopeSpec spec;
  std::vector<float> qkv;

  int64_t queryWidth() const { return spec.heads * spec.headSize; }
  int64_t keyWidth() const { return spec.kvHeads * spec.headSize; }
  int64_t stride() const { return queryWidth() + 2 * keyWidth() + 6; }

  RopeCase(int64_t heads, int64_t kvHeads, int64_t headSize, int64_t dims, int64_t rows)
      : spec{heads, kvHeads, headSize, dims, {}, {}, {}, Scalar::F32} {
    spec.q = {stride(), 2};
    spec.k = {stride(), queryWidth() + 4};
    spec.v = {stride(), queryWidth() + keyWidth() + 6};
    qkv = randomVector<float>(rows * stride(), 1);
  }

  std::vector<float> columns(const View &view, int64_t width) const {
    std::vector<float> part;
    for (size_t row = 0; row < qkv.size() / view.stride; ++row) {
      auto first = qkv.begin() + row * view.stride + view.offset;
      part.insert(part.end(), first, first + width);
    }
    return part;
  }
};

/// Turned queries, turned keys, values.
template <typename T> std::vector<std::vector<T>> run(const Isa &isa, RopeCase c, const RowSet &rows) {
  Launch launch;
  rows.addTo(launch, batch);
  launch.add(table(isa, c.spec.dims));
  for (int i = 0; i < 3; ++i)
    launch.add(c.qkv);
  std::vector<size_t> outs;
  for (int64_t width : {c.queryWidth(), c.keyWidth(), c.keyWidth()})
    outs.push_back(launch.add(std::vector<T>(rows.count() * width)));
  c.spec.out = sizeof(T) == 4 ? Scalar::F32 : Scalar::BF16;
  runKernel(isa, c.spec, launch, batch.sizes());
  return {launch.get<T>(outs[0]), launch.get<T>(outs[1]), launch.get<T>(outs[2])};
}

std::vector<float> runRef(const RopeCase &c, const RowSet &rows, int64_t heads, const std::vector<float> &x) {
  Launch launch;
  rows.addTo(launch, batch);
  launch.add(x);
  size_t out = launch.add(x);
  ref::test::runKernel(ref::RopeSpec{heads, c.spec.headSize, c.spec.dims, frequenciesOf(c.spec.dims), Scalar::F32},
                       launch, batch.sizes());
  return launch.get<float>(out);
}

TEST(CpuRope, HasTheBitsOfTheRefRopeThenRounds) {
  RowSet rows = someRows(batch, kept, 3);
  for (auto [headSize, dims] : {std::pair(64, 64), std::pair(10, 6), std::pair(40, 34), std::pair(2, 2)}) {
    RopeCase c(6, 2, headSize, dims, rows.count());
    std::vector<std::vector<float>> expected = {runRef(c, rows, 6, c.columns(c.spec.q, c.queryWidth())),
                                                runRef(c, rows, 2, c.columns(c.spec.k, c.keyWidth())),
                                                c.columns(c.spec.v, c.keyWidth())};
    for (const Isa &isa : hostIsas()) {
      auto exact = run<float>(isa, c, rows);
      auto rounded = run<uint16_t>(isa, c, rows);
      for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(exact[i] == expected[i]) << isa.name << ", head size " << headSize << ", matrix " << i;
        EXPECT_TRUE(rounded[i] == toBF16(expected[i])) << isa.name << ", head size " << headSize << ", matrix " << i;
      }
    }
  }
}

TEST(CpuRope, QueriesAloneHaveTheSameBits) {
  RowSet rows = someRows(batch, kept, 3);
  RopeCase c(6, 2, 10, 6, rows.count());
  for (const Isa &isa : hostIsas()) {
    Launch launch;
    rows.addTo(launch, batch);
    launch.add(table(isa, c.spec.dims));
    launch.add(c.qkv);
    size_t out = launch.add(std::vector<float>(rows.count() * c.queryWidth()));
    RopeSpec alone = c.spec;
    alone.kvHeads = 0;
    runKernel(isa, alone, launch, batch.sizes());
    EXPECT_TRUE(launch.get<float>(out) == run<float>(isa, c, rows)[0]) << isa.name;
  }
}

TEST(CpuRope, TheTableHoldsCosinesThenSines) {
  for (const Isa &isa : hostIsas()) {
    std::vector<float> angles = table(isa, 10);
    std::vector<double> frequencies = frequenciesOf(10);
    for (int64_t row = 0; row < batch.tokens(); ++row)
      for (int64_t j = 0; j < 5; ++j) {
        double angle = static_cast<double>(batch.position[row]) * frequencies[j];
        EXPECT_NEAR(angles[row * 10 + j], std::cos(angle), 0x1p-24);
        EXPECT_NEAR(angles[row * 10 + 5 + j], std::sin(angle), 0x1p-24);
      }
  }
}

TEST(CpuRope, ANaNStaysInItsPair) {
  RowSet rows = allRows(batch);
  for (const Isa &isa : hostIsas()) {
    RopeCase c(6, 2, 10, 6, rows.count()), dirty = c;
    dirty.qkv[4 * c.stride() + 2 + 10 + 1] = std::numeric_limits<float>::quiet_NaN(); // row 4, head 1, dimension 1
    auto clean = run<float>(isa, c, rows)[0], beside = run<float>(isa, dirty, rows)[0];
    for (size_t i = 0; i < clean.size(); ++i) {
      bool own = i == 4 * 60 + 10 + 1 || i == 4 * 60 + 10 + 4;
      EXPECT_TRUE(own ? std::isnan(beside[i]) : beside[i] == clean[i]) << isa.name << ", element " << i;
    }
  }
}

TEST(CpuRope, NoRowsWriteNothing) {
  RowSet none = someRows(batch, std::vector<bool>(batch.tokens()), 2);
  for (const Isa &isa : hostIsas())
    EXPECT_TRUE(run<float>(isa, RopeCase(6, 2, 10, 6, 0), none)[0].empty());
}

} // namespace
} // namespace chimera::cpu::test
