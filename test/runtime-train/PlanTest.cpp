// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/Plan.h"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace chimera;
using namespace chimera::train;

/// So many that step s is at the fraction s / 100 of schedule values.
constexpr int64_t steps = 101, tokens = 50;
constexpr size_t priceCount = 3 * pricesPerLayer;

/// Three layers: all modes, only full, and ssm with full.
Config model() {
  Config config;
  config.numLayers = 3;
  config.layerModes = {{Mode::Ssm, Mode::Swa, Mode::Full, Mode::Identity}, {Mode::Full}, {Mode::Ssm, Mode::Full}};
  return config;
}

TrainingConfig training(const std::string &text) {
  io::Result<TrainingConfig> config = parseTraining("{\"training\": " + text + "}", "config.json", 1.0);
  EXPECT_TRUE(bool(config)) << config.error().message;
  return *config;
}

Plan plan(const std::string &text) {
  return Plan(training(text), model(), steps, tokens);
}

/// Shares of `full` in the layers that route, in the probabilities and in the counts.
std::vector<LayerShares> shares(double p0, double p2, double hard0, double hard2) {
  std::vector<LayerShares> all(3);
  all[0].p = {1 - p0, 0, p0, 0};
  all[2].p = {1 - p2, 0, p2, 0};
  all[0].admitted = all[0].wanted = {1 - hard0, 0, hard0, 0};
  all[2].admitted = all[2].wanted = {1 - hard2, 0, hard2, 0};
  return all;
}

PlanState state(const std::vector<LayerShares> &all, int64_t squeezed = 0) {
  PlanState made;
  made.shares = all;
  made.squeezed = squeezed;
  return made;
}

double price(const StepPlan &plan, size_t layer, size_t place) {
  EXPECT_EQ(plan.prices.size(), priceCount);
  return plan.prices[layer * pricesPerLayer + place];
}

TEST(Plan, GivesTheOptimizersNumbers) {
  Plan made = plan(R"({"optimizer": {"lr": 0.5, "betas": [0.5, 0.75], "eps": 1e-6, "weight_decay": 0.2, "clip": 3,
                       "router_lr": 0.1}, "schedule": {"kind": "constant", "warmup": 2},
                       "temperature": [[0, 1], [0.5, 0.5]]})");
  StepPlan first = made.at(0, {}), third = made.at(2, {});
  EXPECT_EQ(first.hyper.learningRate, 0.25);
  EXPECT_DOUBLE_EQ(first.hyper.routerLearningRate, 0.025);
  EXPECT_EQ(first.hyper.correction1, 0.5);
  EXPECT_EQ(first.hyper.correction2, 0.25);
  EXPECT_EQ(third.hyper.learningRate, 0.5);
  EXPECT_EQ(third.hyper.correction1, 0.875);
  EXPECT_EQ(third.hyper.beta1, 0.5);
  EXPECT_EQ(third.hyper.beta2, 0.75);
  EXPECT_EQ(third.hyper.epsilon, 1e-6);
  EXPECT_EQ(third.hyper.weightDecay, 0.2);
  EXPECT_EQ(third.hyper.clipNorm, 3.0);
  EXPECT_EQ(first.hyper.temperature, 1.0);
  EXPECT_DOUBLE_EQ(made.at(25, {}).hyper.temperature, 0.75);
  EXPECT_EQ(made.at(99, {}).hyper.temperature, 0.5);
}

TEST(Plan, EveryScheduleReachesItsLastValueInTheLastStep) {
  TrainingConfig config = training(R"({"schedule": {"warmup": 0}, "temperature": [[0, 4], [1, 1]],
      "entropy": [[0, 0], [1, 0.1]], "routing": "soft@0,hard@1", "balancer": {"factor": [[0, 1], [1, 0.5]]},
      "budget": {"cap": [[0, 1], [1, 0.25]], "coefficient": 2}})");
  for (int64_t count : {1, 2, 7}) {
    Plan made(config, model(), count, tokens);
    StepPlan last = made.at(count - 1, state(shares(0.5, 0.5, 0, 0), count - 1));
    EXPECT_DOUBLE_EQ(last.hyper.learningRate, 1e-4) << count;
    EXPECT_EQ(last.hyper.temperature, 1.0);
    EXPECT_DOUBLE_EQ(price(last, 0, 12), 0.1 / 50);
    EXPECT_EQ(last.routing.hardShare, 1.0);
    EXPECT_EQ(last.balancer, 0.5) << "and the balancer still moves";
    EXPECT_EQ(last.cap, 0.25);
    EXPECT_EQ(last.budgetPrice, 2.0) << "and prices last to the end";
    if (count == 1)
      continue;
    StepPlan first = made.at(0, {});
    EXPECT_EQ(first.hyper.learningRate, 1e-3);
    EXPECT_EQ(first.hyper.temperature, 4.0);
    EXPECT_EQ(first.routing.hardShare, 0.0);
    EXPECT_EQ(first.cap, 1.0);
  }
}

TEST(Plan, PricesNothingByDefault) {
  StepPlan made = plan("{}").at(50, state(shares(0.9, 0.9, 0.9, 0.9)));
  EXPECT_EQ(made.prices, std::vector<double>(priceCount, 0.0));
  EXPECT_EQ(made.cap, 1.0);
  EXPECT_EQ(made.routing.hardShare, 1.0);
  EXPECT_EQ(made.balancer, 1.0);
}

TEST(Plan, BudgetActsOnTheMeanOfTheLayersThatRoute) {
  Plan made = plan(R"({"budget": {"coefficient": 3, "cap": 0.5}})");
  StepPlan over = made.at(0, state(shares(0.9, 0.2, 0, 0)));
  EXPECT_DOUBLE_EQ(price(over, 0, 2), 3.0 / 2 / 50);
  EXPECT_DOUBLE_EQ(price(over, 2, 2), 3.0 / 2 / 50) << "the mean is what counts";
  EXPECT_EQ(price(over, 1, 2), 0.0) << "no router";
  EXPECT_EQ(price(over, 0, 0), 0.0);
  EXPECT_EQ(made.at(0, state(shares(0.7, 0.2, 1, 1))).prices, std::vector<double>(priceCount, 0.0)) << "below";
  EXPECT_EQ(made.at(0, state(shares(0.5, 0.5, 1, 1))).prices, std::vector<double>(priceCount, 0.0)) << "at the cap";
  EXPECT_EQ(made.at(0, {}).prices, std::vector<double>(priceCount, 0.0)) << "nothing measured yet";
}

TEST(Plan, BudgetMayBeALayersOwnAndOnCounts) {
  Plan made = plan(R"({"budget": {"coefficient": 3, "cap": 0.5, "scope": "layer", "measure": "hard"}})");
  StepPlan over = made.at(0, state(shares(0, 0, 0.2, 0.6)));
  EXPECT_EQ(price(over, 0, 2), 0.0);
  EXPECT_DOUBLE_EQ(price(over, 2, 2), 3.0 / 2 / 50);
}

TEST(Plan, BudgetLeavesLayersWithoutTheModeAlone) {
  Plan made = plan(R"({"budget": {"coefficient": 3, "cap": 0.1, "mode": "swa"}})");
  std::vector<LayerShares> all = shares(0, 0, 0, 0);
  all[0].p = {0, 1, 0, 0};
  StepPlan over = made.at(0, state(all));
  EXPECT_GT(price(over, 0, 1), 0.0);
  EXPECT_EQ(price(over, 2, 1), 0.0);
}

TEST(Plan, CapFollowsTheClock) {
  Plan made = plan(R"({"budget": {"cap": [[0.25, 1], [0.75, 0]]}})");
  PlanState now;
  for (int64_t step = 0; step < steps; ++step) {
    EXPECT_EQ(now.squeezed, step);
    now = made.after(0, now, shares(0.6, 0.6, 0, 0), 1);
  }
  EXPECT_EQ(made.at(0, state({}, 25)).cap, 1.0);
  EXPECT_DOUBLE_EQ(made.at(0, state({}, 50)).cap, 0.5);
  EXPECT_EQ(made.at(0, state({}, 75)).cap, 0.0);
  EXPECT_EQ(made.at(99, state({}, 25)).cap, 1.0) << "the clock counts, not the step";
}

TEST(Plan, SqueezeWaitsForTheAccuracy) {
  Plan made = plan(R"({"budget": {"cap": [[0.25, 1], [0.75, 0]], "start_accuracy": 0.9}})");
  PlanState now;
  for (int64_t step = 0; step < 60; ++step)
    now = made.after(0, now, shares(0.6, 0.6, 0, 0), 1);
  EXPECT_EQ(now.squeezed, 25) << "up to where the cap begins to fall";
  EXPECT_TRUE(made.squeezeWaits(0, now));
  now = made.evaluated(now, {0.89, 0.3});
  EXPECT_EQ(made.after(0, now, {}, 1).squeezed, 25);
  now = made.evaluated(now, {0.9, 0.3});
  EXPECT_EQ(made.after(0, now, {}, 1).squeezed, 26);
  now = made.evaluated(now, {0.5, 0.5});
  EXPECT_EQ(made.after(0, now, {}, 1).squeezed, 26) << "once started, it goes on";
}

TEST(Plan, NothingIsPricedBeforeTheStart) {
  Plan made = plan(R"({"budget": {"cap": 0.5, "start_accuracy": 0.9}})");
  PlanState now = state(shares(1, 1, 1, 1));
  EXPECT_EQ(price(made.at(0, now), 0, 2), 0.0);
  EXPECT_GT(price(made.at(0, made.evaluated(now, {0.95, 0.1})), 0, 2), 0.0);
}

TEST(Plan, SqueezePausesWhileSoftIsFarAboveHard) {
  Plan made = plan(R"({"budget": {"cap": [[0.1, 1], [0.75, 0]], "pause_gap": 0.25}})");
  PlanState now = state(shares(1, 1, 1, 1), 40);
  EXPECT_EQ(made.after(0, made.evaluated(now, {0.75, 0.5}), {}, 1).squeezed, 41) << "at the gap it goes on";
  EXPECT_EQ(made.after(0, made.evaluated(now, {0.8, 0.5}), {}, 1).squeezed, 40);
  EXPECT_EQ(made.after(0, made.evaluated(now, {0.5, 0.9}), {}, 1).squeezed, 41);
  EXPECT_GT(price(made.at(0, made.evaluated(now, {0.8, 0.5})), 0, 2), 0.0) << "the cap reached is held";
}

TEST(Plan, AccuracyIsSmoothed) {
  Plan made = plan("{}");
  PlanState now = made.after(0, {}, {}, 1);
  EXPECT_DOUBLE_EQ(now.accuracy, 0.1);
  EXPECT_DOUBLE_EQ(made.after(0, now, {}, 0.5).accuracy, 0.14);
}

TEST(Plan, BelowTheAccuracyToHoldTheModeIsRewarded) {
  Plan made = plan(R"({"budget": {"cap": [[0.1, 1], [0.5, 0.25]], "hold_accuracy": 0.9, "restore": 0.5,
                       "measure": "hard"}})");
  PlanState now = state(shares(0, 0, 0.6, 0.2), 50);
  now.accuracy = 0.89;
  EXPECT_TRUE(made.squeezeWaits(0, now));
  EXPECT_EQ(made.at(0, now).budgetPrice, -0.5);
  EXPECT_DOUBLE_EQ(price(made.at(0, now), 0, 2), -0.5 / 2 / 50);
  EXPECT_DOUBLE_EQ(price(made.at(0, now), 2, 2), -0.5 / 2 / 50);
  EXPECT_EQ(price(made.at(0, now), 1, 2), 0.0) << "no router";
  now.accuracy = 0.9;
  EXPECT_FALSE(made.squeezeWaits(0, now));
  EXPECT_EQ(made.at(0, now).budgetPrice, 3.0);
  EXPECT_DOUBLE_EQ(price(made.at(0, now), 0, 2), 3.0 / 2 / 50);
  now.shares = shares(1, 1, 0.3, 0.2);
  EXPECT_EQ(made.at(0, now).budgetPrice, 0.0) << "at the cap";
  now.accuracy = 0.5;
  EXPECT_EQ(made.at(0, now).budgetPrice, -0.5) << "also at the cap";
}

TEST(Plan, AccuracyToHoldAndBonusMayHaveSchedules) {
  Plan made = plan(R"({"budget": {"cap": 0.1, "hold_accuracy": [[0.2, 0.5], [0.4, 0.9]],
                       "restore": [[0.4, 1], [0.8, 0.5]]}})");
  PlanState now = state(shares(1, 1, 1, 1));
  now.accuracy = 0.7;
  for (auto [step, expected] : {std::pair{20, 3.0}, {30, 3.0}, {31, -1.0}, {60, -0.75}, {90, -0.5}}) {
    EXPECT_EQ(made.at(step, now).budgetPrice, expected) << step;
  }
}

TEST(Plan, LogarithmsPushAndPull) {
  Plan made = plan(R"({"budget": {"form": "log", "cap": 0.1, "hold_accuracy": 0.9, "restore": 0.5}})");
  auto places = [&](const PlanState &now, size_t layer) {
    StepPlan step = made.at(0, now);
    return std::array{price(step, layer, 2), price(step, layer, numModes + 2), price(step, layer, 2 * numModes + 2)};
  };
  using Places = std::array<double, 3>;
  PlanState now = state(shares(1, 1, 1, 1));
  now.accuracy = 1;
  EXPECT_EQ(places(now, 0), (Places{0, 3.0 / 2 / 50, 0}));
  EXPECT_EQ(places(now, 1), (Places{0, 0, 0})) << "no router";
  EXPECT_EQ(made.at(0, now).budgetPrice, 3.0);
  now.accuracy = 0.5;
  EXPECT_EQ(places(now, 2), (Places{0, 0, 0.5 / 2 / 50}));
  EXPECT_EQ(made.at(0, now).budgetPrice, -0.5);
}

TEST(Plan, BudgetEndsAtItsTime) {
  Plan made = plan(R"({"budget": {"cap": 0.1, "hold_accuracy": 0.9, "restore": 0.5, "until": 0.5}})");
  PlanState now = state(shares(1, 1, 1, 1));
  for (double accuracy : {0.5, 1.0}) {
    now.accuracy = accuracy;
    EXPECT_NE(made.at(50, now).budgetPrice, 0.0);
    EXPECT_EQ(made.at(51, now).prices, std::vector<double>(priceCount, 0.0));
  }
}

TEST(Plan, WithoutABonusNothingIsPricedBelowTheAccuracyToHold) {
  Plan made = plan(R"({"budget": {"cap": 0.1, "hold_accuracy": 0.9}})");
  EXPECT_EQ(made.at(0, state(shares(1, 1, 1, 1))).prices, std::vector<double>(priceCount, 0.0));
}

TEST(Plan, PressureGrowsWhileTheAccuracyHolds) {
  Plan made = plan(R"({"budget": {"coefficient": 0.5, "cap": 0.25, "hold_accuracy": 0.5, "growth": 2, "limit": 3}})");
  PlanState now = state(shares(0.9, 0.9, 0, 0));
  now.accuracy = 1;
  EXPECT_EQ(made.at(0, now).budgetPrice, 0.5);
  for (double expected : {1.0, 2.0, 3.0, 3.0}) {
    now = made.after(0, now, shares(0.9, 0.9, 0, 0), 1);
    EXPECT_EQ(made.at(0, now).budgetPrice, expected);
  }
  now = made.after(0, now, shares(0.1, 0.1, 0, 0), 1);
  EXPECT_EQ(now.pressure, 6.0) << "nothing to press on";
  now.accuracy = 0.1;
  now = made.after(0, now, shares(0.9, 0.9, 0, 0), 0);
  EXPECT_DOUBLE_EQ(now.pressure, 5.4) << "the accuracy does not hold";
  for (int step = 0; step < 30; ++step)
    now = made.after(0, now, shares(0.9, 0.9, 0, 0), 0);
  EXPECT_EQ(now.pressure, 1.0) << "never below the coefficient";
}

TEST(Plan, PressureStaysWithoutGrowth) {
  Plan made = plan(R"({"budget": {"coefficient": 5, "cap": 0.25}})");
  PlanState now = made.after(0, state(shares(1, 1, 1, 1)), shares(1, 1, 1, 1), 1);
  EXPECT_EQ(made.at(0, now).budgetPrice, 5.0) << "the limit is of growth only";
}

TEST(Plan, FloorSupportsAStarvedMode) {
  Plan made = plan(R"({"floor": {"full": 0.2, "swa": 0.1, "coefficient": 4}})");
  StepPlan starved = made.at(0, state(shares(1, 1, 0.1, 0.3)));
  EXPECT_DOUBLE_EQ(price(starved, 0, 2), -4.0 / 2 / 50);
  EXPECT_DOUBLE_EQ(price(starved, 0, 1), -4.0 / 2 / 50);
  EXPECT_EQ(price(starved, 0, 0), 0.0);
  EXPECT_EQ(price(starved, 2, 2), 0.0) << "above its floor";
  EXPECT_EQ(price(starved, 2, 1), 0.0) << "a mode the layer lacks";
  EXPECT_EQ(price(starved, 1, 2), 0.0) << "no router";
}

TEST(Plan, SwitchLossPricesWhatIsWanted) {
  Plan made = plan(R"({"switch_loss": 0.5})");
  StepPlan priced = made.at(0, state(shares(0, 0, 0.25, 0.5)));
  EXPECT_DOUBLE_EQ(price(priced, 0, 2), 0.5 * 4 * 0.25 / 50);
  EXPECT_DOUBLE_EQ(price(priced, 0, 0), 0.5 * 4 * 0.75 / 50);
  EXPECT_DOUBLE_EQ(price(priced, 2, 2), 0.5 * 2 * 0.5 / 50);
  EXPECT_EQ(price(priced, 1, 2), 0.0);
}

TEST(Plan, EntropyHasAScheduleAndNeedsNoMeasure) {
  Plan made = plan(R"({"entropy": [[0.2, 0], [0.4, 0.1]]})");
  EXPECT_EQ(price(made.at(20, {}), 0, 12), 0.0);
  EXPECT_DOUBLE_EQ(price(made.at(30, {}), 0, 12), 0.05 / 50);
  EXPECT_DOUBLE_EQ(price(made.at(90, {}), 2, 12), 0.1 / 50);
  EXPECT_EQ(price(made.at(90, {}), 1, 12), 0.0);
}

TEST(Plan, BalancerHasItsTime) {
  Plan made = plan(R"({"balancer": {"from": 0.25, "until": 0.5}})");
  EXPECT_EQ(made.at(25, {}).balancer, 0.0);
  EXPECT_EQ(made.at(26, {}).balancer, 1.0);
  EXPECT_EQ(made.at(50, {}).balancer, 1.0);
  EXPECT_EQ(made.at(51, {}).balancer, 0.0);
  Plan slower = plan(R"({"balancer": {"from": 0.25, "factor": [[0.5, 1], [0.75, 0.5]]}})");
  EXPECT_EQ(slower.at(24, {}).balancer, 0.0);
  EXPECT_EQ(slower.at(50, {}).balancer, 1.0);
  EXPECT_EQ(slower.at(75, {}).balancer, 0.5);
}

TEST(Plan, ModelsWithoutRoutersRunHard) {
  Config dense = model();
  dense.layerModes = {{Mode::Full}, {Mode::Full}, {Mode::Ssm}};
  Plan made(training(R"({"routing": "soft", "entropy": 1, "budget": {"cap": 0}, "switch_loss": 1})"), dense, steps,
            tokens);
  StepPlan step = made.at(10, state(shares(1, 1, 1, 1)));
  EXPECT_EQ(step.routing.hardShare, 1.0);
  EXPECT_EQ(step.prices, std::vector<double>(priceCount, 0.0));
  EXPECT_EQ(step.balancer, 0.0);
}

TEST(PlanState, KeepsItsBits) {
  PlanState saved = state(shares(1.0 / 3, 0.1 + 0.2, 0.7, 1e-300), 17);
  saved.started = true;
  saved.accuracy = 0.1 + 0.7;
  saved.pressure = std::pow(1.01, 17);
  saved.heldOut = HeldOutAccuracy{2.0 / 3, 0.1};
  saved.shares[0].entropy = std::nextafter(1.0, 2.0);
  io::Result<PlanState> read = parsePlanState(planStateText(saved), 3);
  ASSERT_TRUE(bool(read)) << read.error().message;
  EXPECT_EQ(planStateText(*read), planStateText(saved));
  EXPECT_EQ(read->shares[0].p, saved.shares[0].p);
  EXPECT_EQ(read->shares[0].entropy, saved.shares[0].entropy);
  EXPECT_EQ(read->shares[2].admitted, saved.shares[2].admitted);
  EXPECT_EQ(read->heldOut->soft, 2.0 / 3);
  EXPECT_EQ(read->squeezed, 17);
  EXPECT_EQ(read->accuracy, saved.accuracy);
  EXPECT_EQ(read->pressure, saved.pressure);
  EXPECT_TRUE(read->started);
  EXPECT_FALSE(read->evaluationDue);
  saved.evaluationDue = true;
  EXPECT_TRUE(parsePlanState(planStateText(saved), 3)->evaluationDue);
  EXPECT_TRUE(bool(parsePlanState(planStateText({}), 3))) << "before the first step";
}

TEST(PlanState, RefusesOtherText) {
  std::string good = planStateText(state(shares(0, 0, 0, 0)));
  EXPECT_FALSE(bool(parsePlanState(good, 2)));
  for (const char *text :
       {"", "[]", "{}", "{\"squeezed\": 1}",
        "{\"squeezed\": 1.5, \"started\": true, \"accuracy\": 0, \"pressure\": 1, \"shares\": []}",
        "{\"squeezed\": 1, \"started\": true, \"pressure\": 1, \"shares\": []}",
        "{\"squeezed\": 1, \"started\": true, \"accuracy\": 0, \"shares\": []}",
        "{\"squeezed\": 1, \"started\": true, \"accuracy\": 0, \"pressure\": 1, \"shares\": [1, 2, 3]}",
        "{\"squeezed\": 1, \"started\": true, \"accuracy\": 0, \"pressure\": 1, \"shares\": [], "
        "\"held_out\": 3}"})
    EXPECT_FALSE(bool(parsePlanState(text, 3))) << text;
  for (size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(bool(parsePlanState(good.substr(0, cut), 3)));
}

} // namespace
