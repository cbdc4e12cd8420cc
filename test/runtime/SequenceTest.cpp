// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/runtime/Runner.h"

#include <random>

namespace chimera::runtime::toy {
namespace {

std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t> &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Sequence, AForkAndItsSourceGoOnIndependently) {
  // Lengths around the page size: lists are forked with no page, a partly filled one, and full ones.
  for (int64_t length : {0, 1, 30, 64, 128, 129, 300}) {
    // Odd tokens enter the list of every layer.
    std::vector<int32_t> prefix(size_t(length), 3), left = randomTokens(1, 140), right = randomTokens(2, 140);
    std::unique_ptr<Session> runner = session();
    int64_t source = must(runner->add());
    ASSERT_FALSE(feed(*runner, source, prefix).failure);
    int64_t copy = must(runner->fork(source));
    EXPECT_NE(copy, source);
    EXPECT_EQ(must(runner->position(copy)), length);
    Outcome outcome = run(*runner, {{source, left.data(), 140, nullptr, CHIMERA_LOGITS_ALL},
                                    {copy, right.data(), 140, nullptr, CHIMERA_LOGITS_ALL}});
    size_t begin = size_t(length), end = size_t(length) + 140;
    expectRows(outcome, 0, expected(joined(prefix, left)), begin, end);
    expectRows(outcome, 140, expected(joined(prefix, right)), begin, end);
  }
}

TEST(Sequence, AForkOutlivesItsSource) {
  std::vector<int32_t> prefix(200, 5), rest = randomTokens(4, 50);
  std::unique_ptr<Session> runner = session();
  int64_t source = must(runner->add());
  ASSERT_FALSE(feed(*runner, source, prefix).failure);
  int64_t copy = must(runner->fork(source));
  ASSERT_FALSE(runner->drop(source));
  // The new sequence takes the slot and the pages that the source left.
  int64_t other = must(runner->add());
  ASSERT_FALSE(feed(*runner, other, randomTokens(6, 300)).failure);
  expectRows(feed(*runner, copy, rest), 0, expected(joined(prefix, rest)), 200, 250);
}

TEST(Sequence, ASlotThatIsUsedAgainStartsEmpty) {
  std::unique_ptr<Session> runner = session();
  for (uint32_t round = 0; round < 5; ++round) {
    std::vector<int32_t> tokens = randomTokens(round, 150);
    int64_t sequence = must(runner->add());
    expectRows(feed(*runner, sequence, tokens), 0, expected(tokens), 0, 150);
    ASSERT_FALSE(runner->drop(sequence));
  }
}

TEST(Sequence, DroppedAndUnknownSequencesAreErrors) {
  std::unique_ptr<Session> runner = session();
  int64_t sequence = must(runner->add());
  ASSERT_FALSE(runner->drop(sequence));
  EXPECT_EQ(runner->drop(sequence)->message, "there is no sequence " + std::to_string(sequence));
  EXPECT_FALSE(bool(runner->fork(sequence)));
  EXPECT_FALSE(bool(runner->position(sequence)));
  EXPECT_FALSE(bool(runner->snapshot(0)));
  EXPECT_FALSE(bool(runner->memoryUse(-1)));
}

TEST(Sequence, OfAnotherSessionIsUnknown) {
  std::unique_ptr<Session> mine = session(), theirs = session();
  int64_t ours = must(mine->add()), other = must(theirs->add());
  EXPECT_NE(ours, other);
  EXPECT_TRUE(bool(feed(*mine, other, {1}).failure));
  EXPECT_FALSE(bool(mine->position(other)));
  EXPECT_TRUE(bool(mine->drop(other)));
  EXPECT_FALSE(feed(*theirs, other, {1}).failure);
}

TEST(Sequence, AddsForksDropsAndStepsInAnyOrderEqualTheReference) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    SessionOptions options;
    options.threads = 1 + seed % 3;
    std::unique_ptr<Session> runner = session(options);
    std::vector<std::pair<int64_t, std::vector<int32_t>>> alive;
    for (int action = 0; action < 60; ++action) {
      size_t who = alive.empty() ? 0 : random() % alive.size();
      switch (alive.empty() ? 0 : random() % 6) {
      case 0:
        alive.push_back({must(runner->add()), {}});
        break;
      case 1:
        alive.push_back({must(runner->fork(alive[who].first)), alive[who].second});
        break;
      case 2:
        ASSERT_FALSE(runner->drop(alive[who].first));
        alive.erase(alive.begin() + int64_t(who));
        break;
      case 3: {
        std::vector<uint8_t> bytes = must(runner->snapshot(alive[who].first));
        alive.push_back({must(runner->restore({bytes.data(), bytes.size()})), alive[who].second});
        break;
      }
      default: {
        std::vector<int32_t> more = randomTokens(random(), 1 + random() % 70);
        size_t before = alive[who].second.size();
        alive[who].second = joined(alive[who].second, more);
        expectRows(feed(*runner, alive[who].first, more), 0, expected(alive[who].second), before,
                   alive[who].second.size());
        if (HasFatalFailure())
          FAIL() << "seed " << seed << ", action " << action;
      }
      }
    }
  }
}

TEST(Sequence, MoreThanTheMostResidentSequencesIsAnError) {
  SessionOptions options;
  options.maxSequences = 2;
  std::unique_ptr<Session> runner = session(options);
  int64_t first = must(runner->add());
  must(runner->add());
  Result<int64_t> third = runner->add();
  ASSERT_FALSE(bool(third));
  EXPECT_EQ(third.error().message, "all 2 places for sequences are taken");
  EXPECT_EQ(third.error().status, CHIMERA_ERROR_LIMIT);
  EXPECT_FALSE(bool(runner->fork(first)));
  ASSERT_FALSE(runner->drop(first));
  EXPECT_TRUE(bool(runner->add()));
}

TEST(Sequence, BadOptionsAndMissingWeightsAreErrors) {
  SessionOptions options;
  options.threads = -1;
  Result<std::unique_ptr<Session>> made = Session::create(model(), weights(), options);
  ASSERT_FALSE(bool(made));
  EXPECT_EQ(made.error().message, "threads must be in 0 .. 1024, is -1");
  EXPECT_FALSE(bool(Session::create(model(), nullptr, {})));
  nlohmann::json other = manifest();
  other["producer"] = "other";
  Result<std::shared_ptr<const Model>> stranger = Model::load("stranger.chm", binary(other.dump()));
  ASSERT_TRUE(bool(stranger));
  made = Session::create(*stranger, weights(), {});
  ASSERT_FALSE(bool(made));
  EXPECT_EQ(made.error().message, "stranger.chm: the weights were loaded for another binary, toy.chm");
}

} // namespace
} // namespace chimera::runtime::toy
