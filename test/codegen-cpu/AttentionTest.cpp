// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/codegen-cpu/AttentionCase.h"

#include <cmath>
#include <gtest/gtest.h>

namespace chimera::cpu::test {

using ref::test::allRows;
using ref::test::someRows;

static AttendSpec makeSpec(CacheKind kind, int64_t window, bool weighted, Scalar operand, int64_t headSize = 20,
                           int64_t kvHeads = 2, int64_t group = 2) {
  CacheSpec cache{kind, kvHeads, headSize, window, weighted, operand};
  return {cache,
          kvHeads * group,
          1 / std::sqrt(static_cast<double>(headSize)),
          /*separate=*/false,
          /*committed=*/kind == CacheKind::List,
          Scalar::F32};
}

/// Scores are the same; a result is a mean of values below 1 whose weights differ by exp (2 ulp), and whose sums are
/// rounded once an entry, with errors that mostly cancel.
static void expectClose(const std::vector<float> &a, const std::vector<float> &b, const AttendSpec &spec) {
  ref::test::expectNear(a, b, spec.out == Scalar::BF16 ? 0x1p-8 : 2e-6);
}

/// A prompt, decodes and chunks longer than a block, of which some rows are of another mode.
static void converse(const Isa &isa, const AttendSpec &spec) {
  SCOPED_TRACE(isa.name);
  CpuCache cache(spec.cache);
  RefCache oracle(spec.cache);
  uint64_t seed = 1;
  for (const std::vector<int64_t> &lengths :
       std::vector<std::vector<int64_t>>{{7, 1, 3}, {1, 1, 1}, {2, 0, 70}, {1, 130, 1}, {64, 1, 5}, {1, 1, 1}}) {
    Batch batch(lengths, {2, 0, 1}, {0, 0, 0});
    std::vector<bool> keep(batch.tokens());
    for (size_t r = 0; r < keep.size(); ++r)
      keep[r] = r % 5 != 1;
    RowSet own = someRows(batch, keep, 2), keys = spec.separate ? allRows(batch) : own;
    StepInputs inputs = StepInputs::random(spec, own.count(), keys.count(), ++seed);
    std::vector<float> out = cpuStep(isa, spec, cache, batch, own, keys, inputs);
    expectClose(out, refStep(spec, oracle, batch, own, keys, inputs), spec);
    if (spec.cache.kind == CacheKind::List)
      EXPECT_EQ(bitsOf(splitAttention(isa, spec, cache, batch, own, keys, inputs.q)), bitsOf(out));
  }
}

TEST(CpuAttention, RingsOfAllWindowsAgreeWithRef) {
  for (const Isa &isa : hostIsas())
    for (int64_t window : {1, 3, 64, 65, 100}) {
      SCOPED_TRACE(window);
      converse(isa, makeSpec(CacheKind::Ring, window, /*weighted=*/window == 3, Scalar::F32));
      converse(isa, makeSpec(CacheKind::Ring, window, /*weighted=*/window == 65, Scalar::BF16));
    }
}

TEST(CpuAttention, RingsWithTheWholeBatchAsKeysAgreeWithRef) {
  for (const Isa &isa : hostIsas()) {
    AttendSpec spec = makeSpec(CacheKind::Ring, 65, true, Scalar::F32);
    spec.separate = true;
    converse(isa, spec);
  }
}

TEST(CpuAttention, ListsAgreeWithRefInOneLaunchAndInTwo) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16}) {
      converse(isa, makeSpec(CacheKind::List, 0, false, operand));
      converse(isa, makeSpec(CacheKind::List, 0, true, operand));
    }
}

TEST(CpuAttention, ListsWithTheWholeBatchAsKeysAgreeWithRef) {
  for (const Isa &isa : hostIsas()) {
    AttendSpec spec = makeSpec(CacheKind::List, 0, true, Scalar::BF16);
    spec.separate = true;
    converse(isa, spec);
  }
}

TEST(CpuAttention, HeadsOfManySizesAndGroupsAgreeWithRef) {
  struct Shape {
    int64_t headSize, kvHeads, group;
  };
  for (const Isa &isa : hostIsas())
    for (Shape s : {Shape{2, 1, 1}, {8, 3, 1}, {64, 1, 3}, {96, 1, 8}, {134, 2, 5}, {512, 2, 1}, {6, 1, 60}}) {
      SCOPED_TRACE(std::to_string(s.headSize) + "x" + std::to_string(s.kvHeads) + "x" + std::to_string(s.group));
      Scalar first = s.kvHeads == 1 ? Scalar::F32 : Scalar::BF16;
      Scalar second = s.kvHeads == 1 ? Scalar::BF16 : Scalar::F32;
      converse(isa, makeSpec(CacheKind::List, 0, false, first, s.headSize, s.kvHeads, s.group));
      converse(isa, makeSpec(CacheKind::Ring, 33, false, second, s.headSize, s.kvHeads, s.group));
    }
}

TEST(CpuAttention, CappedScoresAgreeWithRef) {
  for (const Isa &isa : hostIsas())
    for (Scalar operand : {Scalar::F32, Scalar::BF16})
      for (double softCap : {0.3, 50.0}) { // scores are up to 2 or so
        SCOPED_TRACE(softCap);
        AttendSpec ring = makeSpec(CacheKind::Ring, 65, /*weighted=*/operand == Scalar::F32, operand);
        AttendSpec list = makeSpec(CacheKind::List, 0, /*weighted=*/operand == Scalar::BF16, operand);
        ring.softCap = list.softCap = softCap;
        converse(isa, ring);
        converse(isa, list);
      }
}

TEST(CpuAttention, ResultsAreRoundedToBF16IfAsked) {
  for (const Isa &isa : hostIsas()) {
    AttendSpec spec = makeSpec(CacheKind::List, 0, false, Scalar::BF16);
    spec.out = Scalar::BF16;
    converse(isa, spec);
    spec = makeSpec(CacheKind::Ring, 5, false, Scalar::BF16);
    spec.out = Scalar::BF16;
    converse(isa, spec);
  }
}

/// Three rows after `entries` others, in one launch and in two.
static void attendAfter(const Isa &isa, const AttendSpec &spec, int64_t entries) {
  SCOPED_TRACE(isa.name + " " + std::to_string(entries));
  CpuCache cache(spec.cache, entries + 3);
  RefCache oracle(spec.cache, entries + 3);
  RowSet none = allRows(Batch({0}, {1}, {0}));
  Batch prompt({entries}, {1}, {0}), next({3}, {1}, {entries});
  StepInputs first = StepInputs::random(spec, 0, entries, 1), second = StepInputs::random(spec, 3, 3, 2);
  cpuStep(isa, spec, cache, prompt, none, allRows(prompt), first);
  refStep(spec, oracle, prompt, none, allRows(prompt), first);
  std::vector<float> out = cpuStep(isa, spec, cache, next, allRows(next), allRows(next), second);
  expectClose(out, refStep(spec, oracle, next, allRows(next), allRows(next), second), spec);
  EXPECT_EQ(bitsOf(splitAttention(isa, spec, cache, next, allRows(next), allRows(next), second.q)), bitsOf(out));
}

TEST(CpuAttention, ListsOfSeveralSpansAgreeWithRef) {
  for (const Isa &isa : hostIsas())
    for (int64_t spans : {1, 2, 3, 4, 6, 7}) // rows on both sides of a span's end
      attendAfter(isa, makeSpec(CacheKind::List, 0, false, Scalar::BF16, 8, 6, 1), spans * spanEntries - 1);
}

TEST(CpuAttention, AListOfMoreSpansThanPartsAgreesWithRef) {
  for (const Isa &isa : hostIsas())
    attendAfter(isa, makeSpec(CacheKind::List, 0, false, Scalar::F32, 8, 1, 2), spanEntries * (parts + 2) + 77);
}

TEST(CpuAttention, NoRowsAreNoWork) {
  for (const Isa &isa : hostIsas()) {
    AttendSpec spec = makeSpec(CacheKind::List, 0, false, Scalar::F32);
    CpuCache cache(spec.cache);
    Batch batch({2, 3}, {0, 2}, {0, 0});
    RowSet none = someRows(batch, std::vector<bool>(5, false), 4);
    StepInputs inputs = StepInputs::random(spec, 0, 0, 1);
    EXPECT_TRUE(cpuStep(isa, spec, cache, batch, none, none, inputs).empty());
    EXPECT_TRUE(splitAttention(isa, spec, cache, batch, none, none, inputs.q).empty());
    EXPECT_EQ(cache.lengths(), std::vector<int64_t>(CpuCache::slots));
  }
}

} // namespace chimera::cpu::test
