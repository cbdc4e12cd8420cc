// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The generators of the end-to-end tests: what they cover, and that their models are worth testing with.
#include "test/support/RandomModel.h"
#include "test/support/Oracle.h"
#include "test/support/Pairwise.h"
#include "test/support/Random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

using namespace chimera;
using namespace chimera::test;

namespace {

TEST(Pairwise, EveryPairOfSettingsOccursInFewRows) {
  const std::vector<int> levels = {2, 3, 6, 2, 4, 5, 2, 2};
  std::vector<std::vector<int>> rows = pairwiseRows(levels, 7);
  for (size_t a = 0; a < levels.size(); ++a)
    for (size_t b = a + 1; b < levels.size(); ++b) {
      std::set<std::pair<int, int>> seen;
      for (const std::vector<int> &row : rows)
        seen.insert({row[a], row[b]});
      EXPECT_EQ(static_cast<int>(seen.size()), levels[a] * levels[b]) << "options " << a << " and " << b;
    }
  EXPECT_LE(rows.size(), 45u); // 30 is the least possible
}

TEST(Pairwise, SameSeedSameRows) {
  EXPECT_EQ(pairwiseRows({3, 4, 5}, 1), pairwiseRows({3, 4, 5}, 1));
}

TEST(RandomConfigs, AreAtLeastFortyAndAllAccepted) {
  std::vector<std::string> texts = pairwiseConfigs(1);
  EXPECT_GE(texts.size(), 40u);
  for (uint64_t seed = 0; seed < 200; ++seed)
    texts.push_back(randomConfig(seed));
  for (const std::string &text : texts) {
    ConfigOrError parsed = parseConfig(text, "config.json");
    const std::string *message = std::get_if<std::string>(&parsed);
    EXPECT_EQ(message, nullptr) << *message << "\n" << text;
  }
}

TEST(RandomModels, TensorNamesAndShapesAgreeWithTheFrontend) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Config config = makeModel(randomConfig(seed), Precision::F32, seed).config;
    std::set<std::pair<std::string, std::vector<int64_t>>> ours, theirs;
    for (const auto &named : tensorShapes(config))
      ours.insert(named);
    for (const ParameterSpec &spec : parameters(config))
      theirs.insert({spec.name, spec.shape});
    EXPECT_EQ(ours, theirs) << "seed " << seed;
  }
}

TEST(RandomModels, RoundedWeightsAreExactInTheirPrecision) {
  RandomModel model = makeModel(randomConfig(3), Precision::BF16, 3);
  for (const auto &[name, tensor] : model.parameters)
    for (double value : tensor.values) {
      int exponent;
      double significand = std::frexp(value, &exponent) * 256; // eight bits
      ASSERT_EQ(significand, std::floor(significand)) << name;
    }
}

TEST(RandomModels, RoutingIsDiverseAndActivationsStayInRange) {
  std::array<int64_t, kModeCount> taken{};
  int64_t refusals = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    RandomModel model = makeModel(randomConfig(seed), Precision::F64, seed);
    Random random(seed);
    std::vector<int> tokens;
    for (int t = 0; t < 30; ++t)
      tokens.push_back(static_cast<int>(random.below(model.config.vocabSize)));
    OracleResult result = runOracle(model.config, model.parameters, tokens);
    refusals += result.refusals;
    for (const std::vector<int8_t> &row : result.routing)
      for (size_t layer = 0; layer < row.size(); ++layer)
        taken[row[layer]] += model.config.hasRouter(static_cast<int64_t>(layer));
    double largest = 0;
    for (const std::vector<double> &row : result.logits)
      for (double logit : row)
        largest = std::max(largest, std::abs(logit));
    EXPECT_GT(largest, 0.5) << "seed " << seed;
    EXPECT_LT(largest, 100) << "seed " << seed;
  }
  int64_t total = taken[0] + taken[1] + taken[2] + taken[3];
  for (int64_t count : taken)
    EXPECT_GT(count, total / 10);
  EXPECT_GT(refusals, total / 50);
}

} // namespace
