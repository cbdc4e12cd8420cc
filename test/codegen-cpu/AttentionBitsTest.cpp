// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What must not change a bit of an attention's result: how the rows are cut into steps, what lies beside them, and what
// stands where nothing is attended to.
#include "test/codegen-cpu/AttentionCase.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace chimera::cpu::test {

using ref::test::allRows;
using ref::test::someRows;

static AttendSpec makeSpec(CacheKind kind, Scalar operand, int64_t headSize = 20, int64_t window = 70) {
  CacheSpec cache{kind, 2, headSize, kind == CacheKind::Ring ? window : 0, /*weighted=*/true, operand};
  return {cache, 4, 0.25, /*separate=*/false, /*committed=*/kind == CacheKind::List, Scalar::F32};
}

static std::vector<AttendSpec> allSpecs() {
  std::vector<AttendSpec> specs = {makeSpec(CacheKind::Ring, Scalar::F32), makeSpec(CacheKind::Ring, Scalar::BF16, 64),
                                   makeSpec(CacheKind::List, Scalar::F32, 64), makeSpec(CacheKind::List, Scalar::BF16)};
  for (CacheKind kind : {CacheKind::Ring, CacheKind::List}) {
    specs.push_back(makeSpec(kind, kind == CacheKind::Ring ? Scalar::F32 : Scalar::BF16));
    specs.back().softCap = 0.7;
  }
  return specs;
}

/// The inputs of rows [first, first + count) of one sequence.
static StepInputs rowsOf(const StepInputs &all, const AttendSpec &spec, int64_t first, int64_t count) {
  int64_t own = spec.heads * spec.cache.headSize, key = spec.cache.kvHeads * spec.cache.headSize;
  return {all.q.part(first * own, count * own),
          all.k.part(first * key, count * key),
          all.v.part(first * key, count * key),
          {all.writes.begin() + first, all.writes.begin() + first + count}};
}

/// Runs one sequence, in slot 1, cut into chunks. Steps of one row read a Ring after the append if `commitRings`.
static std::vector<float> inChunks(const Isa &isa, AttendSpec spec, const StepInputs &all,
                                   const std::vector<int64_t> &chunks, bool commitRings = false) {
  CpuCache cache(spec.cache, 700);
  std::vector<float> out;
  int64_t at = 0;
  for (int64_t chunk : chunks) {
    Batch batch({chunk}, {1}, {at});
    RowSet rows = allRows(batch);
    spec.committed = spec.cache.kind == CacheKind::List || (commitRings && chunk == 1);
    std::vector<float> part = cpuStep(isa, spec, cache, batch, rows, rows, rowsOf(all, spec, at, chunk));
    out.insert(out.end(), part.begin(), part.end());
    at += chunk;
  }
  return out;
}

TEST(CpuAttentionBits, ChunksOfAnySizeGiveTheSame) {
  for (const Isa &isa : hostIsas())
    for (const AttendSpec &spec : allSpecs()) {
      constexpr int64_t rows = 650; // more than a span
      StepInputs all = StepInputs::random(spec, rows, rows, 7);
      std::vector<uint32_t> whole = bitsOf(inChunks(isa, spec, all, {rows}));
      EXPECT_EQ(bitsOf(inChunks(isa, spec, all, {64, 64, 5, 130, 1, 1, 1, 47, 49, 200, 88})), whole) << isa.name;
      EXPECT_EQ(bitsOf(inChunks(isa, spec, all, {400, 1, 249})), whole) << isa.name;
    }
}

TEST(CpuAttentionBits, RowByRowGivesTheSameBeforeAndAfterTheAppend) {
  for (const Isa &isa : hostIsas())
    for (const AttendSpec &spec : allSpecs()) {
      constexpr int64_t rows = 150;
      StepInputs all = StepInputs::random(spec, rows, rows, 8);
      std::vector<uint32_t> whole = bitsOf(inChunks(isa, spec, all, {rows}));
      std::vector<int64_t> ones(rows, 1);
      EXPECT_EQ(bitsOf(inChunks(isa, spec, all, ones)), whole) << isa.name;
      EXPECT_EQ(bitsOf(inChunks(isa, spec, all, ones, /*commitRings=*/true)), whole) << isa.name;
    }
}

TEST(CpuAttentionBits, EveryIsaGivesTheSame) {
  for (const AttendSpec &spec : allSpecs()) {
    StepInputs all = StepInputs::random(spec, 200, 200, 9);
    std::vector<uint32_t> first = bitsOf(inChunks(hostIsas().front(), spec, all, {200}));
    for (const Isa &isa : hostIsas())
      EXPECT_EQ(bitsOf(inChunks(isa, spec, all, {200})), first) << isa.name;
  }
}

/// Three sequences of `lengths` rows in slots 2, 0, 1, each with the inputs of its number.
static std::vector<std::vector<float>> together(const Isa &isa, const AttendSpec &spec,
                                                const std::vector<int64_t> &lengths,
                                                const std::vector<StepInputs> &inputs) {
  Batch batch(lengths, {2, 0, 1}, {0, 0, 0});
  StepInputs joined = inputs[0];
  for (size_t s = 1; s < inputs.size(); ++s) {
    auto add = [](auto &to, const auto &from) { to.insert(to.end(), from.begin(), from.end()); };
    add(joined.q.numbers, inputs[s].q.numbers);
    add(joined.k.numbers, inputs[s].k.numbers);
    add(joined.v.numbers, inputs[s].v.numbers);
    add(joined.writes, inputs[s].writes);
  }
  CpuCache cache(spec.cache, 700);
  std::vector<float> out = cpuStep(isa, spec, cache, batch, allRows(batch), allRows(batch), joined);
  std::vector<std::vector<float>> parts;
  auto at = out.begin();
  for (int64_t length : lengths) {
    auto end = at + length * spec.heads * spec.cache.headSize;
    parts.emplace_back(at, end);
    at = end;
  }
  return parts;
}

static std::vector<StepInputs> randomSequences(const AttendSpec &spec, const std::vector<int64_t> &lengths) {
  std::vector<StepInputs> inputs;
  for (size_t s = 0; s < lengths.size(); ++s)
    inputs.push_back(StepInputs::random(spec, lengths[s], lengths[s], 20 + s));
  return inputs;
}

TEST(CpuAttentionBits, ASequenceAloneGivesTheSameAsInABatch) {
  std::vector<int64_t> lengths = {37, 1, 90};
  for (const Isa &isa : hostIsas())
    for (const AttendSpec &spec : allSpecs()) {
      std::vector<StepInputs> inputs = randomSequences(spec, lengths);
      auto batch = together(isa, spec, lengths, inputs);
      for (size_t s = 0; s < lengths.size(); ++s)
        EXPECT_EQ(bitsOf(batch[s]), bitsOf(inChunks(isa, spec, inputs[s], {lengths[s]}))) << isa.name;
    }
}

TEST(CpuAttentionBits, NaNInOneSequenceStaysThere) {
  std::vector<int64_t> lengths = {37, 1, 90};
  for (const Isa &isa : hostIsas())
    for (const AttendSpec &spec : allSpecs()) {
      std::vector<StepInputs> inputs = randomSequences(spec, lengths);
      auto clean = together(isa, spec, lengths, inputs);
      for (auto *numbers : {&inputs[1].q.numbers, &inputs[1].k.numbers, &inputs[1].v.numbers})
        std::fill(numbers->begin(), numbers->end(), NAN);
      auto dirty = together(isa, spec, lengths, inputs);
      EXPECT_EQ(bitsOf(dirty[0]), bitsOf(clean[0]));
      EXPECT_EQ(bitsOf(dirty[2]), bitsOf(clean[2]));
      for (float x : dirty[1])
        EXPECT_TRUE(std::isnan(x));
    }
}

/// Fills the key, the value or the write weight of row `row`.
static void spoil(StepInputs &inputs, const AttendSpec &spec, int64_t row, int which, float with) {
  if (which == 2) {
    inputs.writes[row] = with;
    return;
  }
  int64_t width = spec.cache.kvHeads * spec.cache.headSize;
  auto begin = (which == 0 ? inputs.k : inputs.v).numbers.begin() + row * width;
  std::fill(begin, begin + width, with);
}

TEST(CpuAttentionBits, NaNInAnEntryReachesOnlyRowsThatAttendToIt) {
  constexpr int64_t rows = 200, bad = 75;
  for (const Isa &isa : hostIsas())
    for (const AttendSpec &spec : allSpecs())
      for (float poison : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
        for (int which : {0, 1, 2}) {
          StepInputs all = StepInputs::random(spec, rows, rows, 11);
          std::vector<uint32_t> clean = bitsOf(inChunks(isa, spec, all, {rows}));
          spoil(all, spec, bad, which, poison);
          std::vector<float> out = inChunks(isa, spec, all, {rows});
          std::vector<uint32_t> dirty = bitsOf(out);
          EXPECT_EQ(bitsOf(inChunks(isa, spec, all, {60, 30, 1, 109})), dirty);
          int64_t end = spec.cache.kind == CacheKind::Ring ? bad + spec.cache.window : rows;
          int64_t width = spec.heads * spec.cache.headSize;
          for (int64_t i = 0; i < rows * width; ++i) {
            int64_t row = i / width;
            if (row < bad || row >= end)
              ASSERT_EQ(dirty[i], clean[i]) << isa.name << " row " << row;
            else if (std::isnan(poison))
              ASSERT_TRUE(std::isnan(out[i])) << isa.name << " row " << row;
          }
        }
}

TEST(CpuAttentionBits, NaNInAQueryReachesOnlyItsRow) {
  constexpr int64_t rows = 100, bad = 65;
  for (const Isa &isa : hostIsas())
    for (const AttendSpec &spec : allSpecs()) {
      StepInputs all = StepInputs::random(spec, rows, rows, 13);
      std::vector<uint32_t> clean = bitsOf(inChunks(isa, spec, all, {rows}));
      int64_t width = spec.heads * spec.cache.headSize;
      std::fill(all.q.numbers.begin() + bad * width, all.q.numbers.begin() + (bad + 1) * width, NAN);
      std::vector<float> out = inChunks(isa, spec, all, {rows});
      for (int64_t i = 0; i < rows * width; ++i)
        if (i / width == bad)
          ASSERT_TRUE(std::isnan(out[i])) << isa.name;
        else
          ASSERT_EQ(bitsOf({out[i]})[0], clean[i]) << isa.name << " row " << i / width;
    }
}

TEST(CpuAttentionBits, EntriesOfWeightMinusInfinityAreAsIfTheyWereNotThere) {
  constexpr int64_t rows = 150;
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  for (const Isa &isa : hostIsas())
    for (const AttendSpec &spec : allSpecs()) {
      StepInputs all = StepInputs::random(spec, rows, rows, 12);
      std::vector<float> plain = inChunks(isa, spec, all, {rows});
      std::fill(all.writes.begin(), all.writes.begin() + 70, lowest); // more than the first block
      std::vector<float> out = inChunks(isa, spec, all, {rows});
      int64_t width = spec.heads * spec.cache.headSize;
      for (int64_t i = 0; i < rows * width; ++i) {
        if (i / width < 70)
          ASSERT_TRUE(std::isnan(out[i])) << isa.name << " row " << i / width;
        else
          ASSERT_FALSE(std::isnan(out[i])) << isa.name << " row " << i / width;
      }
      // A Ring's last rows do not reach back to them.
      if (spec.cache.kind == CacheKind::Ring)
        EXPECT_EQ(out.back(), plain.back());
      // Row 70 attends to nothing but itself.
      for (int64_t d = 0; d < width; ++d) {
        int64_t group = spec.heads / spec.cache.kvHeads, size = spec.cache.headSize;
        int64_t value = 70 * spec.cache.kvHeads * size + d / size / group * size + d % size;
        ASSERT_EQ(out[70 * width + d], all.v.numbers[value]);
      }
    }
}

} // namespace chimera::cpu::test
