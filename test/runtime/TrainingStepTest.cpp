// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Checkpoint.h"
#include "runtime/train/Noise.h"
#include "test/runtime/TrainingThreadRanks.h"
#include "test/runtime/TrainingToy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

namespace chimera::train {
namespace {

using nlohmann::json;

std::unique_ptr<Trainer> trainer(toy::Setup &setup, Communicator &ranks, const TrainerOptions &options) {
  Result<std::unique_ptr<Trainer>> made = Trainer::create(*setup.programs, ranks, options);
  EXPECT_TRUE(bool(made)) << made.error().message;
  return std::move(*made);
}

std::string createError(Communicator &ranks, const TrainerOptions &options) {
  toy::Setup setup = toy::setup();
  Result<std::unique_ptr<Trainer>> made = Trainer::create(*setup.programs, ranks, options);
  return made ? "" : made.error().message;
}

/// Parameters, moments and balancer, as bytes.
std::vector<uint8_t> bits(const State &state) {
  std::vector<uint8_t> all;
  for (const std::vector<HostTensor> &tensors : {state.tensors(), state.optimizer()})
    for (const HostTensor &tensor : tensors)
      all.insert(all.end(), tensor.bytes.begin(), tensor.bytes.end());
  return all;
}

/// All numbers of a report.
std::vector<double> numbers(const StepReport &report) {
  std::vector<double> all = {report.squaredNorm, report.loss(), report.accuracy()};
  for (const KindReport *kind : {&report.hard, &report.soft}) {
    for (double value :
         {double(kind->sequences), double(kind->tokens), double(kind->targets), kind->nll, kind->correct})
      all.push_back(value);
    for (const LayerStatistics &layer : kind->layers) {
      const double *first = reinterpret_cast<const double *>(&layer);
      all.insert(all.end(), first, first + abi::routeStatistics);
    }
  }
  return all;
}

TEST(Trainer, LeavesAreTheLargestPowerOfTwoUpTo16) {
  EXPECT_EQ(Trainer::leavesOf(1), 1);
  EXPECT_EQ(Trainer::leavesOf(6), 2);
  EXPECT_EQ(Trainer::leavesOf(8), 8);
  EXPECT_EQ(Trainer::leavesOf(48), 16);
  EXPECT_EQ(Trainer::leavesOf(64), 16);
}

/// The gradient of the table by the definition: sums over leaves in f32, added pairwise, then runs one after the other.
std::vector<float> expectedGradient(const std::vector<float> &table, int64_t batch, int64_t accumulate, int64_t hard,
                                    double &nll) {
  int64_t targetCount = 0;
  StepInput input = toy::input(0);
  std::vector<int32_t> tokens(size_t(batch * accumulate * 5)), targets(tokens.size());
  for (int64_t i = 0; i < batch * accumulate; ++i)
    EXPECT_TRUE(input.read(i, tokens.data() + i * 5, targets.data() + i * 5));
  for (int32_t target : targets)
    targetCount += target >= 0;
  std::vector<float> total(33, 0);
  int64_t leaves = Trainer::leavesOf(batch), leafSize = batch / leaves;
  nll = 0;
  for (int64_t group = 0; group < accumulate; ++group)
    for (bool soft : {false, true}) {
      if (soft ? hard == batch : hard == 0)
        continue;
      float scale = float((1.0 / double(targetCount)) * (soft ? 2 : 1));
      for (int32_t v = 0; v < toy::vocab; ++v) {
        std::vector<float> sums(size_t(leaves), 0);
        for (int64_t s = 0; s < batch; ++s)
          for (int64_t t = 0; t < 5; ++t) {
            size_t row = size_t((group * batch + s) * 5 + t);
            if (tokens[row] != v || targets[row] < 0 || (s >= hard) != soft)
              continue;
            float delta =
                table[size_t(3 * v)] + table[size_t(3 * v + 1)] + table[size_t(3 * v + 2)] - float(targets[row]);
            sums[size_t(s / leafSize)] += delta * scale;
            nll += double(delta * delta * 0.5f);
          }
        for (int64_t count = leaves; count > 1; count /= 2)
          for (int64_t i = 0; i < count / 2; ++i)
            sums[size_t(i)] = sums[size_t(2 * i)] + sums[size_t(2 * i + 1)];
        for (int c = 0; c < 3; ++c)
          total[size_t(3 * v + c)] += sums[0];
      }
    }
  nll /= double(targetCount);
  return total;
}

TEST(Trainer, GradientsAreThoseOfTheDefinition) {
  struct Case {
    int64_t batch, accumulate;
    double share;
    int64_t hard;
  };
  for (Case c : {Case{1, 1, 1, 1}, Case{6, 1, 1, 6}, Case{8, 1, 0, 0}, Case{8, 1, 0.4, 3}, Case{8, 3, 1, 8},
                 Case{32, 2, 0.25, 8}}) {
    toy::Setup setup = toy::setup();
    SingleRank alone;
    std::vector<float> before = setup.parameter(toy::table);
    StepInput input = toy::input(0);
    input.hardShare = c.share;
    Result<StepReport> report = trainer(setup, alone, toy::options(c.batch, c.accumulate))->gradients(input);
    ASSERT_TRUE(bool(report)) << report.error().message;
    double loss = 0;
    EXPECT_EQ(setup.gradient(toy::table), expectedGradient(before, c.batch, c.accumulate, c.hard, loss)) << c.batch;
    EXPECT_NEAR(report->loss(), loss, 1e-12 * loss);
    EXPECT_EQ(report->hard.sequences, c.hard * c.accumulate);
    EXPECT_EQ(report->soft.sequences, (c.batch - c.hard) * c.accumulate);
    EXPECT_EQ(report->hard.tokens + report->soft.tokens, c.batch * c.accumulate * 5);
    EXPECT_EQ(setup.parameter(toy::table), before);
  }
}

TEST(Trainer, AStepUpdatesParametersMomentsAndBalancer) {
  toy::Setup setup = toy::setup();
  SingleRank alone;
  std::vector<float> before = setup.parameter(toy::table);
  double loss = 0;
  std::vector<float> gradient = expectedGradient(before, 8, 1, 8, loss);
  Result<StepReport> report = trainer(setup, alone, toy::options(8))->step(toy::input(0));
  ASSERT_TRUE(bool(report)) << report.error().message;
  double squares = 0;
  for (size_t i = 0; i < 33; ++i) {
    squares += double(gradient[i]) * double(gradient[i]);
    EXPECT_EQ(setup.parameter(toy::table)[i], before[i] - 0.1f * gradient[i]);
    EXPECT_EQ(setup.values(setup.state->moment1(toy::table), 33)[i], gradient[i]);
    EXPECT_EQ(setup.values(setup.state->moment2(toy::table), 33)[i], gradient[i] * gradient[i]);
  }
  for (float value : setup.gradient(toy::head))
    squares += double(value) * double(value);
  EXPECT_DOUBLE_EQ(report->squaredNorm, squares);
  // The balancer: shares of what was wanted, against 0.75 and 0.25.
  const LayerStatistics &layer = report->hard.layers[0];
  ASSERT_EQ(layer.wanted[0] + layer.wanted[2], 40);
  ASSERT_LT(layer.wanted[0], 30); // Too few want ssm: its bias rises.
  EXPECT_EQ(setup.state->bias(0), (std::vector<float>{0.125f, -0.125f}));
  EXPECT_EQ(setup.parameter(toy::bias)[0], 0.125f);
  EXPECT_EQ(setup.state->average(0)[0], float(0.95 * 0.75 + (1 - 0.95) * (layer.wanted[0] / 40)));

  StepInput still = toy::input(1);
  still.balancer = 0;
  ASSERT_TRUE(bool(trainer(setup, alone, toy::options(8))->step(still)));
  EXPECT_EQ(setup.state->bias(0), (std::vector<float>{0.125f, -0.125f}));

  StepInput slow = toy::input(2);
  slow.balancer = 0.5;
  ASSERT_TRUE(bool(trainer(setup, alone, toy::options(8))->step(slow)));
  EXPECT_EQ(std::abs(setup.state->bias(0)[0] - 0.125f), 0.0625f);
}

/// Five steps of a run that hardens, with noise, on so many ranks and threads: the state's bits and the reports.
struct Outcome {
  std::vector<uint8_t> state;
  std::vector<double> reports;
  std::vector<int8_t> modes;
};

Outcome outcome(int size, int64_t threads, const char *dtype) {
  constexpr int64_t batch = 16;
  std::vector<Outcome> outcomes(static_cast<size_t>(size));
  std::vector<int8_t> modes(size_t(batch * 5 * toy::layers), -1);
  std::mutex mutex;
  toy::onRanks(size, [&](Communicator &ranks) {
    toy::Setup setup = toy::setup(toy::manifest(dtype), threads);
    std::unique_ptr<Trainer> training = trainer(setup, ranks, toy::options(batch, 2));
    Outcome &own = outcomes[size_t(ranks.rank())];
    for (uint32_t step = 0; step < 5; ++step) {
      StepInput input = toy::input(step);
      input.hardShare = 0.25 * step; // A rank may have no part in a run.
      input.hardNoise = true;
      Result<StepReport> report = training->step(input);
      ASSERT_TRUE(bool(report)) << report.error().message;
      std::vector<double> values = numbers(*report);
      own.reports.insert(own.reports.end(), values.begin(), values.end());
    }
    EvaluationInput evaluation;
    evaluation.kind = RoutingKind::Soft;
    evaluation.sequences = 2 * batch;
    evaluation.read = [](int64_t index, int32_t *tokens, int32_t *targets) {
      toy::readSequence(index, 5, tokens, targets);
      return io::Status();
    };
    evaluation.modes = [&](int64_t index, const int8_t *found) {
      std::lock_guard<std::mutex> lock(mutex);
      if (index < batch)
        std::copy(found, found + 5 * toy::layers, modes.begin() + index * 5 * toy::layers);
    };
    Result<KindReport> held = training->evaluate(evaluation);
    ASSERT_TRUE(bool(held)) << held.error().message;
    own.reports.push_back(held->nll);
    own.reports.push_back(double(held->targets));
    own.reports.push_back(held->layers[0].wanted[0]);
    own.state = bits(*setup.state);
  });
  for (const Outcome &other : outcomes) {
    EXPECT_EQ(other.state, outcomes[0].state);
    EXPECT_EQ(other.reports, outcomes[0].reports);
  }
  outcomes[0].modes = modes;
  return outcomes[0];
}

TEST(Trainer, RanksAndThreadsChangeNoBit) {
  for (const char *dtype : {"f32", "f64"}) {
    Outcome alone = outcome(1, 1, dtype);
    ASSERT_FALSE(alone.state.empty());
    EXPECT_EQ(std::count(alone.modes.begin(), alone.modes.end(), -1), 0);
    for (auto [size, threads] : {std::pair<int, int64_t>{1, 1}, {1, 2}, {2, 1}, {4, 1}, {16, 1}}) {
      Outcome other = outcome(size, threads, dtype);
      EXPECT_EQ(other.state, alone.state) << size << " ranks, " << dtype;
      EXPECT_EQ(other.reports, alone.reports) << size << " ranks, " << dtype;
      EXPECT_EQ(other.modes, alone.modes) << size << " ranks, " << dtype;
    }
  }
}

class NoiseOf : public testing::TestWithParam<RoutingKind> {};

TEST_P(NoiseOf, DecidesByTheSequencesNumber) {
  toy::Setup setup = toy::setup();
  SingleRank alone;
  StepInput input = toy::input(3);
  bool hard = GetParam() == RoutingKind::Hard;
  input.hardShare = hard;
  std::unique_ptr<Trainer> training = trainer(setup, alone, toy::options(4, 2));
  (hard ? input.softNoise : input.hardNoise) = true;
  Result<StepReport> quiet = training->gradients(input);
  ASSERT_TRUE(bool(quiet));
  (hard ? input.hardNoise : input.softNoise) = true;
  Result<StepReport> report = training->gradients(input);
  ASSERT_TRUE(bool(report));
  double full = 0, quietFull = 0;
  for (uint32_t sequence = 0; sequence < 8; ++sequence) {
    int32_t tokens[5], targets[5];
    ASSERT_TRUE(input.read(sequence, tokens, targets));
    for (uint32_t t = 0; t < 5; ++t) {
      std::array<double, 4> noise = gumbelNoise({1, 3, sequence, t, 0});
      full += noise[2] + (tokens[t] % 2 ? 0.25 : -0.125) > noise[0];
      quietFull += tokens[t] % 2;
    }
  }
  auto wanted = [&](const StepReport &of) { return (hard ? of.hard : of.soft).layers[0].wanted; };
  EXPECT_EQ(wanted(*report)[2], full);
  EXPECT_EQ(wanted(*report)[0], 40 - full);
  EXPECT_EQ(wanted(*quiet)[2], quietFull) << "the other kind's noise";
}

INSTANTIATE_TEST_SUITE_P(Trainer, NoiseOf, testing::Values(RoutingKind::Hard, RoutingKind::Soft),
                         [](const auto &info) { return info.param == RoutingKind::Hard ? "Hard" : "Soft"; });

TEST(Trainer, AModelWithoutRoutersAlwaysRunsHard) {
  json manifest = toy::manifest();
  manifest["model"]["layers"][0] = manifest["model"]["layers"][1];
  for (const char *program : {"train_soft", "evaluate_soft"})
    manifest["variants"][0]["training"].erase(program);
  toy::Setup setup = toy::setup(manifest, 1, /*totals=*/false);
  SingleRank alone;
  std::unique_ptr<Trainer> training = trainer(setup, alone, toy::options(8));
  StepInput input = toy::input(0);
  input.hardShare = 0;
  Result<StepReport> report = training->step(input);
  ASSERT_TRUE(bool(report)) << report.error().message;
  EXPECT_EQ(report->hard.sequences, 8);
  EvaluationInput evaluation;
  evaluation.kind = RoutingKind::Soft;
  evaluation.sequences = 8;
  evaluation.read = input.read;
  EXPECT_TRUE(bool(training->evaluate(evaluation)));
}

TEST(Trainer, OptionsThatDoNotFitAreErrors) {
  SingleRank alone;
  EXPECT_EQ(createError(alone, toy::options(0)), "the batch must be in 1 .. 1048576, is 0");
  EXPECT_EQ(createError(alone, toy::options(8, 0)), "the micro-steps of a step must be in 1 .. 1048576, is 0");
  EXPECT_EQ(createError(alone, toy::options(33)),
            "toy.chm: a run of 33 sequences with 165 tokens is more than the binary holds, 32 and 256 (--max-seqs, "
            "--max-tokens)");
  toy::onRanks(4, [](Communicator &ranks) {
    EXPECT_EQ(createError(ranks, toy::options(6)),
              "4 ranks need a batch that 4 divides (and at most 16 ranks), it is 6");
    EXPECT_EQ(createError(ranks, toy::options(64)), "");
  });
}

TEST(Trainer, InputThatDoesNotFitIsAnError) {
  toy::Setup setup = toy::setup(toy::manifest(), 1, /*totals=*/false);
  SingleRank alone;
  std::unique_ptr<Trainer> training = trainer(setup, alone, toy::options(8));
  auto errorWith = [&](const std::function<void(StepInput &)> &change) {
    StepInput input = toy::input(7);
    change(input);
    Result<StepReport> report = training->step(input);
    return report ? "" : report.error().message;
  };
  EXPECT_EQ(errorWith([](StepInput &) {}), "");
  std::vector<uint8_t> before = bits(*setup.state);
  EXPECT_EQ(errorWith([](StepInput &input) { input.hardShare = 0.5; }),
            "a step of several runs needs memory for totals of gradients");
  EXPECT_EQ(errorWith([](StepInput &input) { input.hardShare = std::nan(""); }),
            "the share of sequences that route hard must be in 0 .. 1");
  EXPECT_EQ(errorWith([](StepInput &input) { input.prices.pop_back(); }), "there must be 13 prices a layer");
  auto reader = [](int64_t bad, int32_t token, int32_t target) {
    return [=](int64_t index, int32_t *tokens, int32_t *targets) {
      toy::readSequence(index, 5, tokens, targets);
      if (index == bad) {
        tokens[2] = token;
        targets[2] = target;
      }
      return io::Status();
    };
  };
  EXPECT_EQ(errorWith([&](StepInput &input) { input.read = reader(3, 11, 0); }),
            "sequence 3, position 2: the token 11 is outside the vocabulary of 11");
  EXPECT_EQ(errorWith([&](StepInput &input) { input.read = reader(7, 1, -1); }),
            "sequence 7, position 2: the target -1 is outside the vocabulary of 11");
  EXPECT_EQ(errorWith([&](StepInput &input) {
              input.read = [](int64_t, int32_t *tokens, int32_t *) {
                std::fill(tokens, tokens + 5, 1);
                return io::Status();
              };
            }),
            "step 8: no target counts");
  EvaluationInput evaluation;
  evaluation.sequences = 9;
  Result<KindReport> report = training->evaluate(evaluation);
  ASSERT_FALSE(bool(report));
  EXPECT_EQ(report.error().message, "the sequences of an evaluation must be a multiple of the batch, 8, are 9");
  EXPECT_EQ(bits(*setup.state), before);
}

TEST(Trainer, BadDataOnOneRankIsAnErrorOnAll) {
  toy::onRanks(2, [](Communicator &ranks) {
    toy::Setup setup = toy::setup();
    std::unique_ptr<Trainer> training = trainer(setup, ranks, toy::options(8));
    StepInput input = toy::input(0);
    input.read = [](int64_t index, int32_t *tokens, int32_t *targets) {
      toy::readSequence(index, 5, tokens, targets);
      tokens[0] = index == 6 ? 99 : tokens[0];
      return io::Status();
    };
    Result<StepReport> report = training->step(input);
    ASSERT_FALSE(bool(report));
    EXPECT_EQ(report.error().message,
              ranks.rank() ? "sequence 6, position 0: the token 99 is outside the vocabulary of 11" : failedElsewhere);
  });
}

TEST(Trainer, ASequenceThatCannotBeReadStopsAllRanksAndChangesNothing) {
  toy::onRanks(2, [](Communicator &ranks) {
    toy::Setup setup = toy::setup();
    std::vector<uint8_t> before = bits(*setup.state);
    std::unique_ptr<Trainer> training = trainer(setup, ranks, toy::options(8));
    StepInput input = toy::input(0);
    input.read = [](int64_t index, int32_t *tokens, int32_t *targets) {
      toy::readSequence(index, 5, tokens, targets);
      return index == 6 ? io::Status(io::Error{"the file was cut"}) : io::Status();
    };
    EvaluationInput evaluation;
    evaluation.sequences = 8;
    evaluation.read = input.read;
    Result<StepReport> step = training->step(input);
    Result<KindReport> held = training->evaluate(evaluation);
    ASSERT_FALSE(bool(step));
    ASSERT_FALSE(bool(held));
    for (const runtime::Error &error : {step.error(), held.error()}) {
      EXPECT_EQ(error.message, ranks.rank() ? "the file was cut" : failedElsewhere);
      EXPECT_EQ(error.status, CHIMERA_ERROR_SYSTEM);
    }
    EXPECT_EQ(bits(*setup.state), before);
  });
}

TEST(Trainer, ALossThatIsNotFiniteStopsWithItsFirstOpOnAllRanks) {
  for (int size : {1, 2})
    toy::onRanks(size, [](Communicator &ranks) {
      toy::Setup setup = toy::setup();
      float large = 1e30f;
      setup.device->upload(setup.state->parameter(toy::table) + 21 * 4, &large, 4); // Token 7.
      std::vector<uint8_t> before = bits(*setup.state);
      std::unique_ptr<Trainer> training = trainer(setup, ranks, toy::options(8));
      StepInput input = toy::input(12);
      input.read = [](int64_t index, int32_t *tokens, int32_t *targets) {
        for (int t = 0; t < 5; ++t) {
          tokens[t] = index == 5 && t == 3 ? 7 : 1;
          targets[t] = 1;
        }
        return io::Status();
      };
      Result<StepReport> report = training->step(input);
      ASSERT_FALSE(bool(report));
      EXPECT_EQ(report.error().message, "step 13: the loss is NaN or infinite under hard routing; the first is made by "
                                        "toy.score of layer 1 (launch 1, toy_score)");
      EXPECT_EQ(bits(*setup.state), before);
    });
}

TEST(Trainer, AGradientThatIsNotFiniteStopsToo) {
  toy::Setup setup = toy::setup();
  SingleRank alone;
  std::vector<uint8_t> before = bits(*setup.state);
  StepInput input = toy::input(4);
  input.hardShare = 0;
  input.prices[2] = std::numeric_limits<double>::infinity();
  Result<StepReport> report = trainer(setup, alone, toy::options(8))->step(input);
  ASSERT_FALSE(bool(report));
  EXPECT_EQ(report.error().message, "step 5: a gradient is NaN or infinite under soft routing; the first is made by "
                                    "toy.head_grad (launch 5, toy_head_grad)");
  EXPECT_EQ(bits(*setup.state), before);
}

/// Steps first .. end-1 of a run with noise, both kinds of routing and the balancer.
void stepTo(toy::Setup &setup, uint32_t first, uint32_t end) {
  SingleRank alone;
  std::unique_ptr<Trainer> training = trainer(setup, alone, toy::options(8, 2));
  for (uint32_t step = first; step < end; ++step) {
    StepInput input = toy::input(step);
    input.hardShare = 0.5;
    input.hardNoise = true;
    ASSERT_TRUE(bool(training->step(input)));
  }
}

TEST(Trainer, ResumedAtAnyStepItEndsWithTheSameBits) {
  for (const char *dtype : {"f32", "f64"}) {
    constexpr uint32_t steps = 6;
    toy::Setup whole = toy::setup(toy::manifest(dtype));
    stepTo(whole, 0, steps);
    for (uint32_t cut = 1; cut < steps; ++cut) {
      runtime::toy::TemporaryFolder folder;
      Checkpoints checkpoints(folder.path(), 1);
      {
        toy::Setup first = toy::setup(toy::manifest(dtype));
        stepTo(first, 0, cut);
        ASSERT_FALSE(checkpoints.save(*first.state, {cut, "{}", "{}", "null"}));
      }
      toy::Setup second = toy::setup(toy::manifest(dtype));
      Result<std::optional<CheckpointInfo>> loaded =
          checkpoints.loadNewest(*second.state, "{}", [](const std::string &) {});
      ASSERT_TRUE(loaded && *loaded);
      stepTo(second, uint32_t((**loaded).step), steps);
      EXPECT_EQ(bits(*second.state), bits(*whole.state)) << cut << ", " << dtype;
    }
  }
}

TEST(Trainer, TrainingLowersTheLoss) {
  toy::Setup setup = toy::setup();
  SingleRank alone;
  std::unique_ptr<Trainer> training = trainer(setup, alone, toy::options(16));
  double first = 0, last = 0;
  for (uint32_t step = 0; step < 30; ++step) {
    Result<StepReport> report = training->step(toy::input(0));
    ASSERT_TRUE(bool(report));
    (step ? last : first) = report->loss();
  }
  EXPECT_LT(last, 0.8 * first);
}

} // namespace
} // namespace chimera::train
