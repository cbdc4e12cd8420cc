// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/runtime/Runner.h"

#include "runtime/core/StepBatch.h"
#include "runtime/core/StepCheck.h"

#include <random>

namespace chimera::runtime::toy {
namespace {

TEST(Step, OneCallIsCutByTheLimitsAndEqualsTheReference) {
  for (int64_t length : {1, 2, 6, 7, 8, 63, 64, 65, 200, 300}) {
    std::vector<int32_t> tokens = randomTokens(uint32_t(length), length);
    std::unique_ptr<Session> runner = session();
    int64_t sequence = must(runner->add());
    expectRows(feed(*runner, sequence, tokens), 0, expected(tokens), 0, size_t(length));
    EXPECT_EQ(must(runner->position(sequence)), length);
  }
}

TEST(Step, TokenByTokenEqualsTheReference) {
  std::vector<int32_t> tokens = randomTokens(5, 150);
  Expected wanted = expected(tokens);
  std::unique_ptr<Session> runner = session();
  int64_t sequence = must(runner->add());
  for (size_t t = 0; t < tokens.size(); ++t)
    expectRows(feed(*runner, sequence, {tokens[t]}), 0, wanted, t, t + 1);
}

TEST(Step, AnyScheduleOnAnyThreadsWithAnyNeighboursEqualsTheReference) {
  for (uint32_t seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    SessionOptions options;
    options.threads = 1 + random() % 3;
    std::unique_ptr<Session> runner = session(options);
    size_t count = 1 + random() % 6;
    std::vector<std::vector<int32_t>> tokens;
    std::vector<Expected> wanted;
    std::vector<int64_t> sequences;
    std::vector<size_t> done(count, 0);
    for (size_t s = 0; s < count; ++s) {
      tokens.push_back(randomTokens(random(), 1 + random() % 100));
      wanted.push_back(expected(tokens[s]));
      sequences.push_back(must(runner->add()));
    }
    for (bool more = true; more;) {
      std::vector<chimera_step_item> items;
      std::vector<size_t> who;
      more = false;
      for (size_t s = 0; s < count; ++s) {
        size_t rows = std::min<size_t>(random() % 3 ? random() % 2 : random() % 20, tokens[s].size() - done[s]);
        if (random() % 5)
          items.push_back({sequences[s], tokens[s].data() + done[s], int64_t(rows), nullptr, CHIMERA_LOGITS_ALL}),
              who.push_back(s);
        more |= done[s] < tokens[s].size();
      }
      Outcome outcome = run(*runner, items);
      size_t row = 0;
      for (size_t i = 0; i < items.size(); ++i) {
        size_t s = who[i], rows = size_t(items[i].count);
        expectRows(outcome, row, wanted[s], done[s], done[s] + rows);
        if (HasFatalFailure())
          FAIL() << "seed " << seed;
        row += rows;
        done[s] += rows;
      }
    }
  }
}

TEST(Step, OnlyTheLogitsThatAreWantedArrive) {
  std::vector<int32_t> a = randomTokens(1, 20), b = randomTokens(2, 9), c = randomTokens(3, 4);
  std::unique_ptr<Session> runner = session();
  int64_t first = must(runner->add()), second = must(runner->add()), third = must(runner->add());
  Outcome outcome = run(*runner, {{first, a.data(), 20, nullptr, CHIMERA_LOGITS_LAST},
                                  {second, b.data(), 9, nullptr, CHIMERA_LOGITS_NONE},
                                  {third, c.data(), 4, nullptr, CHIMERA_LOGITS_ALL}});
  ASSERT_FALSE(outcome.failure);
  ASSERT_EQ(outcome.logits.size(), 5u * size_t(vocab));
  for (size_t v = 0; v < size_t(vocab); ++v) {
    EXPECT_EQ(outcome.logits[v], expected(a).logits[19][v]);
    for (size_t t = 0; t < 4; ++t)
      EXPECT_EQ(outcome.logits[(t + 1) * size_t(vocab) + v], expected(c).logits[t][v]);
  }
  std::vector<int8_t> routing = expected(a).routing;
  for (const std::vector<int32_t> &tokens : {b, c}) {
    std::vector<int8_t> more = expected(tokens).routing;
    routing.insert(routing.end(), more.begin(), more.end());
  }
  EXPECT_EQ(outcome.routing, routing);
}

TEST(Step, WithoutItemsOrTokensNothingHappens) {
  std::unique_ptr<Session> runner = session();
  EXPECT_FALSE(runner->step(nullptr, 0, nullptr, 0, nullptr, 0));
  int64_t sequence = must(runner->add());
  Outcome outcome = run(*runner, {{sequence, nullptr, 0, nullptr, CHIMERA_LOGITS_LAST}});
  EXPECT_FALSE(outcome.failure);
  EXPECT_EQ(must(runner->position(sequence)), 0);
}

TEST(Step, ForcedModesAreAdmitted) {
  std::vector<int32_t> tokens = randomTokens(7, 90);
  std::vector<int8_t> forced;
  std::mt19937 random(8);
  for (size_t i = 0; i < tokens.size() * size_t(layers); ++i)
    forced.push_back(int8_t(std::vector<int>{-1, CHIMERA_MODE_SSM, CHIMERA_MODE_FULL}[random() % 3]));
  std::unique_ptr<Session> runner = session();
  int64_t sequence = must(runner->add());
  expectRows(feed(*runner, sequence, tokens, forced.data()), 0, expected(tokens, forced), 0, tokens.size());
}

TEST(Step, TheOnlyModeOfALayerMayBeForcedAndNoOther) {
  Manifest manifest = model()->manifest();
  manifest.model.layers[1] = {1u << CHIMERA_MODE_FULL, 0};
  std::vector<int32_t> tokens = {1, 2};
  std::vector<int8_t> forced = {CHIMERA_MODE_SSM, CHIMERA_MODE_FULL, -1, CHIMERA_MODE_FULL};
  StepItem item{5, 0, 8, tokens.data(), 2, forced.data(), CHIMERA_LOGITS_NONE};
  EXPECT_FALSE(checkStepItem(manifest, item));
  forced[3] = CHIMERA_MODE_SSM;
  Failure failure = checkStepItem(manifest, item);
  ASSERT_TRUE(bool(failure));
  EXPECT_EQ(failure->message, "sequence 5, position 9, layer 1: mode ssm cannot be forced");
}

/// Each bad step, and the message it gives; then the session goes on as if nothing had been asked.
TEST(Step, BadWorkIsRefusedBeforeAnythingChanges) {
  std::vector<int32_t> tokens = randomTokens(9, 80), badTokens = tokens, negative = tokens;
  badTokens[70] = vocab;
  negative[3] = -1;
  std::vector<int8_t> forced(80 * layers, -1), notForceable = forced, outOfRange = forced;
  notForceable[71 * layers + 1] = CHIMERA_MODE_SWA;
  outOfRange[2 * layers] = 4;
  std::unique_ptr<Session> runner = session();
  int64_t one = must(runner->add()), two = must(runner->add());
  std::vector<uint8_t> before = must(runner->snapshot(one));
  auto message = [&](std::vector<chimera_step_item> items) {
    Outcome outcome = run(*runner, items);
    return outcome.failure ? outcome.failure->message : std::string();
  };
  chimera_step_item good{one, tokens.data(), 80, nullptr, CHIMERA_LOGITS_ALL};
  const std::string first = "sequence " + std::to_string(one), second = "sequence " + std::to_string(two);
  EXPECT_EQ(message({good, {two, badTokens.data(), 80, nullptr, 0}}),
            second + ", position 70: token 11 is not in 0 .. 10");
  EXPECT_EQ(message({good, {two, negative.data(), 80, nullptr, 0}}),
            second + ", position 3: token -1 is not in 0 .. 10");
  EXPECT_EQ(message({good, {two, tokens.data(), 80, notForceable.data(), 0}}),
            second + ", position 71, layer 1: mode swa cannot be forced");
  EXPECT_EQ(message({good, {two, tokens.data(), 80, outOfRange.data(), 0}}),
            second + ", position 2, layer 0: forced mode 4 is not in -1 .. 3");
  EXPECT_EQ(message({good, good}), first + " occurs twice in a step");
  EXPECT_EQ(message({good, {INT64_MAX, tokens.data(), 80, nullptr, 0}}), "there is no sequence 9223372036854775807");
  EXPECT_EQ(message({good, {two, nullptr, 1, nullptr, 0}}), second + ": tokens are null");
  EXPECT_EQ(message({good, {two, tokens.data(), 1, nullptr, 3}}), second + ": 3 does not say which logits are wanted");
  EXPECT_EQ(must(runner->snapshot(one)), before);
  EXPECT_EQ(must(runner->position(one)), 0);
  expectRows(feed(*runner, one, tokens), 0, expected(tokens), 0, 80);
}

TEST(Step, BuffersThatAreTooSmallAreRefused) {
  std::vector<int32_t> tokens = randomTokens(9, 3);
  std::unique_ptr<Session> runner = session();
  int64_t sequence = must(runner->add());
  chimera_step_item item{sequence, tokens.data(), 3, nullptr, CHIMERA_LOGITS_ALL};
  std::vector<float> logits(3 * size_t(vocab));
  std::vector<int8_t> routing(3 * size_t(layers));
  EXPECT_EQ(runner->step(&item, 1, logits.data(), 131, nullptr, 0)->message,
            "the buffer for logits has 131 bytes, the step needs 132");
  EXPECT_EQ(runner->step(&item, 1, nullptr, 0, nullptr, 0)->message,
            "logits are wanted, but there is no buffer for them");
  EXPECT_EQ(runner->step(&item, 1, logits.data(), 132, routing.data(), 5)->message,
            "the buffer for routing has 5 bytes, the step needs 6");
  EXPECT_EQ(must(runner->position(sequence)), 0);
  chimera_step_item negative{sequence, tokens.data(), -1, nullptr, CHIMERA_LOGITS_ALL};
  EXPECT_EQ(runner->step(&negative, 1, nullptr, 0, nullptr, 0)->message,
            "sequence " + std::to_string(sequence) + ": -1 tokens");
  EXPECT_FALSE(runner->step(&item, 1, logits.data(), 132, nullptr, 0));
  EXPECT_EQ(must(runner->position(sequence)), 3);
}

TEST(StepCutter, StepsAreWithinTheLimitsAndInOrder) {
  std::vector<int32_t> tokens = randomTokens(1, 20);
  std::vector<StepItem> items = {{1, 4, 10, tokens.data(), 5, nullptr, CHIMERA_LOGITS_LAST},
                                 {2, 5, 0, tokens.data(), 9, nullptr, CHIMERA_LOGITS_ALL},
                                 {3, 6, 2, tokens.data(), 1, nullptr, CHIMERA_LOGITS_NONE},
                                 {4, 7, 3, tokens.data(), 1, nullptr, CHIMERA_LOGITS_LAST}};
  StepCutter cutter(items, 7, 2, layers);
  StepBatch batch;
  size_t first = 99;
  ASSERT_TRUE(cutter.next(batch, first));
  EXPECT_EQ(first, 0u);
  EXPECT_EQ(batch.seqStart, (std::vector<int32_t>{0, 5, 7}));
  EXPECT_EQ(batch.seqSlot, (std::vector<int32_t>{4, 5}));
  EXPECT_EQ(batch.rowSequence, (std::vector<int32_t>{0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(batch.rowIndex, (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(batch.rowPosition, (std::vector<int64_t>{10, 11, 12, 13, 14, 0, 1}));
  EXPECT_EQ(batch.outIndex, (std::vector<int32_t>{4, 5, 6}));
  EXPECT_EQ(batch.outStart, (std::vector<int32_t>{0, 1, 3}));
  ASSERT_TRUE(cutter.next(batch, first));
  EXPECT_EQ(first, 1u);
  EXPECT_EQ(batch.rows(), 7);
  EXPECT_EQ(batch.rowPosition.front(), 2);
  EXPECT_EQ(batch.outputs(), 7);
  ASSERT_TRUE(cutter.next(batch, first));
  EXPECT_EQ(first, 2u);
  EXPECT_EQ(batch.seqSlot, (std::vector<int32_t>{6, 7}));
  EXPECT_EQ(batch.outIndex, (std::vector<int32_t>{1}));
  EXPECT_FALSE(cutter.next(batch, first));
}

} // namespace
} // namespace chimera::runtime::toy
