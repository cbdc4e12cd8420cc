// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/runtime/TrainingToy.h"

#include <gtest/gtest.h>

#include <limits>

namespace chimera::train {
namespace {

using nlohmann::json;

std::string createError(const json &manifest) {
  std::shared_ptr<const runtime::Model> model = toy::load(manifest);
  Result<std::unique_ptr<runtime::CpuDevice>> device = runtime::CpuDevice::create(1);
  Result<std::unique_ptr<State>> state = State::create(**device, *model, true);
  EXPECT_TRUE(bool(state)) << state.error().message;
  Result<std::unique_ptr<Programs>> programs = Programs::create(**state);
  return programs ? "" : programs.error().message;
}

TEST(Programs, AMissingResultIsNamed) {
  EXPECT_EQ(createError(toy::manifest()), "");
  for (auto [program, result] : {std::pair<const char *, const char *>{"train_hard", "loss"},
                                 {"train_soft", "statistics.0"},
                                 {"evaluate_hard", "modes"},
                                 {"update", "norm"}}) {
    json manifest = toy::manifest();
    manifest["variants"][0]["training"][program]["results"].erase(result);
    EXPECT_EQ(createError(manifest),
              std::string("toy.chm: the program ") + program + " has no result '" + result + "'");
  }
}

TEST(Programs, WhatDoesNotFitIsRefused) {
  json manifest = toy::manifest();
  manifest["variants"][0]["training"].erase("train_soft");
  toy::Setup setup = toy::setup(manifest);
  EXPECT_TRUE(setup.programs->routes());
  EXPECT_FALSE(setup.programs->check(TrainingProgram::TrainHard, 256, 32));
  Failure tokens = setup.programs->check(TrainingProgram::TrainHard, 257, 32);
  ASSERT_TRUE(bool(tokens));
  EXPECT_EQ(tokens->message, "toy.chm: a run of 32 sequences with 257 tokens is more than the binary holds, 32 and 256 "
                             "(--max-seqs, --max-tokens)");
  EXPECT_TRUE(bool(setup.programs->check(TrainingProgram::TrainHard, 256, 33)));
  Failure soft = setup.programs->check(TrainingProgram::TrainSoft, 1, 1);
  ASSERT_TRUE(bool(soft));
  EXPECT_EQ(soft->message, "toy.chm: has no program train_soft");
}

TEST(Programs, WithoutTotalsThereIsNoAccumulate) {
  toy::Setup setup = toy::setup(toy::manifest(), 1, /*totals=*/false);
  EXPECT_FALSE(setup.programs->has(TrainingProgram::Accumulate));
  EXPECT_TRUE(setup.programs->has(TrainingProgram::Update));
}

/// Two sequences of three tokens in a leaf each.
RunBatch exampleBatch() {
  RunBatch batch;
  batch.clear();
  const int32_t tokens[] = {1, 2, 3, 7, 4, 3}, targets[] = {-100, 4, 5, 6, -100, 5};
  for (int s = 0; s < 2; ++s) {
    batch.beginLeaf();
    batch.add(tokens + 3 * s, targets + 3 * s, 3, toy::layers);
  }
  batch.finish();
  batch.hyper.lossScale = 0.25;
  batch.prices = toy::prices();
  return batch;
}

TEST(RunBatch, HasTheArraysOfTheContract) {
  RunBatch batch = exampleBatch();
  EXPECT_EQ(batch.step.seqStart, (std::vector<int32_t>{0, 3, 6}));
  EXPECT_EQ(batch.step.rowPosition, (std::vector<int64_t>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(batch.step.rowSequence, (std::vector<int32_t>{0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(batch.step.rowIndex, (std::vector<int32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(batch.step.seqSlot, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(batch.step.outIndex, (std::vector<int32_t>{1, 2, 3, 5}));
  EXPECT_EQ(batch.step.outStart, (std::vector<int32_t>{0, 2, 4}));
  EXPECT_EQ(batch.step.forced, std::vector<int8_t>(12, -1));
  EXPECT_EQ(batch.targets, (std::vector<int32_t>{-100, 4, 5, 6, -100, 5}));
  EXPECT_EQ(batch.leaves[0], 2);
  EXPECT_EQ(batch.leaves[1], 0);
  EXPECT_EQ(batch.leaves[2], 1);
  EXPECT_EQ(batch.leaves[3], 2);
}

TEST(Programs, ARunGivesResultsAndGradients) {
  toy::Setup setup = toy::setup();
  RunBatch batch = exampleBatch();
  RunResults results;
  setup.programs->run(TrainingProgram::TrainHard, batch, results);
  std::vector<float> table = setup.parameter(toy::table), gradient = setup.gradient(toy::table);
  auto missing = [&](int token, int target) {
    return table[size_t(3 * token)] + table[size_t(3 * token + 1)] + table[size_t(3 * token + 2)] - float(target);
  };
  auto half = [&](int token, int target) { return double(missing(token, target) * missing(token, target) * 0.5f); };
  EXPECT_EQ(results.nll, (half(2, 4) + half(3, 5)) + (half(7, 6) + half(3, 5)));
  for (int c = 0; c < 3; ++c) {
    EXPECT_EQ(gradient[size_t(3 * 1 + c)], 0);
    EXPECT_EQ(gradient[size_t(3 * 2 + c)], missing(2, 4) * 0.25f);
    EXPECT_EQ(gradient[size_t(3 * 3 + c)], missing(3, 5) * 0.25f + missing(3, 5) * 0.25f);
  }
  // Odd tokens want full, even ones ssm.
  EXPECT_EQ(results.layers[0].wanted, (std::array<double, 4>{2, 0, 4, 0}));
  EXPECT_EQ(results.layers[0].p, (std::array<double, 4>{1.5, 0, 3, 0}));
  EXPECT_EQ(results.layers[0].entropy, 3);
  EXPECT_EQ(results.layers[1].wanted, (std::array<double, 4>{}));
  EXPECT_EQ(setup.gradient(toy::head), (std::vector<float>{1, 0, 1, 0}));

  setup.programs->run(TrainingProgram::EvaluateHard, batch, results);
  EXPECT_EQ(results.modes, (std::vector<int8_t>{2, 2, 0, 2, 2, 2, 2, 2, 0, 2, 2, 2}));
}

TEST(Programs, ARunWithoutSequencesIsZero) {
  toy::Setup setup = toy::setup();
  RunBatch batch = exampleBatch();
  RunResults results;
  setup.programs->run(TrainingProgram::TrainHard, batch, results);
  batch.clear();
  setup.programs->run(TrainingProgram::TrainHard, batch, results);
  EXPECT_EQ(results.nll, 0);
  EXPECT_EQ(results.layers[0].wanted, (std::array<double, 4>{}));
  EXPECT_EQ(setup.gradient(toy::table), std::vector<float>(33, 0));
  EXPECT_EQ(setup.gradient(toy::head), std::vector<float>(4, 0));
}

TEST(Programs, NoiseIsThatOfTheBatchAndNoneAfterwards) {
  toy::Setup setup = toy::setup();
  RunBatch batch = exampleBatch();
  RunResults results;
  batch.noise.assign(size_t(6 * toy::layers * 4), 0);
  batch.noise[0] = 10; // Row 0, layer 0, ssm.
  setup.programs->run(TrainingProgram::TrainHard, batch, results);
  EXPECT_EQ(results.layers[0].wanted, (std::array<double, 4>{3, 0, 3, 0}));
  batch.noise.clear();
  setup.programs->run(TrainingProgram::TrainHard, batch, results);
  EXPECT_EQ(results.layers[0].wanted, (std::array<double, 4>{2, 0, 4, 0}));
}

/// Sets an element of the table.
void setTable(toy::Setup &setup, size_t element, double value) {
  std::vector<uint8_t> bytes(size_t(io::sizeOf(setup.state->type())));
  io::convertElements(io::DType::F64, &value, setup.state->type(), bytes.data(), 1);
  setup.device->upload(setup.state->parameter(toy::table) + element * bytes.size(), bytes.data(), bytes.size());
}

TEST(Programs, TheFirstLaunchThatMakesAnInfinityIsNamed) {
  for (auto [dtype, large] : {std::pair<const char *, double>{"f32", 1e30}, {"f64", 1e200}}) {
    toy::Setup setup = toy::setup(toy::manifest(dtype));
    RunBatch batch = exampleBatch();
    EXPECT_EQ(setup.programs->firstNonFinite(TrainingProgram::TrainHard, batch), "");
    setTable(setup, 21, large); // Token 7: its square is too large.
    EXPECT_EQ(setup.programs->firstNonFinite(TrainingProgram::TrainHard, batch),
              "toy.score of layer 1 (launch 1, toy_score)");
    batch.prices[0] = -std::numeric_limits<double>::infinity();
    setTable(setup, 21, 1);
    EXPECT_EQ(setup.programs->firstNonFinite(TrainingProgram::TrainSoft, batch),
              "toy.head_grad (launch 5, toy_head_grad)");
    setTable(setup, 21, std::numeric_limits<double>::quiet_NaN());
    EXPECT_EQ(setup.programs->firstNonFinite(TrainingProgram::TrainHard, batch), "the parameter table");
  }
}

} // namespace
} // namespace chimera::train
