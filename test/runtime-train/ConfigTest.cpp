// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/TrainingConfig.h"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace chimera;
using namespace chimera::train;

io::Result<TrainingConfig> parse(const std::string &training) {
  return parseTraining("{\"hidden_size\": 64, \"training\": " + training + "}", "config.json", 0.7);
}

TrainingConfig mustParse(const std::string &training) {
  io::Result<TrainingConfig> config = parse(training);
  EXPECT_TRUE(bool(config)) << config.error().message;
  return config ? *config : TrainingConfig();
}

TEST(TrainingConfig, HasDefaults) {
  io::Result<TrainingConfig> absent = parseTraining("{\"hidden_size\": 64}", "config.json", 0.7);
  ASSERT_TRUE(bool(absent));
  for (const TrainingConfig &config : {*absent, mustParse("{}")}) {
    EXPECT_EQ(config.optimizer.learningRate, 1e-3);
    EXPECT_EQ(config.optimizer.beta1, 0.9);
    EXPECT_EQ(config.optimizer.beta2, 0.95);
    EXPECT_EQ(config.optimizer.epsilon, 1e-8);
    EXPECT_EQ(config.optimizer.weightDecay, 0.1);
    EXPECT_EQ(config.optimizer.clip, 1.0);
    EXPECT_EQ(config.optimizer.routerRate, 1.0);
    EXPECT_EQ(config.schedule.kind, ScheduleKind::Cosine);
    EXPECT_EQ(config.routing.text(), "hard");
    EXPECT_EQ(config.temperature.at(0.5), 0.7) << "the config's router.temperature";
    EXPECT_EQ(config.entropy.at(0.5), 0.0);
    EXPECT_FALSE(config.budget);
    EXPECT_FALSE(config.floor);
    EXPECT_EQ(config.switchLoss, 0.0);
    EXPECT_EQ(config.balancerFrom, 0.0);
    EXPECT_EQ(config.balancerUntil, 1.0);
    EXPECT_EQ(config.balancerFactor.at(0.5), 1.0);
  }
}

TEST(TrainingConfig, ReadsEveryKey) {
  TrainingConfig config = mustParse(R"({
    "optimizer": {"lr": 0.002, "betas": [0.8, 0.99], "eps": 1e-6, "weight_decay": 0, "clip": null, "router_lr": 0.3},
    "schedule": {"kind": "wsd", "warmup": 7, "final": 0, "decay": 0.5},
    "routing": "soft@0.5,hard@0.6",
    "temperature": [[0, 1], [0.6, 0.5]],
    "entropy": [[0.2, 0], [0.45, 0.1]],
    "budget": {"mode": "swa", "coefficient": 2, "cap": [[0.25, 1], [0.45, 0.25]], "measure": "hard", "scope": "layer",
               "pause_gap": 0.05, "start_accuracy": 0.9, "hold_accuracy": [[0.5, 0.9], [0.75, 1]], "restore": [[0, 1], [0.5, 0]], "growth": 1.01,
               "limit": 2.5, "form": "log", "until": 0.75},
    "switch_loss": 0.01,
    "floor": {"ssm": 0.1, "full": 0.2, "coefficient": 5, "measure": "soft"},
    "balancer": {"from": 0.1, "until": 0.9, "factor": [[0.5, 1], [1, 0.5]]},
    "evaluation": {"every": 10, "sequences": 256},
    "checkpoint": {"every": 20, "keep": 5}})");
  EXPECT_EQ(config.optimizer.learningRate, 0.002);
  EXPECT_EQ(config.optimizer.beta1, 0.8);
  EXPECT_EQ(config.optimizer.beta2, 0.99);
  EXPECT_EQ(config.optimizer.epsilon, 1e-6);
  EXPECT_EQ(config.optimizer.weightDecay, 0.0);
  EXPECT_TRUE(std::isinf(config.optimizer.clip));
  EXPECT_EQ(config.optimizer.routerRate, 0.3);
  EXPECT_EQ(config.schedule.kind, ScheduleKind::Wsd);
  EXPECT_EQ(config.schedule.warmup, 7);
  EXPECT_EQ(config.schedule.final, 0.0);
  EXPECT_EQ(config.schedule.decay, 0.5);
  EXPECT_EQ(config.routing.text(), "soft@0.5,hard@0.6");
  EXPECT_DOUBLE_EQ(config.temperature.at(0.3), 0.75);
  EXPECT_DOUBLE_EQ(config.entropy.last(), 0.1);
  ASSERT_TRUE(config.budget);
  EXPECT_EQ(config.budget->mode, Mode::Swa);
  EXPECT_EQ(config.budget->coefficient, 2.0);
  EXPECT_DOUBLE_EQ(config.budget->cap.at(0.35), 0.625);
  EXPECT_EQ(config.budget->measure, Measure::Hard);
  EXPECT_EQ(config.budget->scope, Scope::Layer);
  EXPECT_EQ(config.budget->pauseGap, 0.05);
  EXPECT_DOUBLE_EQ(config.budget->holdAccuracy.at(0.625), 0.95);
  EXPECT_DOUBLE_EQ(config.budget->restore.at(0.25), 0.5);
  EXPECT_EQ(config.budget->growth, 1.01);
  EXPECT_EQ(config.budget->limit, 2.5);
  EXPECT_EQ(config.budget->form, Form::Log);
  EXPECT_EQ(config.budget->until, 0.75);
  EXPECT_EQ(config.budget->startAccuracy, 0.9);
  EXPECT_EQ(config.switchLoss, 0.01);
  ASSERT_TRUE(config.floor);
  EXPECT_EQ(config.floor->share, (std::array<double, 4>{0.1, 0, 0.2, 0}));
  EXPECT_EQ(config.floor->coefficient, 5.0);
  EXPECT_EQ(config.floor->measure, Measure::Soft);
  EXPECT_EQ(config.balancerFrom, 0.1);
  EXPECT_EQ(config.balancerUntil, 0.9);
  EXPECT_EQ(config.balancerFactor.at(0.75), 0.75);
  EXPECT_EQ(config.evaluateEvery, 10);
  EXPECT_EQ(config.evaluateSequences, 256);
  EXPECT_EQ(config.checkpointEvery, 20);
  EXPECT_EQ(config.keepCheckpoints, 5);
}

/// A config and what is wrong with it.
struct Wrong {
  const char *training, *message;
};
void PrintTo(const Wrong &wrong, std::ostream *stream) {
  *stream << wrong.training;
}

class WrongTraining : public testing::TestWithParam<Wrong> {};

TEST_P(WrongTraining, IsNamed) {
  io::Result<TrainingConfig> config = parse(GetParam().training);
  ASSERT_FALSE(bool(config));
  EXPECT_EQ(config.error().message.find("config.json: key 'training"), 0u) << config.error().message;
  EXPECT_NE(config.error().message.find(GetParam().message), std::string::npos) << config.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongTraining,
    testing::Values(
        Wrong{"3", "'training': must be an object, got 3"},
        Wrong{R"({"optimiser": {}})", "'training.optimiser': unknown"},
        Wrong{R"({"optimizer": []})", "'training.optimizer': must be an object"},
        Wrong{R"({"optimizer": {"rate": 1}})", "'training.optimizer.rate': unknown"},
        Wrong{R"({"optimizer": {"lr": 0}})", "'training.optimizer.lr': must be > 0, got 0"},
        Wrong{R"({"optimizer": {"lr": "1"}})", "'training.optimizer.lr': must be > 0"},
        Wrong{R"({"optimizer": {"eps": 0}})", "'training.optimizer.eps'"},
        Wrong{R"({"optimizer": {"betas": [0.9]}})", "'training.optimizer.betas': must be two numbers"},
        Wrong{R"({"optimizer": {"betas": [0.9, 1]}})", "'training.optimizer.betas': must be two numbers"},
        Wrong{R"({"optimizer": {"weight_decay": -0.1}})", "'training.optimizer.weight_decay': must be >= 0"},
        Wrong{R"({"optimizer": {"clip": 0}})", "'training.optimizer.clip'"},
        Wrong{R"({"optimizer": {"router_lr": -1}})", "'training.optimizer.router_lr'"},
        Wrong{R"({"schedule": {"kind": "linear"}})", "'training.schedule.kind': must be one of"},
        Wrong{R"({"schedule": {"warmup": 1.5}})", "'training.schedule.warmup': must be a whole number"},
        Wrong{R"({"schedule": {"final": 1.5}})", "'training.schedule.final'"},
        Wrong{R"({"schedule": {"decay": 0}})", "'training.schedule.decay'"},
        Wrong{R"({"routing": 1})", "'training.routing': must be a string"},
        Wrong{R"({"routing": "warm"})", "'training.routing': 'warm': a routing is"},
        Wrong{R"({"temperature": 0})", "'training.temperature'"},
        Wrong{R"({"temperature": []})", "'training.temperature': must be a number or a list"},
        Wrong{R"({"temperature": [[0, 1], [0, 2]]})", "'training.temperature[1]': must be [fraction, value]"},
        Wrong{R"({"temperature": [[0, 0]]})", "'training.temperature[0]': must be [fraction, value]"},
        Wrong{R"({"temperature": [[0, 1], [1.5, 1]]})", "'training.temperature[1]'"},
        Wrong{R"({"entropy": [[0, 1, 2]]})", "'training.entropy[0]'"},
        Wrong{R"({"budget": {}})", "'training.budget.cap': missing"},
        Wrong{R"({"budget": {"cap": 2}})", "'training.budget.cap': must be >= 0 and <= 1, got 2"},
        Wrong{R"({"budget": {"cap": 0.5, "mode": "dense"}})", "'training.budget.mode': must be one of"},
        Wrong{R"({"budget": {"cap": 0.5, "coefficient": -1}})", "'training.budget.coefficient'"},
        Wrong{R"({"budget": {"cap": 0.5, "measure": "p"}})", "'training.budget.measure'"},
        Wrong{R"({"budget": {"cap": 0.5, "scope": "all"}})", "'training.budget.scope'"},
        Wrong{R"({"budget": {"cap": 0.5, "pause_gap": 2}})", "'training.budget.pause_gap'"},
        Wrong{R"({"budget": {"cap": 0.5, "start_accuracy": -1}})", "'training.budget.start_accuracy'"},
        Wrong{R"({"budget": {"cap": 0.5, "hold_accuracy": 2}})", "'training.budget.hold_accuracy'"},
        Wrong{R"({"budget": {"cap": 0.5, "restore": -1}})", "'training.budget.restore'"},
        Wrong{R"({"budget": {"cap": 0.5, "growth": 0.5}})", "'training.budget.growth': must be >= 1, got 0.5"},
        Wrong{R"({"budget": {"cap": 0.5, "limit": -1}})", "'training.budget.limit'"},
        Wrong{R"({"budget": {"cap": 0.5, "growth": 2, "coefficient": 0}})",
              "'training.budget.coefficient': must be > 0 to grow"},
        Wrong{R"({"budget": {"cap": 0.5, "start": 1}})", "'training.budget.start': unknown"},
        Wrong{R"({"switch_loss": -1})", "'training.switch_loss'"},
        Wrong{R"({"floor": {"dense": 0.1}})", "'training.floor.dense': unknown"},
        Wrong{R"({"floor": {"ssm": 0.6, "full": 0.6}})", "the shares of all modes sum to more than 1"},
        Wrong{R"({"floor": {"ssm": 0.1, "coefficient": -1}})", "'training.floor.coefficient'"},
        Wrong{R"({"balancer": {"from": 2}})", "'training.balancer.from'"},
        Wrong{R"({"balancer": {"factor": -1}})", "'training.balancer.factor'"},
        Wrong{R"({"balancer": {"from": 0.5, "until": 0.4}})", "'training.balancer.from': must not be above until"},
        Wrong{R"({"evaluation": {"every": -1}})", "'training.evaluation.every'"},
        Wrong{R"({"evaluation": {"sequences": 0}})", "'training.evaluation.sequences'"},
        Wrong{R"({"checkpoint": {"keep": 0}})", "'training.checkpoint.keep'"},
        Wrong{R"({"checkpoint": {"each": 1}})", "'training.checkpoint.each': unknown"}));

TEST(TrainingConfig, NamesBrokenJson) {
  io::Result<TrainingConfig> config = parseTraining("{", "config.json", 1);
  ASSERT_FALSE(bool(config));
  EXPECT_EQ(config.error().message.find("config.json: "), 0u);
}

} // namespace
