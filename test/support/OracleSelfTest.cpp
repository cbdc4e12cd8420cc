// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The oracle against cases small enough to work out by hand. Configs are filled in directly, without the frontend.
#include "test/support/Oracle.h"
#include "test/support/OracleMixers.h"
#include "test/support/TinyModel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

using namespace chimera;
using namespace chimera::test;
using namespace chimera::test::oracle;

namespace {

constexpr double kTight = 1e-14;

void expectNear(const std::vector<double> &actual, const std::vector<double> &expected, double tolerance = kTight) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], tolerance) << "at " << i;
}

std::vector<int8_t> firstLayer(const OracleResult &result) {
  std::vector<int8_t> modes;
  for (const std::vector<int8_t> &row : result.routing)
    modes.push_back(row.at(0));
  return modes;
}

TEST(OracleNorms, RmsNormDividesByTheRootMeanSquare) {
  expectNear(rmsNorm({3, 4}, {1, 10}, 0.0), {3 / std::sqrt(12.5), 40 / std::sqrt(12.5)});
  expectNear(rmsNorm({0, 0}, {1, 1}, 4.0), {0, 0});
  expectNear(rmsNorm({2, 2}, {1, 1}, 12.0), {0.5, 0.5});
}

TEST(OracleNorms, LayerNormCentresAndUsesThePopulationVariance) {
  expectNear(layerNorm({1, 3}, {1, 2}, {10, 20}, 0.0), {9, 22});
  expectNear(layerNorm({1, 3}, {1, 1}, {0, 0}, 3.0), {-0.5, 0.5});
}

TEST(OracleNorms, GroupsAreNormalizedEachByItself) {
  expectNear(groupedRmsNorm({3, 4, 30, 40}, {1, 1, 1, 1}, 0.0, 2),
             {3 / std::sqrt(12.5), 4 / std::sqrt(12.5), 3 / std::sqrt(12.5), 4 / std::sqrt(12.5)});
}

TEST(OracleFunctions, SoftplusAndSigmoidAreStableAtBothEnds) {
  EXPECT_DOUBLE_EQ(softplus(0), std::log(2.0));
  EXPECT_DOUBLE_EQ(softplus(800), 800);
  EXPECT_DOUBLE_EQ(softplus(-800), 0);
  EXPECT_DOUBLE_EQ(sigmoid(0), 0.5);
  EXPECT_DOUBLE_EQ(sigmoid(-800), 0);
  EXPECT_DOUBLE_EQ(sigmoid(std::log(3.0)), 0.75);
}

TEST(OracleFunctions, OperandsAreRoundedToEightBitsTiesToEven) {
  const Vector exact = {1 + 0x1p-7, 1 + 0x1p-8, 1 + 3 * 0x1p-8, -(1 + 0x1p-8 + 0x1p-40), 0, 3e38};
  EXPECT_EQ(rounded(exact, OperandRounding::None), exact);
  EXPECT_EQ(rounded(exact, OperandRounding::BFloat16),
            (Vector{1 + 0x1p-7, 1, 1 + 0x1p-6, -(1 + 0x1p-7), 0, 0x1.c4p127}));
}

TEST(OracleModel, RoundingTouchesWhatEntersLinearLayersOnly) {
  TinyModel model({{Mode::Identity}});
  model.set("embed_tokens.weight", {2, 2}, {1.0078125, 1, 1, 1}); // 1 + 2^-7, itself a bf16
  model.config.identityOutput = IdentityOutput::NormedInput;
  std::vector<double> exact = model.run({0}).logits[0];
  std::vector<double> coarse =
      runOracle(model.config, model.tensors, {0}, nullptr, OperandRounding::BFloat16).logits[0];
  EXPECT_EQ(coarse, rounded(exact, OperandRounding::BFloat16));
  EXPECT_NE(coarse, exact);
}

TEST(OracleConvolution, LastTapMeetsTheCurrentInput) {
  Tensor weight{{1, 3}, {100, 10, 1}};
  expectNear(causalConvolution({{5}}, weight, {0.5}), {5.5});
  expectNear(causalConvolution({{5}, {6}}, weight, {0.5}), {56.5});
  expectNear(causalConvolution({{5}, {6}, {7}, {8}}, weight, {0.5}), {678.5});
}

TEST(OracleModel, IdentityLayerLeavesTheEmbedding) {
  TinyModel model({{Mode::Identity}});
  model.set("embed_tokens.weight", {2, 2}, {3, 4, 1, -1});
  OracleResult result = model.run({0, 1});
  expectNear(result.logits[0], normalized(3, 4));
  expectNear(result.logits[1], normalized(1, -1));
  EXPECT_EQ(firstLayer(result), (std::vector<int8_t>{kIdentity, kIdentity}));
}

TEST(OracleModel, NormedInputIdentityAddsTheNormalizedInput) {
  TinyModel model({{Mode::Identity}});
  model.config.identityOutput = IdentityOutput::NormedInput;
  model.set("layers.0.input_norm.weight", {2}, {1, 5});
  model.set("embed_tokens.weight", {2, 2}, {3, 4, 1, -1});
  double rms = std::sqrt(12.5);
  expectNear(model.run({0}).logits[0], normalized(3 + 3 / rms, 4 + 5 * 4 / rms));
}

TEST(OracleModel, TiedHeadIsTheEmbedding) {
  TinyModel model({{Mode::Identity}});
  model.config.tieWordEmbeddings = true;
  model.set("embed_tokens.weight", {2, 2}, {3, 4, 1, -1});
  double scale = 1 / std::sqrt(12.5);
  expectNear(model.run({0}).logits[0], {25 * scale, -scale});
}

TEST(OracleModel, TokenConvAddsEarlierNormalizedInputsOfEveryMode) {
  TinyModel model({{Mode::Identity}});
  model.config.identityOutput = IdentityOutput::NormedInput;
  model.config.tokenConvKernel = 2;
  model.set("layers.0.token_conv.weight", {2, 2}, {10, 1, 10, 1}); // the previous row ten times, this one once
  model.set("layers.0.token_conv.bias", {2}, {0.25, 0.5});
  double one = std::sqrt(2.0); // a one-hot row of width 2, normalized
  OracleResult result = model.run({0, 1});
  expectNear(result.logits[0], normalized(1 + 2 * one + 0.25, 0.5));
  expectNear(result.logits[1], normalized(10 * one + 0.25, 1 + 2 * one + 0.5));
}

TEST(OracleModel, FeedForwardIsGatedBySilu) {
  TinyModel model({{Mode::Identity}});
  model.config.intermediateSize = 1;
  model.set("layers.0.ffn_norm.weight", {2}, {1, 1});
  model.set("layers.0.ffn.gate_proj.weight", {1, 2}, {2, 0});
  model.set("layers.0.ffn.up_proj.weight", {1, 2}, {3, 0});
  model.set("layers.0.ffn.down_proj.weight", {2, 1}, {0, 1});
  double u = std::sqrt(2.0), gate = 2 * u;
  expectNear(model.run({0}).logits[0], normalized(1, gate / (1 + std::exp(-gate)) * 3 * u));
}

TEST(OracleRouting, TieGoesToTheFirstModeInCanonicalOrder) {
  TinyModel model({{Mode::Swa, Mode::Full, Mode::Identity}});
  model.setIdentityAttention();
  model.setConstantRouter({1, 1, 1});
  EXPECT_EQ(firstLayer(model.run({0})), std::vector<int8_t>{kSwa});
  model.setConstantRouter({0, 1, 1});
  EXPECT_EQ(firstLayer(model.run({0})), std::vector<int8_t>{kFull});
}

TEST(OracleRouting, GateIsTheSoftmaxOfLogitsOverTemperatureWithTheBiasOnlyIfAsked) {
  TinyModel model({{Mode::Full, Mode::Identity}});
  model.config.identityOutput = IdentityOutput::NormedInput;
  model.setIdentityAttention();
  double one = std::sqrt(2.0), ln3 = std::log(3.0);
  // Token 0: logits are ln 3 and 0, so p(identity) = 1/4; the bias makes identity wanted all the same.
  model.set("layers.0.router.proj.weight", {2, 2}, {ln3 / one, 0, 0, 0});
  model.set("layers.0.router.bias", {2}, {0, 5});
  OracleResult result = model.run({0});
  EXPECT_EQ(firstLayer(result), std::vector<int8_t>{kIdentity});
  // Now h = [1, 0] and x = [1, 1], so that z = [1 + g, 1] and the final norm does not hide g.
  model.set("embed_tokens.weight", {2, 2}, {1, 1, 0, 1});
  model.set("layers.0.input_norm.weight", {2}, {1, 0});
  model.set("layers.0.router.proj.weight", {2, 2}, {ln3, 0, 0, 0});
  expectNear(model.run({0}).logits[0], normalized(1 + 0.25, 1));
  model.config.router.temperature = 0.5; // squares the odds
  expectNear(model.run({0}).logits[0], normalized(1 + 0.1, 1));
  model.config.router.temperature = 1;
  model.config.router.biasInGate = true;
  expectNear(model.run({0}).logits[0], normalized(1 + 1 / (1 + 3 * std::exp(-5)), 1));
  model.config.router.gate = GateKind::One;
  expectNear(model.run({0}).logits[0], normalized(2, 1));
}

TEST(OracleRouting, MlpRouterAndItsInputNorm) {
  TinyModel model({{Mode::Full, Mode::Identity}});
  model.config.identityOutput = IdentityOutput::NormedInput;
  model.config.router.kind = RouterKind::Mlp;
  model.config.router.hiddenSize = 1;
  model.config.router.inputNorm = NormKind::Layer;
  model.setIdentityAttention();
  model.set("embed_tokens.weight", {2, 2}, {1, 1, 0, 1});
  model.set("layers.0.input_norm.weight", {2}, {3, 1}); // h = [3, 1], which layer norm makes [1, -1]
  model.set("layers.0.router.norm.weight", {2}, {2, 1});
  model.set("layers.0.router.norm.bias", {2}, {0, 0.5});
  model.set("layers.0.router.fc1.weight", {1, 2}, {1, 2}); // 2 - 2 * 0.5 = 1
  model.set("layers.0.router.fc2.weight", {2, 1}, {0, 1});
  double logit = 1 / (1 + std::exp(-1.0)), p = 1 / (1 + std::exp(-logit));
  OracleResult result = model.run({0});
  EXPECT_EQ(firstLayer(result), std::vector<int8_t>{kIdentity});
  expectNear(result.logits[0], normalized(1 + 3 * p, 1 + p));
  EXPECT_NEAR(result.smallestMargin, logit, kTight);
}

TEST(OracleRouting, CapacityGrowsWithThePositionAndRefusesDownTheChain) {
  TinyModel model({{Mode::Swa, Mode::Full, Mode::Identity}});
  model.setIdentityAttention();
  model.setConstantRouter({0, 1, 0});
  model.config.router.capacityFactor = 1.0;
  model.config.router.target = {0.0, 0.25, 0.5, 0.25};
  // full: fewer than ceil((t+1)/2) so far; swa: fewer than ceil((t+1)/4); identity takes the rest.
  OracleResult result = model.run({0, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(firstLayer(result), (std::vector<int8_t>{kFull, kSwa, kFull, kIdentity, kFull, kSwa, kFull, kIdentity}));
  EXPECT_EQ(result.refusals, 4);
}

TEST(OracleRouting, MaxTokensBoundsAndTheLastModeNeverRefuses) {
  TinyModel model({{Mode::Swa, Mode::Full}});
  model.setIdentityAttention();
  model.setConstantRouter({0, 1});
  model.config.router.maxTokens[kFull] = 1;
  model.config.router.maxTokens[kSwa] = 1;
  EXPECT_EQ(firstLayer(model.run({0, 0, 0, 0})), (std::vector<int8_t>{kFull, kSwa, kSwa, kSwa}));
}

TEST(OracleRouting, ForcedModesOverrideAdmissionAndAreCounted) {
  TinyModel model({{Mode::Swa, Mode::Full, Mode::Identity}});
  model.setIdentityAttention();
  model.setConstantRouter({0, 1, 0});
  model.config.router.maxTokens[kFull] = 2;
  RoutingTable forced = {{kIdentity}, {kFull}, {kNotForced}, {kNotForced}, {kFull}};
  EXPECT_EQ(firstLayer(model.run({0, 0, 0, 0, 0}, &forced)),
            (std::vector<int8_t>{kIdentity, kFull, kFull, kSwa, kFull}));
}

TEST(OracleAttention, WeighsEntriesByTheSoftmaxOfRotatedScores) {
  TinyModel model({{Mode::Full}});
  model.setIdentityAttention();
  double one = std::sqrt(2.0);
  // One pair of dimensions turning by one radian a position. Both tokens are [sqrt 2, 0] before rotation, so the score
  // over a distance of one is 2 cos(1) / sqrt 2, and the own score 2 / sqrt 2.
  OracleResult same = model.run({0, 0});
  expectNear(same.logits[1], normalized(1 + one, 0));
  // Token 1 = [0, sqrt 2] asks token 0 = [sqrt 2, 0]: turned by one radian its query is [-sin 1, cos 1] sqrt 2.
  double other = std::exp(-2 * std::sin(1.0) / std::sqrt(2.0)), own = std::exp(2 / std::sqrt(2.0));
  OracleResult result = model.run({0, 1});
  expectNear(result.logits[1], normalized(one * other / (other + own), 1 + one * own / (other + own)));
}

TEST(OracleAttention, CapsScaledScoresBeforeTheWriteGateWeighsThem) {
  TinyModel model({{Mode::Full, Mode::Identity}});
  model.setIdentityAttention();
  model.config.ropeLayers = {false};
  model.config.attentionSoftCap = 0.5;
  model.config.router.gate = GateKind::One;
  model.config.router.writeGate = true;
  double one = std::sqrt(2.0);
  // p(full) is 3/4 for token 0 and 1/2 for token 1, whose own score is 2 / sqrt 2, and that of the other entry 0.
  model.set("layers.0.router.proj.weight", {2, 2}, {std::log(3.0) / one, 0, 0, 0});
  RoutingTable forced = {{kFull}, {kFull}};
  double other = 0.75, own = 0.5 * std::exp(0.5 * std::tanh(one / 0.5)), sum = other + own;
  std::vector<double> logits = normalized(one * other / sum, 1 + one * own / sum);
  expectNear(model.run({0, 1}, &forced).logits[1], logits);
  model.config.logitsSoftCap = 0.25;
  expectNear(model.run({0, 1}, &forced).logits[1],
             {0.25 * std::tanh(logits[0] / 0.25), 0.25 * std::tanh(logits[1] / 0.25)});
}

TEST(OracleAttention, RingReachesTheLastEntriesOnly) {
  TinyModel model({{Mode::Swa}});
  model.setIdentityAttention(0); // all scores zero: a plain mean
  double one = std::sqrt(2.0);
  model.config.window = 1;
  expectNear(model.run({0, 1}).logits[1], normalized(0, 1 + one));
  model.config.window = 2;
  OracleResult result = model.run({0, 0, 1});
  expectNear(result.logits[2], normalized(one / 2, 1 + one / 2));
  model.config.window = 3;
  expectNear(model.run({0, 0, 1}).logits[2], normalized(one * 2 / 3, 1 + one / 3));
}

TEST(OracleAttention, WritingAllPutsEveryTokenIntoTheRingAndOnlyFullTokensIntoTheList) {
  TinyModel model({{Mode::Swa, Mode::Full, Mode::Identity}});
  model.setIdentityAttention(0);
  model.config.router.gate = GateKind::One;
  model.setConstantRouter({0, 0, 0});
  double one = std::sqrt(2.0);
  RoutingTable toSwa = {{kIdentity}, {kSwa}}, toFull = {{kIdentity}, {kFull}};
  expectNear(model.run({0, 1}, &toSwa).logits[1], normalized(0, 1 + one));
  model.config.cacheWrite = CacheWrite::All;
  expectNear(model.run({0, 1}, &toSwa).logits[1], normalized(one / 2, 1 + one / 2));
  expectNear(model.run({0, 1}, &toFull).logits[1], normalized(0, 1 + one));
}

TEST(OracleAttention, WriteGateWeighsEntriesByTheProbabilityOfTheirMode) {
  TinyModel model({{Mode::Swa, Mode::Identity}});
  model.setIdentityAttention(0);
  model.config.router.gate = GateKind::One;
  model.config.router.writeGate = true;
  double one = std::sqrt(2.0), ln3 = std::log(3.0);
  // p(swa) is 3/4 for token 0 and 1/2 for token 1.
  model.set("layers.0.router.proj.weight", {2, 2}, {ln3 / one, 0, 0, 0});
  RoutingTable forced = {{kSwa}, {kSwa}};
  double share = 0.75 / (0.75 + 0.5);
  expectNear(model.run({0, 1}, &forced).logits[1], normalized(one * share, 1 + one * (1 - share)));
}

TEST(OracleAttention, QueryHeadsReadTheirGroupsKeyValueHead) {
  TinyModel model({{Mode::Full}});
  model.config.numAttentionHeads = 4;
  model.config.numKeyValueHeads = 2;
  model.set("layers.0.attn.q_proj.weight", {8, 2}, std::vector<double>(16, 0.0));
  model.set("layers.0.attn.k_proj.weight", {4, 2}, std::vector<double>(8, 0.0));
  model.set("layers.0.attn.v_proj.weight", {4, 2}, {1, 0, 2, 0, 3, 0, 4, 0});
  LayerParameters tensors(model.tensors, 0);
  std::vector<Entry> entries = {makeEntry(model.config, tensors, {1, 0}, 0, 0.0)};
  for (int head = 0; head < 4; ++head) {
    std::vector<double> output(16, 0.0); // picks the two elements of one head
    output[2 * head] = output[8 + 2 * head + 1] = 1;
    model.set("layers.0.attn.o_proj.weight", {2, 8}, output);
    expectNear(attend(model.config, tensors, {1, 0}, 0, entries),
               head < 2 ? std::vector<double>{1, 2} : std::vector<double>{3, 4});
  }
}

TEST(OracleRotary, FrequenciesArePartialAndScaled) {
  Config config;
  config.headDim = 8;
  config.ropeTheta = 100;
  config.partialRotaryFactor = 0.5;
  expectNear(rotaryFrequencies(config), {1.0, 0.1});
  config.ropeScaling.kind = RopeScalingKind::Linear;
  config.ropeScaling.factor = 4;
  expectNear(rotaryFrequencies(config), {0.25, 0.025});
}

TEST(OracleRotary, Llama3KeepsShortStretchesLongAndBlendsBetween) {
  Config config;
  config.headDim = 6;
  config.ropeTheta = 1000; // frequencies 1, 0.1, 0.01
  config.ropeScaling = {RopeScalingKind::Llama3, 8.0, 1.0, 4.0, 0};
  // Within the original 126 positions the pairs turn 20.05, 2.005 and 0.2 times.
  config.ropeScaling.originalMaxPositionEmbeddings = 126;
  double turns = 126 * 0.1 / (2 * M_PI), blend = (turns - 1) / 3;
  expectNear(rotaryFrequencies(config), {1.0, (1 - blend) * 0.1 / 8 + blend * 0.1, 0.01 / 8});
}

TEST(OracleStateSpace, LtiIsALeakySumOfProjectedInputs) {
  TinyModel model({{Mode::Ssm}});
  model.config.ssm.kind = SsmKind::Lti;
  model.config.ssm.stateSize = 1;
  model.set("layers.0.ssm.decay", {1}, {std::log(3.0)}); // sigmoid 3/4
  model.set("layers.0.ssm.in_proj.weight", {1, 2}, {2, 4});
  model.set("layers.0.ssm.out_proj.weight", {2, 1}, {1, -1});
  LayerParameters tensors(model.tensors, 0);
  SsmState state;
  expectNear(advanceLti(model.config, tensors, {1, 0}, 1.0, state), {2, -2});
  expectNear(advanceLti(model.config, tensors, {0, 1}, 1.0, state), {5.5, -5.5});
  expectNear(advanceLti(model.config, tensors, {0, 1}, 0.5, state), {6.125, -6.125});
}

/// One head of size 1 with a state of size 1 on a stream of width 1.
struct TinyMamba : TinyModel {
  TinyMamba() : TinyModel({{Mode::Ssm}}) {
    config.hiddenSize = 1;
    config.ssm.stateSize = config.ssm.headDim = config.ssm.expand = config.ssm.groups = config.ssm.convKernel = 1;
    set("layers.0.ssm.in_proj.weight", {5, 1}, {10, 1, 2, 3, 4}); // z, x, B, C, dt
    set("layers.0.ssm.conv.weight", {3, 1}, {1, 1, 1});
    set("layers.0.ssm.conv.bias", {3}, {0.5, 0, 0});
    set("layers.0.ssm.dt_bias", {1}, {-1});
    set("layers.0.ssm.A_log", {1}, {std::log(2.0)});
    set("layers.0.ssm.D", {1}, {7});
    set("layers.0.ssm.norm.weight", {1}, {1});
    set("layers.0.ssm.out_proj.weight", {1, 1}, {1});
    config.normEps = 1.0; // otherwise the norm of one number hides its size
  }

  /// The mixer's output for an SSM output y under gate input z.
  static double output(double y, double z) {
    double gated = y * silu(z);
    return gated / std::sqrt(gated * gated + 1.0);
  }
};

TEST(OracleStateSpace, Mamba2FollowsTheRecurrence) {
  TinyMamba model;
  LayerParameters tensors(model.tensors, 0);
  SsmState ssm;
  double state = 0.0;
  for (double h : {0.1, -0.05, 0.2}) {
    double x = silu(h + 0.5), B = silu(2 * h), C = silu(3 * h), dt = std::log(1 + std::exp(4 * h - 1));
    state = std::exp(-2 * dt) * state + dt * x * B;
    expectNear(advanceMamba2(model.config, tensors, {h}, 1.0, ssm), {TinyMamba::output(state * C + 7 * x, 10 * h)});
  }
}

TEST(OracleStateSpace, TimeStepIsClampedAndThenWeighted) {
  TinyMamba model;
  model.config.ssm.timeStepMin = model.config.ssm.timeStepMax = 0.5;
  LayerParameters tensors(model.tensors, 0);
  SsmState ssm;
  double h = 0.3, x = silu(h + 0.5), B = silu(2 * h), C = silu(3 * h);
  double first = 0.5 * x * B;
  expectNear(advanceMamba2(model.config, tensors, {h}, 1.0, ssm), {TinyMamba::output(first * C + 7 * x, 10 * h)});
  double second = std::exp(-2 * 0.25) * first + 0.25 * x * B;
  expectNear(advanceMamba2(model.config, tensors, {h}, 0.5, ssm), {TinyMamba::output(second * C + 7 * x, 10 * h)});
}

TEST(OracleStateSpace, ConvolutionSeesTheTokensOfThisModeOnly) {
  TinyMamba model;
  model.config.ssm.convKernel = 2;
  model.set("layers.0.ssm.conv.weight", {3, 2}, {2, 1, 2, 1, 2, 1});
  LayerParameters tensors(model.tensors, 0);
  SsmState ssm;
  advanceMamba2(model.config, tensors, {0.1}, 1.0, ssm);
  double before = ssm.state[0];
  double x = silu(0.3 + 2 * 0.1 + 0.5), B = silu(2 * 0.3 + 2 * 2 * 0.1), C = silu(3 * 0.3 + 2 * 3 * 0.1);
  double dt = std::log(1 + std::exp(4 * 0.3 - 1)), after = std::exp(-2 * dt) * before + dt * x * B;
  expectNear(advanceMamba2(model.config, tensors, {0.3}, 1.0, ssm), {TinyMamba::output(after * C + 7 * x, 3.0)});
}

TEST(OracleStateSpace, WritingAllAdvancesTheStateOnEveryToken) {
  TinyModel model({{Mode::Ssm, Mode::Identity}});
  model.config.ssm.kind = SsmKind::Lti;
  model.config.ssm.stateSize = 1;
  model.config.router.gate = GateKind::One;
  model.set("layers.0.ssm.decay", {1}, {0}); // halves
  model.set("layers.0.ssm.in_proj.weight", {1, 2}, {1 / std::sqrt(2.0), 0});
  model.set("layers.0.ssm.out_proj.weight", {2, 1}, {0, 1});
  model.setConstantRouter({0, 0});
  RoutingTable forced = {{kIdentity}, {kSsm}};
  expectNear(model.run({0, 0}, &forced).logits[1], normalized(1, 1));
  model.config.cacheWrite = CacheWrite::All;
  expectNear(model.run({0, 0}, &forced).logits[1], normalized(1, 1.5));
  model.config.router.writeGate = true; // p(ssm) = 1/2 for both
  expectNear(model.run({0, 0}, &forced).logits[1], normalized(1, 0.75));
}

TEST(OracleStateSpace, HeadsReadTheirGroupsInputAndOutputMaps) {
  TinyMamba model;
  model.config.ssm.expand = 2; // two heads of size one, two groups of one state
  model.config.ssm.groups = 2;
  // z 0 1, x 2 3, B 4 5, C 6 7, dt 8 9
  model.set("layers.0.ssm.in_proj.weight", {10, 1}, {1, 1, 1, 1, 2, 3, 4, 5, 0, 0});
  model.set("layers.0.ssm.conv.weight", {6, 1}, {1, 1, 1, 1, 1, 1});
  model.set("layers.0.ssm.conv.bias", {6}, {0, 0, 0, 0, 0, 0});
  model.set("layers.0.ssm.dt_bias", {2}, {0, 1});
  model.set("layers.0.ssm.A_log", {2}, {0, 0});
  model.set("layers.0.ssm.D", {2}, {0, 0});
  model.set("layers.0.ssm.norm.weight", {2}, {1, 1});
  model.set("layers.0.ssm.out_proj.weight", {1, 2}, {1, 100});
  LayerParameters tensors(model.tensors, 0);
  SsmState ssm;
  double x = silu(1.0), first = softplus(0) * x * silu(2) * silu(4), second = softplus(1) * x * silu(3) * silu(5);
  expectNear(advanceMamba2(model.config, tensors, {1.0}, 1.0, ssm),
             {TinyMamba::output(first, 1) + 100 * TinyMamba::output(second, 1)}, 1e-12);
}

} // namespace
