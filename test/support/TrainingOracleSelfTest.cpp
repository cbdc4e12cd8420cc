// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the oracle of training computes, against cases small enough to work out by hand and against what must be equal.
#include "test/support/GradientOracle.h"
#include "test/support/RandomModel.h"
#include "test/support/TinyModel.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>

using namespace chimera;
using namespace chimera::test;

namespace {

constexpr double kTight = 1e-14;
const double one = std::sqrt(2.0); // an element of a one-hot row of width 2 after its norm
const double ln3 = std::log(3.0);

double crossEntropy(const std::vector<double> &logits, int target) {
  double sum = 0.0;
  for (double logit : logits)
    sum += std::exp(logit);
  return std::log(sum) - logits[static_cast<size_t>(target)];
}

/// One sequence of which only the last token has a target.
TrainingBatch lastOf(const std::vector<int> &tokens, int target = 0) {
  TrainingBatch batch{{tokens}, {std::vector<int>(tokens.size(), kIgnoredTarget)}};
  batch.targets[0].back() = target;
  return batch;
}

TrainingResult soft(const TinyModel &model, const TrainingBatch &batch, const TrainingExtras &extras = {}) {
  return trainingOracle(model.config, model.tensors, batch, TrainingRouting::Soft, extras);
}

TrainingResult hard(const TinyModel &model, const TrainingBatch &batch, const TrainingExtras &extras = {}) {
  return trainingOracle(model.config, model.tensors, batch, TrainingRouting::Hard, extras);
}

/// The loss of a token whose residual stream ends as [a, b].
double lossOf(double a, double b) {
  return crossEntropy(normalized(a, b), 0);
}

//===-- Soft routing --------------------------------------------------------------------------------------------===//

/// Half of p on each of `mode` and identity, which every token wants; all scores of attention are zero.
struct HalfWanted : TinyModel {
  explicit HalfWanted(Mode mode) : TinyModel({{mode, Mode::Identity}}) {
    setIdentityAttention(0);
    setConstantRouter({0, 1});
  }
};

TEST(SoftRouting, AddsEveryModeByItsProbability) {
  TinyModel model({{Mode::Full, Mode::Identity}});
  model.setIdentityAttention();
  model.config.identityOutput = IdentityOutput::NormedInput;
  model.set("layers.0.attn.v_proj.weight", {2, 2}, {0, 0, 1, 0}); // moves the first element to the second
  model.set("layers.0.router.proj.weight", {2, 2}, {ln3 / one, 0, 0, 0});
  for (GateKind gate : {GateKind::One, GateKind::Prob}) {
    model.config.router.gate = gate;
    EXPECT_NEAR(soft(model, lastOf({0})).loss, lossOf(1 + 0.25 * one, 0.75 * one), kTight);
    EXPECT_NEAR(soft(model, lastOf({0}), {0.5, {}, {}}).loss, lossOf(1 + 0.1 * one, 0.9 * one), kTight);
  }
}

TEST(SoftRouting, ALayerWithOneModeIsThatMode) {
  TinyModel model({{Mode::Full}});
  model.setIdentityAttention(0);
  EXPECT_EQ(soft(model, lastOf({0, 1})).loss, hard(model, lastOf({0, 1})).loss);
  EXPECT_NEAR(soft(model, lastOf({0, 1})).loss, lossOf(one / 2, 1 + one / 2), kTight);
}

TEST(SoftRouting, TheRingKeepsWhatWantsItOrWritesAllOrWeighs) {
  HalfWanted model(Mode::Swa);
  EXPECT_NEAR(soft(model, lastOf({0, 1})).loss, lossOf(0, 1 + one / 2), kTight);
  EXPECT_EQ(soft(model, lastOf({0, 1})).modes[0], (RoutingTable{{kIdentity}, {kIdentity}}));
  model.config.cacheWrite = CacheWrite::All;
  EXPECT_NEAR(soft(model, lastOf({0, 1})).loss, lossOf(one / 4, 1 + one / 4), kTight);
  model.config.cacheWrite = CacheWrite::Routed;
  model.config.router.writeGate = true; // p(swa) is 3/4 for token 0 and 1/2 for token 1
  model.set("layers.0.router.proj.weight", {2, 2}, {ln3 / one, 0, 0, 0});
  model.set("layers.0.router.bias", {2}, {0, 5});
  EXPECT_NEAR(soft(model, lastOf({0, 1})).loss, lossOf(0.5 * one * 0.6, 1 + 0.5 * one * 0.4), kTight);
}

TEST(SoftRouting, TheListKeepsWhatWantsItOrWeighsEvenIfAllIsWritten) {
  HalfWanted model(Mode::Full);
  model.config.cacheWrite = CacheWrite::All;
  EXPECT_NEAR(soft(model, lastOf({0, 1})).loss, lossOf(0, 1 + one / 2), kTight);
  model.config.router.writeGate = true;
  EXPECT_NEAR(soft(model, lastOf({0, 1})).loss, lossOf(one / 4, 1 + one / 4), kTight);
  model.config.router.writeGate = false;
  model.setConstantRouter({1, 0});
  double p = 1 / (1 + std::exp(-1.0)); // with the bias in p
  model.config.router.biasInGate = true;
  EXPECT_NEAR(soft(model, lastOf({0, 1})).loss, lossOf(p * one / 2, 1 + p * one / 2), kTight);
}

TEST(SoftRouting, OwnEntryTakesARingsPlaceOnlyForItsToken) {
  TinyModel model({{Mode::Swa, Mode::Identity}});
  model.setIdentityAttention(0);
  model.config.window = 2;
  model.set("layers.0.router.proj.weight", {2, 2}, {1, 0, 0, 1}); // token 0 wants swa, token 1 identity
  double wanted = 1 / (1 + std::exp(-one)), other = 1 - wanted;
  EXPECT_NEAR(soft(model, lastOf({0, 0, 1})).loss, lossOf(other * one / 2, 1 + other * one / 2), kTight);
  EXPECT_NEAR(soft(model, lastOf({0, 1, 0})).loss, lossOf(1 + wanted * one, 0), kTight);
  model.config.window = 3;
  EXPECT_NEAR(soft(model, lastOf({0, 0, 1})).loss, lossOf(other * one * 2 / 3, 1 + other * one / 3), kTight);
}

TEST(SoftRouting, TheStateAdvancesTentatively) {
  HalfWanted model(Mode::Ssm);
  model.config.ssm.kind = SsmKind::Lti;
  model.config.ssm.stateSize = 1;
  model.set("layers.0.ssm.decay", {1}, {0}); // halves
  model.set("layers.0.ssm.in_proj.weight", {1, 2}, {1 / one, 0});
  model.set("layers.0.ssm.out_proj.weight", {2, 1}, {0, 1});
  EXPECT_NEAR(soft(model, lastOf({0, 0})).loss, lossOf(1, 0.5), kTight);
  model.config.cacheWrite = CacheWrite::All;
  EXPECT_NEAR(soft(model, lastOf({0, 0})).loss, lossOf(1, 0.75), kTight);
  model.config.cacheWrite = CacheWrite::Routed;
  model.config.router.writeGate = true;
  EXPECT_NEAR(soft(model, lastOf({0, 0})).loss, lossOf(1, 0.375), kTight);
}

TEST(SoftRouting, ATokenThatIsNotKeptLeavesTheStateAsItWas) {
  HalfWanted model(Mode::Ssm);
  model.config.ssm.kind = SsmKind::Lti;
  model.config.ssm.stateSize = 1;
  model.set("layers.0.ssm.decay", {1}, {0}); // halves
  model.set("layers.0.ssm.in_proj.weight", {1, 2}, {1 / one, 4 / one});
  model.set("layers.0.ssm.out_proj.weight", {2, 1}, {0, 1});
  model.set("layers.0.router.proj.weight", {2, 2}, {1, 0, 0, 1}); // token 0 wants ssm, token 1 identity
  model.set("layers.0.router.bias", {2}, {0, 0});
  double wanted = 1 / (1 + std::exp(-one)), other = 1 - wanted;
  EXPECT_NEAR(soft(model, lastOf({0, 1})).loss, lossOf(0, 1 + other * 4.5), kTight);
  EXPECT_NEAR(soft(model, lastOf({0, 1, 0})).loss, lossOf(1, wanted * 1.5), kTight);
}

TEST(SoftRouting, TheConvolutionTailAdvancesTentatively) {
  const char *text = R"({"model_type": "chimera", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1,
    "modes": ["ssm", "identity"], "intermediate_size": 0, "ssm": {"state_size": 3, "head_dim": 4, "conv_kernel": 3}})";
  RandomModel model = makeModel(text, Precision::F64, 3);
  auto loss = [&](const std::vector<int> &tokens) {
    return trainingOracle(model.config, model.parameters, lastOf(tokens), TrainingRouting::Soft, {}).loss;
  };
  // Where no token wants ssm, each finds the state and the tail of a sequence's beginning; p does not see the bias.
  model.parameters["layers.0.router.bias"] = {{2}, {-50, 50}};
  EXPECT_EQ(loss({4, 2, 7}), loss({7}));
  double alone = loss({7});
  model.config.cacheWrite = CacheWrite::All;
  EXPECT_GT(std::abs(loss({4, 2, 7}) - alone), 1e-4);
  double all = loss({4, 2, 7});
  model.config.cacheWrite = CacheWrite::Routed;
  model.parameters["layers.0.router.bias"] = {{2}, {50, -50}};
  EXPECT_EQ(loss({4, 2, 7}), all);
}

TEST(SoftRouting, HasNoCapacity) {
  HalfWanted model(Mode::Full);
  model.setConstantRouter({1, 0});
  model.config.router.maxTokens[kFull] = 1;
  EXPECT_EQ(soft(model, lastOf({0, 0, 1})).modes[0], (RoutingTable{{kFull}, {kFull}, {kFull}}));
  EXPECT_EQ(soft(model, lastOf({0, 0, 1})).statistics[0][13], 0);
  TrainingResult refused = hard(model, lastOf({0, 0, 1}));
  EXPECT_EQ(refused.modes[0], (RoutingTable{{kFull}, {kIdentity}, {kIdentity}}));
  EXPECT_EQ(refused.statistics[0][kFull], 3);
  EXPECT_EQ(refused.statistics[0][kModeCount + kFull], 1);
  EXPECT_EQ(refused.statistics[0][13], 2);
}

TEST(SoftRouting, TendsToHardRoutingAsTheTemperatureFalls) {
  int different = 0, configs = 0;
  for (const std::string &text : pairwiseConfigs(9)) {
    nlohmann::json config = nlohmann::json::parse(text);
    config["cache_write"] = "all";
    config["router"]["bias_in_gate"] = true;
    config["router"].erase("capacity_factor");
    config["router"].erase("max_tokens");
    RandomModel model = makeModel(config.dump(), Precision::F64, ++configs);
    TrainingBatch batch = randomBatch(model.config, 2, 12, 4);
    auto loss = [&](TrainingRouting routing, double temperature) {
      return trainingOracle(model.config, model.parameters, batch, routing, {temperature, {}, {}}).loss;
    };
    // Far below the least distance of two scores, so that each token's mode has all but e^-100 of the probability.
    double margin =
        trainingOracle(model.config, model.parameters, batch, TrainingRouting::Hard, {1e-6, {}, {}}).smallestMargin;
    ASSERT_GT(margin, 1e-10) << config;
    double cold = std::min(1e-6, margin / 100);
    EXPECT_NEAR(loss(TrainingRouting::Soft, cold), loss(TrainingRouting::Hard, cold), 1e-10) << config;
    different += std::abs(loss(TrainingRouting::Soft, 1) - loss(TrainingRouting::Hard, 1)) > 1e-3;
  }
  EXPECT_GT(different, configs / 2);
}

//===-- Hard routing --------------------------------------------------------------------------------------------===//

TEST(HardRouting, AdmitsAsInference) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    RandomModel model = makeModel(randomConfig(seed), Precision::F64, seed);
    TrainingBatch batch = randomBatch(model.config, 2, 20, seed);
    TrainingExtras extras{model.config.router.temperature, {}, {}};
    TrainingResult result = trainingOracle(model.config, model.parameters, batch, TrainingRouting::Hard, extras);
    double sum = 0.0;
    for (size_t b = 0; b < batch.tokens.size(); ++b) {
      OracleResult inference = runOracle(model.config, model.parameters, batch.tokens[b]);
      EXPECT_EQ(result.modes[b], inference.routing) << model.configText;
      for (size_t t = 0; t < inference.logits.size(); ++t)
        if (batch.targets[b][t] != kIgnoredTarget)
          sum += crossEntropy(inference.logits[t], batch.targets[b][t]);
    }
    EXPECT_NEAR(result.loss, sum / static_cast<double>(result.targets), 1e-13 * result.loss) << model.configText;
  }
}

/// The gradient of the cross entropy of [a, b] after its norm, by the residual stream.
std::vector<double> byStream(double a, double b, int target) {
  std::vector<double> n = normalized(a, b), e = {std::exp(n[0]), std::exp(n[1])};
  std::vector<double> byLogits = {e[0] / (e[0] + e[1]) - (target == 0), e[1] / (e[0] + e[1]) - (target == 1)};
  double scale = std::sqrt(2.0 / (a * a + b * b)), along = (n[0] * byLogits[0] + n[1] * byLogits[1]) / 2;
  return {scale * (byLogits[0] - n[0] * along), scale * (byLogits[1] - n[1] * along)};
}

TEST(HardRouting, TheGateHasTheGradientOfTheAdmittedModesOutput) {
  TinyModel model({{Mode::Full, Mode::Identity}});
  model.config.identityOutput = IdentityOutput::NormedInput;
  model.setIdentityAttention();
  // x = [1, 1], h = [1, 0], odds of identity 3 to 1, at half the temperature 9 to 1.
  model.set("embed_tokens.weight", {2, 2}, {1, 1, 0, 1});
  model.set("layers.0.input_norm.weight", {2}, {1, 0});
  model.set("layers.0.router.proj.weight", {2, 2}, {0, 0, ln3, 0});
  for (GateKind gate : {GateKind::One, GateKind::Prob})
    for (double temperature : {1.0, 0.5}) {
      model.config.router.gate = gate;
      double p = temperature == 1.0 ? 0.75 : 0.9, g = gate == GateKind::One ? 1.0 : p;
      GradientResult result =
          gradientOracle(model.config, model.tensors, lastOf({0}), TrainingRouting::Hard, {temperature, {}, {}});
      EXPECT_NEAR(result.loss, lossOf(1 + g, 1), kTight);
      // d loss / d p = <dz, h>, and d p / d l = p (1 - p) / temperature for identity, the opposite for full.
      double byLogit = byStream(1 + g, 1, 0)[0] * p * (1 - p) / temperature;
      const std::vector<double> &router = result.gradients.at("layers.0.router.proj.weight").values;
      EXPECT_NEAR(router[0], -byLogit, kTight);
      EXPECT_NEAR(router[2], byLogit, kTight);
      EXPECT_EQ(router[1], 0);
      EXPECT_EQ(router[3], 0);
      EXPECT_EQ(result.gradients.at("layers.0.attn.v_proj.weight").values, std::vector<double>(4, 0.0));
    }
}

TEST(HardRouting, NoiseTimesTemperatureMovesTheChoiceAndSoftP) {
  TinyModel model({{Mode::Swa, Mode::Identity}, {Mode::Swa, Mode::Full, Mode::Identity}});
  for (const char *layer : {"layers.0.", "layers.1."}) {
    std::string prefix = layer;
    for (const char *name : {"q_proj", "k_proj", "v_proj", "o_proj"})
      model.set(prefix + "attn." + name + ".weight", {2, 2}, {0, 0, 0, 0});
    model.set(prefix + "router.proj.weight", {prefix == "layers.0." ? 2 : 3, 2},
              std::vector<double>(prefix == "layers.0." ? 4 : 6, 0.0));
  }
  model.set("layers.0.router.bias", {2}, {1, 0});
  model.set("layers.1.router.bias", {3}, {1, 0, 0});
  TrainingBatch batch{{{0, 1}, {1}}, {{0, 1}, {0}}};
  TrainingExtras extras{2.0, {}, std::vector<double>(3 * 2 * 4, 0.0)};
  auto noise = [&](int row, int layer, int mode) -> double & {
    return extras.noise[static_cast<size_t>((row * 2 + layer) * 4 + mode)];
  };
  noise(0, 0, kFull) = 100;     // a mode that the layer lacks
  noise(1, 0, kIdentity) = 0.6; // 2 * 0.6 > 1
  noise(2, 0, kIdentity) = 0.4; // 2 * 0.4 < 1
  noise(2, 1, kFull) = 0.7;
  for (TrainingRouting routing : {TrainingRouting::Hard, TrainingRouting::Soft}) {
    TrainingResult result = trainingOracle(model.config, model.tensors, batch, routing, extras);
    EXPECT_EQ(result.modes[0], (RoutingTable{{kSwa, kSwa}, {kIdentity, kSwa}}));
    EXPECT_EQ(result.modes[1], (RoutingTable{{kSwa, kFull}}));
    EXPECT_NEAR(result.smallestMargin, 0.2, kTight);
    bool soft = routing == TrainingRouting::Soft;
    double swa = soft ? 0.5 + 1 / (1 + std::exp(0.6)) + 1 / (1 + std::exp(0.4)) : 1.5;
    EXPECT_NEAR(result.statistics[0][2 * kModeCount + kSwa], swa, kTight);
    double full = soft ? 2.0 / 3 + std::exp(0.7) / (2 + std::exp(0.7)) : 1;
    EXPECT_NEAR(result.statistics[1][2 * kModeCount + kFull], full, kTight);
    EXPECT_EQ(result.statistics[0][kIdentity], 1);
  }
}

//===-- Losses --------------------------------------------------------------------------------------------------===//

TEST(TrainingLoss, IsTheMeanOverTheTargetsThatCount) {
  TinyModel model({{Mode::Identity}});
  model.set("embed_tokens.weight", {2, 2}, {3, 4, 1, -1});
  TrainingBatch batch{{{0, 1, 1}, {0}}, {{1, kIgnoredTarget, 0}, {0}}};
  TrainingResult result = hard(model, batch);
  std::vector<double> first = normalized(3, 4), second = normalized(1, -1);
  double sum = crossEntropy(first, 1) + crossEntropy(second, 0) + crossEntropy(first, 0);
  EXPECT_NEAR(result.loss, sum / 3, kTight);
  EXPECT_EQ(result.objective, result.loss);
  EXPECT_EQ(result.targets, 3);
  EXPECT_EQ(result.correct, 2);
}

TEST(TrainingLoss, WithoutTargetsIsZeroAndSoIsItsGradient) {
  RandomModel model = makeModel(randomConfig(2), Precision::F64, 2);
  TrainingBatch batch{{{1, 2, 3}}, {{kIgnoredTarget, kIgnoredTarget, kIgnoredTarget}}};
  GradientResult result = gradientOracle(model.config, model.parameters, batch, TrainingRouting::Soft, {});
  EXPECT_EQ(result.loss, 0);
  for (const auto &[name, gradient] : result.gradients)
    EXPECT_EQ(gradient.values, std::vector<double>(gradient.values.size(), 0.0)) << name;
}

TEST(TrainingLoss, PricesAddWhatProbabilitiesAndEntropyCost) {
  TinyModel model({{Mode::Full}, {Mode::Swa, Mode::Identity}});
  for (const char *layer : {"layers.0.attn.", "layers.1.attn."})
    for (const char *name : {"q_proj", "k_proj", "v_proj", "o_proj"})
      model.set(std::string(layer) + name + ".weight", {2, 2}, {0, 0, 0, 0});
  model.set("layers.1.router.proj.weight", {2, 2}, {0, 0, ln3 / one, 0});
  TrainingBatch batch = lastOf({0, 0});
  // Two tokens with p(swa) = 1/4 and p(identity) = 3/4; the layer with one mode costs nothing.
  TrainingExtras extras{1.0, {{}, {}}, {}};
  extras.prices[0].fill(7);
  extras.prices[1] = {100, 3, 100, 5, /*pushes*/ 100, 1.5, 100, 0, /*pulls*/ 100, 0, 100, 0.25, /*entropy*/ 0.5};
  double entropy = -0.25 * std::log(0.25) - 0.75 * std::log(0.75);
  double costs = 2 * (0.75 + 3.75 - 1.5 * std::log(0.75) - 0.25 * std::log(0.75) + 0.5 * entropy);
  for (TrainingRouting routing : {TrainingRouting::Hard, TrainingRouting::Soft}) {
    GradientResult result = gradientOracle(model.config, model.tensors, batch, routing, extras);
    EXPECT_NEAR(result.objective - result.loss, costs, 1e-13);
    EXPECT_NEAR(result.statistics[1][12], 2 * entropy, kTight);
    EXPECT_EQ(result.statistics[0], oracle::RouterStatistics{});
    // The mixers' outputs are zero, so only the prices move the router: d costs / d l(identity), twice, times h.
    double byLogit = (5 - 3) * 0.25 * 0.75 - 1.5 * 0.25 - 0.25 * 0.25 - 0.5 * 0.25 * 0.75 * ln3;
    EXPECT_NEAR(result.gradients.at("layers.1.router.proj.weight").values[2], 2 * byLogit * one, kTight);
  }
}

//===-- Parameters and batches ----------------------------------------------------------------------------------===//

TEST(TrainingParameters, AllButTheBalancersHaveGradientsOfTheirShape) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    RandomModel model = makeModel(randomConfig(seed), Precision::F64, seed);
    model.parameters["layers.0.router.ema"] = {{1}, {1}};
    GradientResult result = gradientOracle(model.config, model.parameters, randomBatch(model.config, 1, 4, seed),
                                           TrainingRouting::Soft, {});
    for (const auto &[name, shape] : tensorShapes(model.config)) {
      bool balancer = name.find("router.bias") != std::string::npos;
      ASSERT_EQ(result.gradients.count(name), balancer ? 0u : 1u) << name;
      if (!balancer) {
        EXPECT_EQ(result.gradients.at(name).shape, shape);
      }
    }
    EXPECT_EQ(result.gradients.count("layers.0.router.ema"), 0u);
  }
}

TEST(TrainingParameters, TiedEmbeddingsHaveTheSumOfBothUses) {
  nlohmann::json config = nlohmann::json::parse(randomConfig(8));
  config["tie_word_embeddings"] = true;
  RandomModel model = makeModel(config.dump(), Precision::F64, 8);
  TrainingBatch batch = randomBatch(model.config, 2, 8, 8);
  auto run = [&] { return gradientOracle(model.config, model.parameters, batch, TrainingRouting::Hard, {}); };
  GradientResult tied = run();
  model.config.tieWordEmbeddings = false;
  model.parameters["lm_head.weight"] = model.parameters.at("embed_tokens.weight");
  GradientResult separate = run();
  EXPECT_EQ(tied.loss, separate.loss);
  const std::vector<double> &sum = tied.gradients.at("embed_tokens.weight").values;
  const std::vector<double> &input = separate.gradients.at("embed_tokens.weight").values;
  const std::vector<double> &output = separate.gradients.at("lm_head.weight").values;
  for (size_t i = 0; i < sum.size(); ++i)
    EXPECT_NEAR(sum[i], input[i] + output[i], 1e-14) << i;
}

TEST(TrainingBatches, AreRandomAndIgnoreAboutAThird) {
  Config config;
  config.vocabSize = 10;
  TrainingBatch batch = randomBatch(config, 30, 40, 1);
  ASSERT_EQ(batch.tokens.size(), 30u);
  std::set<int> tokens, targets;
  int ignored = 0;
  for (size_t b = 0; b < 30; ++b) {
    ASSERT_EQ(batch.tokens[b].size(), 40u);
    ASSERT_EQ(batch.targets[b].size(), 40u);
    tokens.insert(batch.tokens[b].begin(), batch.tokens[b].end());
    targets.insert(batch.targets[b].begin(), batch.targets[b].end());
    ignored += static_cast<int>(std::count(batch.targets[b].begin(), batch.targets[b].end(), kIgnoredTarget));
  }
  EXPECT_EQ(tokens, (std::set<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(targets, (std::set<int>{kIgnoredTarget, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_GT(ignored, 340);
  EXPECT_LT(ignored, 460);
  EXPECT_EQ(batch.tokens, randomBatch(config, 30, 40, 1).tokens);
  EXPECT_NE(batch.tokens, randomBatch(config, 30, 40, 2).tokens);
  for (uint64_t seed = 0; seed < 50; ++seed)
    EXPECT_NE(randomBatch(config, 1, 1, seed).targets[0][0], kIgnoredTarget);
}

} // namespace
