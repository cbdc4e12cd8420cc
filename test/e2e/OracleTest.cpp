// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiled models against the oracle: f64 closely and with the router's own choices, f32 and bf16 under forced routing.
#include "test/support/Oracle.h"
#include "test/e2e/Cases.h"
#include "test/e2e/Compare.h"
#include "test/e2e/Engine.h"
#include "test/support/Random.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>

using namespace chimera;
using namespace chimera::test;

namespace {

/// The greatest difference that is allowed, as a fraction of the largest logit.
double tolerance(Precision precision) {
  switch (precision) {
  case Precision::F64:
    return 1e-11;
  case Precision::F32:
    return 1e-4;
  case Precision::BF16:
    return 3e-2;
  }
  return 0;
}

/// The same for bf16 against the oracle that rounds where bf16 models round.
constexpr double kRoundedTolerance = 6e-3;

/// Tokens that choose their experts by less may take others where values are rounded.
double margin(Precision precision) {
  return precision == Precision::F64 ? 0 : precision == Precision::F32 ? 1e-4 : 0.1;
}

/// A random sequence that ends before the first token that chooses its experts by less than `margin`, of at least one
/// token, and what the oracle expects of it.
OracleResult drawClear(const RandomModel &model, int length, double margin, Random &random, std::vector<int> &tokens) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    tokens = randomTokens(length, model.config.vocabSize, random.next());
    OracleResult expected = runOracle(model.config, model.parameters, tokens);
    size_t count = margin > 0 ? clearTokens(expected, margin) : tokens.size();
    tokens.resize(count);
    expected.logits.resize(count);
    expected.routing.resize(count);
    if (count > 0)
      return expected;
  }
  throw std::runtime_error("every token is hard to send to experts");
}

class OracleTest : public testing::TestWithParam<ModelBuild> {
protected:
  const ModelCase &modelCase() const { return modelCases()[GetParam().model]; }
  Precision precision() const { return GetParam().build.precision; }
};

TEST_P(OracleTest, LogitsAndRoutingAgreeAtEveryPosition) {
  RandomModel model = makeModel(modelCase().configText, precision(), modelCase().seed);
  SCOPED_TRACE("seed " + std::to_string(modelCase().seed) + ", config:\n" + model.configText);
  TemporaryDirectory directory;
  writeModel(model, directory.path());
  Engine engine(compileModel(modelCase(), GetParam().build), directory.path());
  Session session(engine, 2, 4, true);

  // Three sequences of one batch: the longest, a middling one, one token.
  Random random(modelCase().seed);
  std::vector<StepItem> items;
  std::vector<OracleResult> expected;
  for (int length : {modelCase().length, static_cast<int>(random.between(2, 20)), 1}) {
    std::vector<int> tokens;
    expected.push_back(drawClear(model, length, margin(precision()), random, tokens));
    StepItem item{session.add(), {tokens.begin(), tokens.end()}, {}, CHIMERA_LOGITS_ALL};
    if (precision() != Precision::F64)
      item.forced = flatten(expected.back().routing);
    items.push_back(std::move(item));
  }

  std::vector<StepResult> actual = session.step(items);
  for (size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(actual[i].routing, expected[i].routing)
        << "sequence " << i << ", least distance of two router scores " << expected[i].smallestMargin;
    double worst = worstDifference(actual[i].logits, expected[i].logits);
    EXPECT_LE(worst, tolerance(precision())) << "sequence " << i << " of " << items[i].tokens.size() << " tokens";
    if (precision() == Precision::BF16) {
      // With the roundings that bf16 means in their places, what is left is sums in f32 and the few operands that fall
      // to the other side for it.
      std::vector<int> tokens(items[i].tokens.begin(), items[i].tokens.end());
      OracleResult rounded =
          runOracle(model.config, model.parameters, tokens, &expected[i].routing, OperandRounding::BFloat16);
      EXPECT_LE(worstDifference(actual[i].logits, rounded.logits), kRoundedTolerance) << "sequence " << i;
    }
    std::ostringstream text;
    text << worst;
    RecordProperty("worst_difference_" + std::to_string(i), text.str());
  }
}

std::string testName(const testing::TestParamInfo<ModelBuild> &info) {
  return modelBuildName(info.param);
}

INSTANTIATE_TEST_SUITE_P(Ref, OracleTest, testing::ValuesIn(refModelBuilds()), testName);
INSTANTIATE_TEST_SUITE_P(Cpu, OracleTest, testing::ValuesIn(cpuModelBuilds()), testName);

} // namespace
