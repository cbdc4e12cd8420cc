// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The arena planner: nothing that lives at the same time overlaps, everything is aligned, and nothing is wasted where
// it need not be.
#include "passes/ArenaPlanner.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <random>
#include <vector>

using namespace chimera;

namespace {

bool liveTogether(const ArenaRequest &a, const ArenaRequest &b) {
  return a.first <= b.last && b.first <= a.last;
}

bool overlap(const ArenaRequest &a, const ArenaRequest &b) {
  return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

int64_t aligned(int64_t bytes) {
  return (bytes + arenaAlignment - 1) / arenaAlignment * arenaAlignment;
}

/// The most bytes that live at any one launch: no plan can do with less.
int64_t lowerBound(const std::vector<ArenaRequest> &requests) {
  int64_t most = 0;
  for (const ArenaRequest &at : requests) {
    int64_t bytes = 0;
    for (const ArenaRequest &request : requests) {
      bytes += request.first <= at.first && at.first <= request.last ? aligned(request.bytes) : 0;
    }
    most = std::max(most, bytes);
  }
  return most;
}

void expectSound(const std::vector<ArenaRequest> &requests, int64_t arenaBytes) {
  EXPECT_EQ(arenaBytes % arenaAlignment, 0);
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_GE(requests[i].offset, 0);
    EXPECT_EQ(requests[i].offset % arenaAlignment, 0);
    EXPECT_LE(requests[i].offset + requests[i].bytes, arenaBytes);
    for (size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(liveTogether(requests[i], requests[j]) && overlap(requests[i], requests[j])) << i << " and " << j;
    }
  }
}

TEST(ArenaPlanner, NothingNeedsNothing) {
  EXPECT_EQ(planArena({}), 0);
}

TEST(ArenaPlanner, OneRequestIsRoundedUpToTheAlignment) {
  std::vector<ArenaRequest> requests = {{65, 0, 0}};
  EXPECT_EQ(planArena(requests), 128);
  EXPECT_EQ(requests[0].offset, 0);
}

TEST(ArenaPlanner, WhatLivesOneAfterTheOtherSharesBytes) {
  std::vector<ArenaRequest> requests = {{256, 0, 1}, {256, 2, 3}, {256, 4, 4}};
  EXPECT_EQ(planArena(requests), 256);
  expectSound(requests, 256);
}

TEST(ArenaPlanner, LivesIncludeTheirLastLaunch) {
  std::vector<ArenaRequest> requests = {{256, 0, 2}, {256, 2, 3}};
  EXPECT_EQ(planArena(requests), 512);
  expectSound(requests, 512);
}

TEST(ArenaPlanner, AChainNeedsTwoSlices) {
  std::vector<ArenaRequest> requests;
  for (int64_t launch = 0; launch < 20; ++launch) {
    requests.push_back({1024, launch, launch + 1});
  }
  EXPECT_EQ(planArena(requests), 2048);
  expectSound(requests, 2048);
}

TEST(ArenaPlanner, TheLargestComesFirstWhateverTheOrder) {
  std::vector<ArenaRequest> requests = {{64, 0, 5}, {4096, 2, 3}, {128, 1, 4}};
  EXPECT_EQ(planArena(requests), 4096 + 128 + 64);
  EXPECT_EQ(requests[1].offset, 0);
  EXPECT_EQ(requests[2].offset, 4096);
  EXPECT_EQ(requests[0].offset, 4096 + 128);
}

TEST(ArenaPlanner, EqualSizesKeepTheirOrder) {
  std::vector<ArenaRequest> requests = {{64, 0, 1}, {64, 0, 1}, {64, 0, 1}};
  EXPECT_EQ(planArena(requests), 192);
  EXPECT_EQ(requests[0].offset, 0);
  EXPECT_EQ(requests[1].offset, 64);
  EXPECT_EQ(requests[2].offset, 128);
}

TEST(ArenaPlanner, AGapThatIsLargeEnoughIsFilled) {
  // 512 lives with both others; 256 leaves at launch 1, and 192 comes into its place.
  std::vector<ArenaRequest> requests = {{256, 0, 1}, {512, 0, 3}, {192, 2, 3}};
  EXPECT_EQ(planArena(requests), 768);
  EXPECT_EQ(requests[1].offset, 0);
  EXPECT_EQ(requests[0].offset, 512);
  EXPECT_EQ(requests[2].offset, 512);
}

TEST(ArenaPlanner, AGapThatIsTooSmallIsPassedOver) {
  // The second leaves 512 bytes between the first and the third: the fourth takes 384 of them, the fifth does not fit
  // into the rest, the last does.
  std::vector<ArenaRequest> requests = {{512, 0, 3}, {512, 0, 1}, {448, 0, 3}, {384, 2, 3}, {320, 2, 3}, {128, 2, 3}};
  EXPECT_EQ(planArena(requests), 1024 + 448 + 320);
  EXPECT_EQ(requests[1].offset, 512);
  EXPECT_EQ(requests[2].offset, 1024);
  EXPECT_EQ(requests[3].offset, 512);
  EXPECT_EQ(requests[4].offset, 1024 + 448);
  EXPECT_EQ(requests[5].offset, 512 + 384);
}

TEST(ArenaPlanner, EmptyRequestsTakeNoRoom) {
  std::vector<ArenaRequest> requests = {{0, 0, 3}, {128, 0, 3}, {0, 1, 2}};
  EXPECT_EQ(planArena(requests), 128);
  expectSound(requests, 128);
}

TEST(ArenaPlanner, RandomRequestsNeverOverlapAndStayNearTheLeastPossible) {
  std::mt19937 random(7);
  auto below = [&](int64_t n) { return static_cast<int64_t>(random() % n); };
  for (int round = 0; round < 300; ++round) {
    std::vector<ArenaRequest> requests(1 + below(60));
    for (ArenaRequest &request : requests) {
      request.bytes = below(5000);
      request.first = below(40);
      request.last = request.first + below(8);
    }
    std::vector<ArenaRequest> again = requests;
    int64_t bytes = planArena(requests), least = lowerBound(requests);
    expectSound(requests, bytes);
    EXPECT_GE(bytes, least);
    EXPECT_LE(bytes, 2 * least);
    // The plan is a function of the requests alone.
    EXPECT_EQ(planArena(again), bytes);
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(again[i].offset, requests[i].offset);
    }
  }
}

} // namespace
