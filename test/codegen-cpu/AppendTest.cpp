// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/AttentionCase.h"

#include <gtest/gtest.h>

namespace chimera::cpu::test {

using ref::test::allRows;
using ref::test::someRows;

TEST(CpuCacheLayout, ARingHoldsItsWindowWhereverThatStarts) {
  EXPECT_EQ(ringBlocks(1), 1);
  EXPECT_EQ(ringBlocks(2), 2);
  EXPECT_EQ(ringBlocks(64), 2);
  EXPECT_EQ(ringBlocks(65), 2);
  EXPECT_EQ(ringBlocks(66), 3);
  EXPECT_EQ(ringBlocks(512), 9);
}

TEST(CpuCacheLayout, PartialResultsAreWholeVectors) {
  EXPECT_EQ(partialWidth(2), 16);
  EXPECT_EQ(partialWidth(14), 16);
  EXPECT_EQ(partialWidth(16), 32);
  EXPECT_EQ(partialWidth(64), 80);
}

namespace {

/// The history of a slot: every row ever appended.
struct History {
  std::vector<float> keys, values, weights;
};

} // namespace

static void expectEntries(const CpuCache &cache, const CacheSpec &spec, const std::vector<History> &histories) {
  for (int64_t slot = 0; slot < CpuCache::slots; ++slot) {
    const History &history = histories[slot];
    auto count = static_cast<int64_t>(history.weights.size());
    ASSERT_EQ(cache.count(slot), count);
    int64_t first = spec.kind == CacheKind::Ring ? std::max<int64_t>(0, count - spec.window) : 0;
    for (int64_t entry = first; entry < count; ++entry) {
      for (int64_t i = 0; i < spec.kvHeads * spec.headSize; ++i) {
        int64_t head = i / spec.headSize, d = i % spec.headSize, at = entry * spec.kvHeads * spec.headSize + i;
        ASSERT_EQ(cache.key(slot, entry, head, d), history.keys[at]) << "slot " << slot << " entry " << entry;
        ASSERT_EQ(cache.value(slot, entry, head, d), history.values[at]) << "slot " << slot << " entry " << entry;
      }
      if (spec.weighted)
        ASSERT_EQ(cache.weight(slot, entry), history.weights[entry]);
    }
  }
}

/// Steps of few and of many rows, of which some are of another mode.
static void appendAll(const Isa &isa, const CacheSpec &spec) {
  SCOPED_TRACE(isa.name + " window " + std::to_string(spec.window) + " head " + std::to_string(spec.headSize));
  AttendSpec attend{spec, spec.kvHeads, 1, false, spec.kind == CacheKind::List, Scalar::F32};
  CpuCache cache(spec, 400);
  std::vector<History> histories(CpuCache::slots);
  uint64_t seed = 0;
  for (const std::vector<int64_t> &lengths :
       std::vector<std::vector<int64_t>>{{7, 1, 3}, {1, 0, 1}, {100, 30, 1}, {1, 1, 200}, {64, 16, 5}, {0, 0, 0}}) {
    Batch batch(lengths, {2, 0, 1}, {0, 0, 0});
    std::vector<bool> keep(batch.tokens());
    for (size_t r = 0; r < keep.size(); ++r)
      keep[r] = r % 7 != 3;
    RowSet rows = someRows(batch, keep, 3), none = someRows(batch, std::vector<bool>(batch.tokens(), false), 1);
    StepInputs inputs = StepInputs::random(attend, 0, rows.count(), ++seed);
    cpuStep(isa, attend, cache, batch, none, rows, inputs);
    int64_t width = spec.kvHeads * spec.headSize;
    for (int64_t s = 0; s < batch.seqs(); ++s)
      for (int32_t row = rows.start[s] - rows.start[0]; row < rows.start[s + 1] - rows.start[0]; ++row) {
        History &history = histories[batch.slot[s]];
        auto add = [&](std::vector<float> &to, const std::vector<float> &from) {
          to.insert(to.end(), from.begin() + row * width, from.begin() + (row + 1) * width);
        };
        add(history.keys, inputs.k.numbers);
        add(history.values, inputs.v.numbers);
        history.weights.push_back(inputs.writes[row]);
      }
    expectEntries(cache, spec, histories);
  }
}

TEST(CpuAppend, RingsHoldTheLastEntries) {
  for (const Isa &isa : hostIsas())
    for (int64_t window : {1, 3, 64, 65, 130})
      appendAll(isa, {CacheKind::Ring, 2, 20, window, window % 2 == 1, window == 64 ? Scalar::F32 : Scalar::BF16});
}

TEST(CpuAppend, ListsHoldAllEntries) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16})
      for (int64_t headSize : {2, 20, 64})
        appendAll(isa, {CacheKind::List, 3, headSize, 0, headSize == 20, operand});
}

} // namespace chimera::cpu::test
