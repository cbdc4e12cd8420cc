// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The plan against what the session itself counts and refuses.
#include "tools/chimera-serve/MemoryPlan.h"

#include "test/runtime/ToyModel.h"

#include <gtest/gtest.h>

#include <numeric>

using namespace chimera;
using namespace chimera::serve;
namespace toy = chimera::runtime::toy;

static int64_t sum(const ModeBytes &bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), int64_t(0));
}

TEST(MemoryPlanTest, ASequenceNeedsItsSlotAndAPageOfEachListForEvery64Tokens) {
  MemoryPlan plan(toy::model()->manifest(), 3, 1 << 20);
  int64_t slot = 2 * (16 + 4 + toy::window * 4 + 8 + 8), page = 2 * 256;
  for (auto [tokens, pages] :
       {std::pair(0, 0), std::pair(1, 1), std::pair(64, 1), std::pair(65, 2), std::pair(640, 10)}) {
    Need need = plan.need(2, tokens);
    EXPECT_EQ(need.bytes, 2 * (slot + pages * page)) << tokens;
    EXPECT_EQ(sum(need.byMode), need.bytes);
    EXPECT_EQ(need.sequences, 2);
  }
  EXPECT_EQ(plan.need(1 << 20, INT64_MAX / 2).bytes, INT64_MAX) << "no overflow";
}

TEST(MemoryPlanTest, WhatThePlanAllowsTheSessionTakesAndNoMore) {
  const int64_t tokens = 130;
  MemoryPlan unlimited(toy::model()->manifest(), 3, INT64_MAX);
  for (int64_t less : {0, 1}) {
    runtime::SessionOptions options;
    options.maxSequences = 3;
    options.memoryLimit = unlimited.need(2, tokens).bytes - less;
    options.threads = 1;
    MemoryPlan plan(toy::model()->manifest(), 3, options.memoryLimit);
    EXPECT_EQ(plan.everFits(plan.need(2, tokens)), less == 0);
    auto session = toy::session(options);
    std::vector<int32_t> fed(size_t(tokens), 3);
    std::vector<int8_t> full(size_t(tokens * toy::layers), CHIMERA_MODE_FULL); // All enter the lists.
    std::vector<chimera_step_item> items;
    for (int sequence = 0; sequence < 2; ++sequence)
      items.push_back({*session->add(), fed.data(), tokens, full.data(), CHIMERA_LOGITS_NONE});
    EXPECT_EQ(session->step(items.data(), items.size(), nullptr, 0, nullptr, 0).has_value(), less == 1);
  }
}

TEST(MemoryPlanTest, WhatIsTakenIsGivenBack) {
  MemoryPlan plan(toy::model()->manifest(), 3, 1 << 20);
  Need two = plan.need(2, 100);
  plan.take(two);
  EXPECT_TRUE(plan.fits(plan.need(1, 100)));
  EXPECT_FALSE(plan.fits(two)) << "three sequences at most";
  EXPECT_TRUE(plan.everFits(two));
  EXPECT_EQ(plan.taken().bytes, two.bytes);
  plan.giveBack(two);
  EXPECT_EQ(plan.taken().bytes, 0);
  EXPECT_EQ(plan.taken().sequences, 0);
  EXPECT_EQ(sum(plan.taken().byMode), 0);
}

TEST(MemoryPlanTest, TheLongestSequenceIsTheLastThatFits) {
  for (int64_t limit : {1, 1000, 5000, 1 << 20}) {
    MemoryPlan plan(toy::model()->manifest(), 3, limit);
    int64_t most = plan.mostTokens();
    EXPECT_FALSE(plan.everFits(plan.need(1, most + 1))) << limit;
    if (most > 0)
      EXPECT_TRUE(plan.everFits(plan.need(1, most))) << limit;
  }
}
