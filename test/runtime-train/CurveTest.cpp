// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What changes over a run: curves, rates, the routing.
#include "runtime/train/config/Curve.h"
#include "runtime/train/config/RoutingSchedule.h"
#include "runtime/train/config/TrainingConfig.h"

#include <gtest/gtest.h>

namespace {

using namespace chimera;
using namespace chimera::train;

TEST(Curve, IsLinearBetweenPointsAndConstantOutside) {
  Curve curve({{0.25, 1.0}, {0.5, 0.5}, {0.75, 2.0}});
  EXPECT_EQ(curve.at(0), 1.0);
  EXPECT_EQ(curve.at(0.25), 1.0);
  EXPECT_DOUBLE_EQ(curve.at(0.375), 0.75);
  EXPECT_EQ(curve.at(0.5), 0.5);
  EXPECT_DOUBLE_EQ(curve.at(0.625), 1.25);
  EXPECT_EQ(curve.at(0.75), 2.0);
  EXPECT_EQ(curve.at(1), 2.0);
  EXPECT_EQ(Curve(3.0).at(0.4), 3.0);
}

TEST(LearningRate, WarmsUp) {
  ScheduleConfig schedule{ScheduleKind::Constant, 4, 0.1, 0.25};
  EXPECT_EQ(learningRateFactor(schedule, 0, 100), 0.25);
  EXPECT_EQ(learningRateFactor(schedule, 2, 100), 0.75);
  EXPECT_EQ(learningRateFactor(schedule, 3, 100), 1.0);
  EXPECT_EQ(learningRateFactor(schedule, 99, 100), 1.0);
  EXPECT_EQ(learningRateFactor({ScheduleKind::Constant, 0, 0.1, 0.25}, 0, 100), 1.0);
  EXPECT_EQ(learningRateFactor({ScheduleKind::Cosine, 1000, 0.1, 0.25}, 99, 100), 0.1) << "a warm-up that never ends";
}

TEST(LearningRate, FollowsACosine) {
  ScheduleConfig schedule{ScheduleKind::Cosine, 10, 0.2, 0.25};
  EXPECT_DOUBLE_EQ(learningRateFactor(schedule, 10, 111), 1.0);
  EXPECT_DOUBLE_EQ(learningRateFactor(schedule, 60, 111), 0.6);
  EXPECT_DOUBLE_EQ(learningRateFactor(schedule, 110, 111), 0.2);
  EXPECT_GT(learningRateFactor(schedule, 35, 110), learningRateFactor(schedule, 36, 110));
}

TEST(LearningRate, StaysAndDecays) {
  ScheduleConfig schedule{ScheduleKind::Wsd, 10, 0.0, 0.25};
  EXPECT_EQ(learningRateFactor(schedule, 10, 100), 1.0);
  // The last 25 steps are below it.
  EXPECT_EQ(learningRateFactor(schedule, 74, 100), 1.0);
  EXPECT_DOUBLE_EQ(learningRateFactor(schedule, 75, 100), 0.96);
  EXPECT_DOUBLE_EQ(learningRateFactor(schedule, 79, 100), 0.8);
  EXPECT_EQ(learningRateFactor(schedule, 99, 100), 0.0);
  EXPECT_DOUBLE_EQ(learningRateFactor({ScheduleKind::Wsd, 0, 0.5, 1.0}, 49, 100), 0.75);
}

TEST(LearningRate, OfTheLastStepIsTheFinalOne) {
  for (ScheduleKind kind : {ScheduleKind::Cosine, ScheduleKind::Wsd})
    for (int64_t steps : {1, 2, 3, 4, 5, 20, 1000})
      for (double decay : {1e-9, 0.25, 1.0}) {
        for (int64_t warmup : {0, 1, 3}) {
          if (warmup < steps) {
            EXPECT_DOUBLE_EQ(learningRateFactor({kind, warmup, 0.1, decay}, steps - 1, steps), 0.1)
                << int(kind) << " " << steps << " " << warmup << " " << decay;
          }
          for (int64_t step = 0; step < steps; ++step) {
            double factor = learningRateFactor({kind, warmup, 0.1, decay}, step, steps);
            EXPECT_TRUE(factor >= 0.1 - 1e-15 && factor <= 1) << factor;
          }
        }
        if (steps > 1 && kind == ScheduleKind::Cosine) {
          EXPECT_EQ(learningRateFactor({kind, 0, 0.1, decay}, 0, steps), 1.0) << "the first is the full one";
        }
      }
}

TEST(ScheduleValue, ReachesItsEndsInTheFirstAndLastStep) {
  for (int64_t steps : {2, 3, 20, 1000}) {
    EXPECT_EQ(scheduleFraction(0, steps), 0.0);
    EXPECT_EQ(scheduleFraction(steps - 1, steps), 1.0);
  }
  EXPECT_EQ(scheduleFraction(0, 1), 1.0) << "the only step is the last one";
}

RoutingMoment at(const std::string &text, double fraction) {
  io::Result<RoutingSchedule> schedule = RoutingSchedule::parse(text);
  EXPECT_TRUE(bool(schedule)) << schedule.error().message;
  return schedule->at(fraction);
}

void expectMoment(const std::string &text, double fraction, double hardShare, bool hardNoise, bool softNoise = false) {
  RoutingMoment moment = at(text, fraction);
  EXPECT_DOUBLE_EQ(moment.hardShare, hardShare) << text << " at " << fraction;
  EXPECT_EQ(moment.hardNoise, hardNoise) << text << " at " << fraction;
  EXPECT_EQ(moment.softNoise, softNoise) << text << " at " << fraction;
}

TEST(Routing, IsOneKind) {
  for (double fraction : {0.0, 0.5, 1.0}) {
    expectMoment("soft", fraction, 0, false);
    expectMoment("hard", fraction, 1, false);
    expectMoment("gumbel", fraction, 1, true);
    expectMoment("concrete", fraction, 0, false, true);
  }
}

TEST(Routing, HardensBySequence) {
  const char *text = "soft@0.5,hard@0.75";
  expectMoment(text, 0, 0, false);
  expectMoment(text, 0.4999, 0, false);
  expectMoment(text, 0.5, 0, false);
  expectMoment(text, 0.5625, 0.25, false);
  expectMoment(text, 0.6875, 0.75, false);
  expectMoment(text, 0.75, 1, false);
  expectMoment(text, 1, 1, false);
}

TEST(Routing, PassesThroughSeveralKinds) {
  const char *text = "soft@0.25,gumbel@0.5,gumbel@0.625,hard@0.75";
  expectMoment(text, 0.1, 0, false);
  expectMoment(text, 0.375, 0.5, true);
  expectMoment(text, 0.5, 1, true);
  expectMoment(text, 0.7, 1, true);
  expectMoment(text, 0.75, 1, false);
  expectMoment("hard@0.25,soft@0.75", 0.5, 0.5, false);
  expectMoment("hard@0.5", 0.9, 1, false);
  EXPECT_TRUE(RoutingSchedule::parse(text)->usesSoft());
  EXPECT_TRUE(RoutingSchedule::parse(text)->mixes());
  EXPECT_FALSE(RoutingSchedule::parse("gumbel@0.25,hard@0.5")->usesSoft());
  EXPECT_FALSE(RoutingSchedule::parse("gumbel@0.25,hard@0.5")->mixes());
  EXPECT_TRUE(RoutingSchedule::parse("soft@0.25,soft@0.5")->usesSoft());
  EXPECT_FALSE(RoutingSchedule::parse("soft@0.25,soft@0.5")->mixes());
  EXPECT_FALSE(RoutingSchedule::parse("soft@0.25,concrete@0.5")->mixes());
  EXPECT_TRUE(RoutingSchedule::parse("concrete@0.25,hard@0.5")->mixes());
}

TEST(Routing, NoiseBelongsToItsKind) {
  const char *text = "soft@0.25,concrete@0.5,hard@0.75";
  expectMoment(text, 0.2, 0, false);
  expectMoment(text, 0.25, 0, false, true);
  expectMoment(text, 0.625, 0.5, false, true);
  expectMoment(text, 0.75, 1, false);
  expectMoment("concrete@0.25,gumbel@0.75", 0.5, 0.5, true, true);
}

TEST(Routing, NamesWhatIsWrong) {
  for (auto [text, part] : std::initializer_list<std::pair<const char *, const char *>>{
           {"", "a routing is"},
           {"Hard", "'Hard': a routing is soft, concrete, hard or gumbel"},
           {"soft,hard", "'soft': in a schedule each routing has its fraction"},
           {"soft@", "'soft@': in a schedule"},
           {"soft@x", "'soft@x': in a schedule"},
           {"soft@nan", "'soft@nan': in a schedule"},
           {"soft@1.5", "'soft@1.5': in a schedule"},
           {"soft@-0.5", "in a schedule"},
           {"soft@0.5,hard@0.5", "'hard@0.5': the fractions of a schedule rise"},
           {"soft@0.5,", "a routing is"}}) {
    io::Result<RoutingSchedule> schedule = RoutingSchedule::parse(text);
    ASSERT_FALSE(bool(schedule)) << text;
    EXPECT_NE(schedule.error().message.find(part), std::string::npos) << schedule.error().message;
  }
}

} // namespace
