// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The logits and the routing of a sequence are bitwise the same however its work is cut and whatever runs beside it.
#include "test/e2e/Scenario.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

using namespace chimera;
using namespace chimera::test;

namespace {

/// How many random schedules a build runs. A model has several builds of the cpu target, each with schedules of its
/// own.
int scheduleCount(const Build &build) {
  if (longMode())
    return build.target == "ref" ? 400 : 150;
  return build.target == "ref" ? 50 : 20;
}

class EqualBitsTest : public testing::TestWithParam<ModelBuild> {};

TEST_P(EqualBitsTest, EveryScheduleGivesTheBitsOfOnePrefillAlone) {
  const ModelCase &modelCase = modelCases()[GetParam().model];
  const Build &build = GetParam().build;
  RandomModel model = makeModel(modelCase.configText, build.precision, modelCase.seed);
  poisonEmbedding(model);
  SCOPED_TRACE("seed " + std::to_string(modelCase.seed) + ", config:\n" + model.configText);
  TemporaryDirectory directory;
  writeModel(model, directory.path());
  Engine engine(compileModel(modelCase, build), directory.path());

  Random random(modelCase.seed ^ std::hash<std::string>()(buildName(build)));
  std::vector<Prompt> prompts = makePrompts(engine, modelCase, model.config, random.fork());
  std::vector<Snapshot> snapshots;
  ScenarioCounts counts;
  for (int schedule = 0; schedule < scheduleCount(build); ++schedule) {
    std::string difference = runScenario(engine, prompts, snapshots, random.fork(), counts);
    ASSERT_EQ(difference, "") << "schedule " << schedule;
  }
  EXPECT_GT(counts.forks, 0);
  EXPECT_GT(counts.drops, 0);
  EXPECT_GT(counts.restores, 0);
  EXPECT_GT(counts.poisonedRows, 0);
  EXPECT_LT(counts.poisonedRows, counts.rows);
}

/// The check itself: a reference with one bit changed in each sequence's first logits is told from the true one.
TEST(EqualBits, OneChangedBitOfAReferenceIsSeen) {
  const ModelCase &modelCase = modelCases().front();
  RandomModel model = makeModel(modelCase.configText, Precision::F64, modelCase.seed);
  poisonEmbedding(model);
  TemporaryDirectory directory;
  writeModel(model, directory.path());
  Engine engine(compileModel(modelCase, refBuild(Precision::F64)), directory.path());

  Random random(modelCase.seed);
  std::vector<Prompt> prompts = makePrompts(engine, modelCase, model.config, random.fork());
  for (Prompt &prompt : prompts) {
    double &logit = prompt.reference.logits.front().front();
    logit = std::nextafter(logit, 0.0);
  }
  int seen = 0;
  for (int schedule = 0; schedule < 20; ++schedule) {
    std::vector<Snapshot> snapshots;
    ScenarioCounts counts;
    std::string difference = runScenario(engine, prompts, snapshots, random.fork(), counts);
    seen += difference.find("logit 0 differs at position 0") != std::string::npos;
  }
  EXPECT_GE(seen, 15); // some ask for no logits of a first row
}

std::string testName(const testing::TestParamInfo<ModelBuild> &info) {
  return modelBuildName(info.param);
}

INSTANTIATE_TEST_SUITE_P(Ref, EqualBitsTest, testing::ValuesIn(refModelBuilds()), testName);
INSTANTIATE_TEST_SUITE_P(Cpu, EqualBitsTest, testing::ValuesIn(cpuModelBuilds()), testName);
INSTANTIATE_TEST_SUITE_P(Quantised, EqualBitsTest, testing::ValuesIn(quantisedModelBuilds()), testName);

} // namespace
