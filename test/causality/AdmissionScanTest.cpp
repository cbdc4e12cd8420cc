// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Causal capacity as associative scans (docs/causality.md, lemmas 4 and 5), against the oracle's walk over the tokens.
#include "test/support/Oracle.h"
#include "test/support/Random.h"
#include "test/support/RandomModel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace chimera;
using namespace chimera::test;

namespace {

constexpr int64_t unlimited = std::numeric_limits<int64_t>::max() / 4;

/// The map n -> min(n + add, limit).
struct Step {
  int64_t add = 0, limit = unlimited;
  int64_t operator()(int64_t n) const { return std::min(n + add, limit); }
};

/// First `first`, then `second`, as one map of the same kind.
Step compose(const Step &first, const Step &second) {
  return {first.add + second.add, std::min(first.limit + second.add, second.limit)};
}

/// The prefix compositions of steps[begin, end), bracketed at random.
std::vector<Step> scan(const std::vector<Step> &steps, size_t begin, size_t end, Random &random) {
  if (end - begin == 1)
    return {steps[begin]};
  auto middle = size_t(random.between(int64_t(begin) + 1, int64_t(end) - 1));
  std::vector<Step> prefixes = scan(steps, begin, middle, random), right = scan(steps, middle, end, random);
  Step left = prefixes.back();
  for (const Step &step : right)
    prefixes.push_back(compose(left, step));
  return prefixes;
}

/// A mode's limit at a position, as the model's definition has it.
int64_t limitAt(const Config &config, int mode, int64_t position) {
  int64_t limit = unlimited;
  if (config.router.capacityFactor)
    limit =
        int64_t(std::ceil(*config.router.capacityFactor * config.router.target[size_t(mode)] * double(position + 1)));
  return std::min(limit, config.router.maxTokens[size_t(mode)].value_or(unlimited));
}

/// The admitted modes of the tokens that want `wanted`: one scan a stage of the refusal chain.
std::vector<int8_t> admitByScans(const Config &config, std::vector<int8_t> wanted, Random &random) {
  std::vector<int8_t> chain;
  for (int8_t mode : {kFull, kSwa, kSsm, kIdentity})
    if (config.layerHas(0, Mode(mode)))
      chain.push_back(mode);
  for (size_t stage = 0; stage + 1 < chain.size(); ++stage) {
    std::vector<Step> steps;
    for (size_t t = 0; t < wanted.size(); ++t)
      steps.push_back({wanted[t] == chain[stage], limitAt(config, chain[stage], int64_t(t))});
    std::vector<Step> prefixes = scan(steps, 0, steps.size(), random);
    int64_t before = 0;
    for (size_t t = 0; t < wanted.size(); ++t) {
      int64_t after = prefixes[t](0);
      if (wanted[t] == chain[stage] && after == before)
        wanted[t] = chain[stage + 1];
      before = after;
    }
  }
  return wanted;
}

/// A model of one layer, in which nothing that a router sees depends on routing.
std::string configText(const std::string &modes, const std::string &limits) {
  return R"({"model_type": "chimera", "vocab_size": 61, "hidden_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2, "head_dim": 4, "intermediate_size": 0, "window": 4, "modes": )" +
         modes +
         R"(, "ssm": {"kind": "lti", "state_size": 4}, "router": {"target": {"ssm": 0.3, "swa": 0.2, "full": 0.15,
    "identity": 0.35})" +
         limits + "}}";
}

std::vector<int8_t> routing(const std::string &text, const std::vector<int> &tokens, uint64_t seed) {
  RandomModel model = makeModel(text, Precision::F64, seed);
  std::vector<int8_t> modes;
  for (const std::vector<int8_t> &row : runOracle(model.config, model.parameters, tokens).routing)
    modes.push_back(row[0]);
  return modes;
}

TEST(AdmissionScan, MapsComposeToMapsOfTheSameKind) {
  Random random(1);
  for (int i = 0; i < 10000; ++i) {
    Step first{random.between(0, 5), random.between(0, 9)}, second{random.between(0, 5), random.between(0, 9)};
    for (int64_t n = 0; n < 12; ++n)
      ASSERT_EQ(compose(first, second)(n), second(first(n)));
  }
}

TEST(AdmissionScan, AnyBracketingAdmitsAsTheWalkOverTheTokensDoes) {
  const char *modes[] = {R"(["ssm", "swa", "full", "identity"])", R"(["swa", "full"])",
                         R"(["ssm", "full", "identity"])", R"(["ssm", "swa", "full"])"};
  const char *limits[] = {R"(, "capacity_factor": 0.7)", R"(, "max_tokens": {"full": 5, "swa": 9, "ssm": 11})",
                          R"(, "capacity_factor": 1.3, "max_tokens": {"full": 7})"};
  Random random(2);
  int64_t refused = 0;
  for (const char *subset : modes)
    for (const char *limit : limits)
      for (uint64_t seed = 0; seed < 5; ++seed) {
        std::vector<int> tokens;
        for (int t = 0; t < 80; ++t)
          tokens.push_back(int(random.below(61)));
        std::vector<int8_t> wanted = routing(configText(subset, ""), tokens, seed);
        std::vector<int8_t> admitted = routing(configText(subset, limit), tokens, seed);
        Config config = makeModel(configText(subset, limit), Precision::F64, seed).config;
        ASSERT_EQ(admitByScans(config, wanted, random), admitted) << subset << limit << " seed " << seed;
        for (size_t t = 0; t < tokens.size(); ++t)
          refused += wanted[t] != admitted[t];
      }
  EXPECT_GT(refused, 100) << "the limits have to be felt";
}

} // namespace
