// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The GPU kernels that cover those of the ref target, run as code for this CPU, have the bits of ref: in inference
// however the work is cut, and in training. One thing is not held against it: ref takes subnormals as zeros, a GPU
// keeps them. No model here has logits, states or gradients that depend on numbers so small.
#include "test/e2e/Scenario.h"
#include "test/e2e/TrainingEngine.h"
#include "test/support/Random.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace chimera;
using namespace chimera::test;

namespace {

class SimAgainstRefTest : public testing::TestWithParam<ModelBuild> {
protected:
  const ModelCase &modelCase() const { return modelCases()[GetParam().model]; }
  Build sim() const { return GetParam().build; }
  Build ref() const { return refBuild(sim().precision); }
};

/// The prompts' logits and routing are ref's, each from one prefill alone; what is compared with them are random
/// schedules with forks, drops and snapshots.
TEST_P(SimAgainstRefTest, EveryScheduleHasTheBitsOfRef) {
  RandomModel model = makeModel(modelCase().configText, sim().precision, modelCase().seed);
  poisonEmbedding(model);
  SCOPED_TRACE("seed " + std::to_string(modelCase().seed) + ", config:\n" + model.configText);
  TemporaryDirectory directory;
  writeModel(model, directory.path());
  Engine expected(compileModel(modelCase(), ref()), directory.path());
  Engine actual(compileModel(modelCase(), sim()), directory.path());

  Random random(modelCase().seed ^ 0x51u);
  std::vector<Prompt> prompts = makePrompts(expected, modelCase(), model.config, random.fork());
  std::vector<Snapshot> snapshots;
  ScenarioCounts counts;
  for (int schedule = 0; schedule < (longMode() ? 50 : 8); ++schedule) {
    std::string difference = runScenario(actual, prompts, snapshots, random.fork(), counts);
    ASSERT_EQ(difference, "") << "schedule " << schedule;
  }
  EXPECT_GT(counts.rows, 0);
}

train::SequenceReader readerOf(const TrainingBatch &batch) {
  return [&batch](int64_t index, int32_t *tokens, int32_t *targets) {
    size_t place = static_cast<size_t>(index) % batch.tokens.size();
    std::copy(batch.tokens[place].begin(), batch.tokens[place].end(), tokens);
    std::copy(batch.targets[place].begin(), batch.targets[place].end(), targets);
    return io::Status();
  };
}

/// The first tensor of which a bit differs, or "".
std::string firstDifference(const std::vector<train::HostTensor> &actual,
                            const std::vector<train::HostTensor> &expected) {
  if (actual.size() != expected.size())
    return "another number of tensors";
  for (size_t i = 0; i < actual.size(); ++i)
    if (actual[i].name != expected[i].name || actual[i].bytes.size() != expected[i].bytes.size() ||
        std::memcmp(actual[i].bytes.data(), expected[i].bytes.data(), actual[i].bytes.size()) != 0)
      return expected[i].name;
  return "";
}

/// Half of the sequences routed softly where there are routers, with noise and prices.
train::StepInput stepOf(const TrainingBatch &batch, int64_t layers, int step) {
  train::StepInput input;
  input.step = static_cast<uint32_t>(step);
  input.read = readerOf(batch);
  input.hardShare = 0.5;
  input.softNoise = true;
  input.hyper.learningRate = input.hyper.routerLearningRate = 1e-2;
  input.hyper.beta1 = 0.9;
  input.hyper.beta2 = 0.95;
  input.hyper.epsilon = 1e-8;
  input.hyper.weightDecay = 0.1;
  input.hyper.correction1 = 1 - std::pow(0.9, step + 1);
  input.hyper.correction2 = 1 - std::pow(0.95, step + 1);
  input.hyper.clipNorm = 1;
  Random random(static_cast<uint64_t>(step) + 17);
  for (int64_t i = 0; i < layers * chimera::abi::pricesPerLayer; ++i)
    input.prices.push_back(random.uniform(-1, 1) / static_cast<double>(batch.tokens.size() * batch.tokens[0].size()));
  return input;
}

class SimTrainingAgainstRefTest : public SimAgainstRefTest {};

TEST_P(SimTrainingAgainstRefTest, ThreeStepsHaveTheBitsOfRef) {
  const int sequences = 4, length = 12;
  RandomModel model = makeModel(modelCase().configText, sim().precision, modelCase().seed);
  SCOPED_TRACE("seed " + std::to_string(modelCase().seed) + ", config:\n" + model.configText);
  TemporaryDirectory directory;
  writeModel(model, directory.path());
  ModelCase limits = modelCase();
  limits.maxTokens = sequences * length;
  limits.maxSeqs = sequences;
  TrainingEngine expected(compileModel(limits, trainingBuild(ref())), directory.path(), sequences, length);
  TrainingEngine actual(compileModel(limits, trainingBuild(sim())), directory.path(), sequences, length);
  for (int step = 0; step < 3; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    TrainingBatch batch = randomBatch(model.config, sequences, length, modelCase().seed + static_cast<uint64_t>(step));
    train::StepInput input = stepOf(batch, model.config.numLayers, step);
    runtime::Result<train::StepReport> wanted = expected.trainer().step(input), got = actual.trainer().step(input);
    ASSERT_TRUE(bool(wanted)) << wanted.error().message;
    ASSERT_TRUE(bool(got)) << got.error().message;
    EXPECT_EQ(got->loss(), wanted->loss());
    EXPECT_EQ(got->squaredNorm, wanted->squaredNorm);
    EXPECT_GT(wanted->squaredNorm, 0);
    ASSERT_EQ(firstDifference(actual.state().gradients(), expected.state().gradients()), "");
    ASSERT_EQ(firstDifference(actual.state().tensors(), expected.state().tensors()), "");
    ASSERT_EQ(firstDifference(actual.state().optimizer(), expected.state().optimizer()), "");
  }
}

/// Training programs are many kernels to compile: every second of the models.
std::vector<ModelBuild> trainingBuilds() {
  std::vector<ModelBuild> builds;
  for (const ModelBuild &modelBuild : simModelBuilds())
    if (longMode() || modelBuild.model % 16 == 0)
      builds.push_back(modelBuild);
  return builds;
}

std::string testName(const testing::TestParamInfo<ModelBuild> &info) {
  return modelBuildName(info.param);
}

INSTANTIATE_TEST_SUITE_P(Sim, SimAgainstRefTest, testing::ValuesIn(simModelBuilds()), testName);
INSTANTIATE_TEST_SUITE_P(Sim, SimTrainingAgainstRefTest, testing::ValuesIn(trainingBuilds()), testName);

} // namespace
