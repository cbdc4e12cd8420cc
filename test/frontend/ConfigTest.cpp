// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/frontend/ConfigTestSupport.h"

#include <cmath>
#include <fstream>

using namespace chimera;
using namespace chimera::test;

namespace {

using Modes = std::vector<Mode>;

TEST(Config, DefaultsAreApplied) {
  Config config = valid(small());
  EXPECT_EQ(config.style, CheckpointStyle::Chimera);
  EXPECT_EQ(config.vocabSize, 17);
  EXPECT_EQ(config.hiddenSize, 8);
  EXPECT_EQ(config.numLayers, 2);
  EXPECT_EQ(config.numAttentionHeads, 4);
  EXPECT_EQ(config.numKeyValueHeads, 4);
  EXPECT_EQ(config.headDim, 6);
  EXPECT_EQ(config.intermediateSize, 12);
  EXPECT_EQ(config.ropeTheta, 10000.0);
  EXPECT_EQ(config.partialRotaryFactor, 1.0);
  EXPECT_EQ(config.rotaryDims(), 6);
  EXPECT_EQ(config.ropeScaling.kind, RopeScalingKind::None);
  EXPECT_EQ(config.norm, NormKind::Rms);
  EXPECT_EQ(config.normEps, 1e-5);
  EXPECT_EQ(config.tokenConvKernel, 0);
  EXPECT_FALSE(config.tieWordEmbeddings);
  EXPECT_FALSE(config.bosTokenId);
  EXPECT_TRUE(config.eosTokenIds.empty());
  EXPECT_EQ(config.window, 512);
  EXPECT_EQ(config.cacheWrite, CacheWrite::Routed);
  EXPECT_EQ(config.identityOutput, IdentityOutput::Zero);
  Modes all = {Mode::Ssm, Mode::Swa, Mode::Full, Mode::Identity};
  EXPECT_EQ(config.layerModes, (std::vector<Modes>{all, all}));
  EXPECT_TRUE(config.hasRouter(0));
}

TEST(Config, DefaultsOfSsmAndRouterAreApplied) {
  Config config = valid(withSsm(R"({"state_size": 4, "head_dim": 4})"));
  EXPECT_EQ(config.ssm.kind, SsmKind::Mamba2);
  EXPECT_EQ(config.ssm.expand, 2);
  EXPECT_EQ(config.ssm.groups, 1);
  EXPECT_EQ(config.ssm.convKernel, 4);
  EXPECT_EQ(config.ssm.timeStepMin, 0.0);
  EXPECT_TRUE(std::isinf(config.ssm.timeStepMax));
  EXPECT_EQ(config.ssmInner(), 16);
  EXPECT_EQ(config.ssmHeads(), 4);
  EXPECT_EQ(config.ssmConvChannels(), 24);
  EXPECT_EQ(config.ssmProjection(), 44);
  EXPECT_EQ(config.router.kind, RouterKind::Linear);
  EXPECT_EQ(config.router.inputNorm, NormKind::None);
  EXPECT_EQ(config.router.temperature, 1.0);
  EXPECT_EQ(config.router.gate, GateKind::Prob);
  EXPECT_FALSE(config.router.biasInGate);
  EXPECT_FALSE(config.router.writeGate);
  EXPECT_EQ(config.router.target, (std::array<double, 4>{0.6, 0.2, 0.1, 0.1}));
  EXPECT_FALSE(config.router.capacityFactor);
  EXPECT_EQ(config.router.maxTokens, (std::array<std::optional<int64_t>, 4>{}));
  EXPECT_EQ(config.router.balancerEma, 0.95);
  EXPECT_EQ(config.router.balancerStep, 1e-3);
  EXPECT_EQ(config.router.balancerClip, 4.0);
  EXPECT_EQ(valid(withSsm(R"({"state_size": 4, "head_dim": 16})")).ssm.headDim, 16);
  EXPECT_EQ(valid(small(R"(, "router": {"kind": "mlp"})")).router.hiddenSize, 8);
}

/// One text that must be refused, and the message.
struct Invalid {
  std::string text;
  std::string error;
};

void expectErrors(const std::vector<Invalid> &cases) {
  for (const Invalid &c : cases)
    EXPECT_EQ(errorOf(c.text), c.error) << c.text;
}

TEST(Config, MissingKeysAreNamed) {
  for (std::string key : {"model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                          "head_dim", "intermediate_size", "ssm"}) {
    std::string text = small();
    size_t at = text.find("\"" + key + "\"");
    size_t end = key == "ssm" ? text.find('}', at) + 1 : text.find(',', at) + 1;
    if (key == "ssm")
      at = text.rfind(',', at);
    text.erase(at, end - at);
    EXPECT_EQ(errorOf(text), "key '" + key + "': missing") << text;
  }
  EXPECT_EQ(errorOf(withSsm("{}")), "key 'ssm.state_size': missing");
}

TEST(Config, AttentionMayHaveBiasesNormsMultipliersAndLayersWithoutRotation) {
  Config plain = valid(small());
  EXPECT_FALSE(plain.qkvBias || plain.attentionOutBias || plain.mlpBias || plain.qkNorm);
  EXPECT_TRUE(plain.rotates(0));
  EXPECT_EQ(plain.attentionScale(0, Mode::Full), 1.0 / std::sqrt(double(plain.headDim)));
  Config config = valid(small(R"(, "qkv_bias": true, "attention_out_bias": true, "mlp_bias": true, "qk_norm": true,
    "attention_multiplier": 0.25, "embedding_multiplier": 12, "residual_multiplier": 0.22, "logits_scaling": 8)"));
  EXPECT_TRUE(config.qkvBias && config.attentionOutBias && config.mlpBias && config.qkNorm);
  EXPECT_EQ(config.attentionScale(0, Mode::Full), 0.25);
  EXPECT_EQ(config.embeddingMultiplier, 12.0);
  EXPECT_EQ(config.residualMultiplier, 0.22);
  EXPECT_EQ(config.logitsScaling, 8.0);
  std::string one = small(R"(, "rope_layers": [false])");
  std::string layers = "\"num_hidden_layers\": ";
  one.replace(one.find(layers), layers.size() + 1, layers + "1");
  EXPECT_FALSE(valid(one).rotates(0));
  expectErrors({
      {one.replace(one.find("[false]"), 7, "[0]    "), "key 'rope_layers[0]': must be true or false, got 0"},
      {small(R"(, "qk_norm": 1)"), "key 'qk_norm': must be true or false, got 1"},
      {small(R"(, "logits_scaling": 0)"), "key 'logits_scaling': must be > 0, got 0"},
  });
}

TEST(Config, ScoresAndLogitsMayBeCapped) {
  for (const char *none : {"", R"(, "attention_soft_cap": null, "logits_soft_cap": null)"})
    EXPECT_FALSE(valid(small(none)).attentionSoftCap || valid(small(none)).logitsSoftCap);
  Config config = valid(small(R"(, "attention_soft_cap": 50, "logits_soft_cap": 0.5)"));
  EXPECT_EQ(config.attentionSoftCap, 50.0);
  EXPECT_EQ(config.logitsSoftCap, 0.5);
  expectErrors({
      {small(R"(, "attention_soft_cap": 0)"), "key 'attention_soft_cap': must be > 0, got 0"},
      {small(R"(, "logits_soft_cap": -1)"), "key 'logits_soft_cap': must be > 0, got -1"},
      {small(R"(, "logits_soft_cap": true)"), "key 'logits_soft_cap': must be > 0, got true"},
  });
}

TEST(Config, LayersMayLackAMixerOrANetwork) {
  Config config = valid(small(R"(, "modes": [["full"], ["identity"]], "ffn_layers": [false, true])"));
  EXPECT_TRUE(config.hasMixer(0));
  EXPECT_FALSE(config.hasFeedForward(0));
  EXPECT_FALSE(config.hasMixer(1));
  EXPECT_TRUE(config.hasFeedForward(1));
  EXPECT_TRUE(valid(small(R"(, "modes": ["identity"], "identity_output": "normed_input")")).hasMixer(0));
  EXPECT_TRUE(valid(small()).hasFeedForward(1));
  EXPECT_FALSE(valid(small()).postNorms);
  expectErrors({
      {small(R"(, "ffn_layers": [true])"),
       "key 'ffn_layers': must be a list with an entry for each of the 2 layers, got 1"},
      {small(R"(, "post_norms": 1)"), "key 'post_norms': must be true or false, got 1"},
      {small(R"(, "swa_rope_theta": 0)"), "key 'swa_rope_theta': must be > 0, got 0"},
  });
}

TEST(Config, AModeMayStandBesideTheRoutedOnes) {
  Config config = valid(small(R"(, "modes": [["full", "identity"], ["identity"]], "parallel_modes": ["ssm", null])"));
  EXPECT_EQ(config.parallelMode(0), Mode::Ssm);
  EXPECT_FALSE(config.parallelMode(1));
  EXPECT_TRUE(config.layerHas(0, Mode::Ssm) && config.uses(Mode::Ssm) && config.hasMixer(0) && !config.hasMixer(1));
  EXPECT_EQ(config.mixersOf(0), (Modes{Mode::Full, Mode::Identity}));
  EXPECT_TRUE(valid(small(R"(, "modes": ["identity"], "parallel_modes": ["full", null])")).hasMixer(0));
  EXPECT_FALSE(valid(small()).parallelMode(0));
  expectErrors({
      {small(R"(, "modes": ["full"], "parallel_modes": ["swa", null])"),
       R"(key 'parallel_modes[0]': "swa" would have the weights of the layer's mode "full")"},
      {small(R"(, "modes": ["ssm"], "parallel_modes": [null, "ssm"])"),
       R"(key 'parallel_modes[1]': "ssm" would have the weights of the layer's mode "ssm")"},
      {small(R"(, "modes": ["full"], "parallel_modes": ["identity", null])"),
       R"(key 'parallel_modes[0]': must be "ssm", "swa", "full" or null, got "identity")"},
      {small(R"(, "modes": ["full"], "parallel_modes": ["ssm"])"),
       "key 'parallel_modes': must be a list with an entry for each of the 2 layers, got 1"},
  });
}

TEST(Config, AttentionMayConvolveWhereNothingIsRouted) {
  EXPECT_EQ(valid(small()).attentionConvKernel, 0);
  EXPECT_EQ(
      valid(small(R"(, "modes": [["full"], ["ssm", "identity"]], "attention_conv_kernel": 4)")).attentionConvKernel, 4);
  EXPECT_EQ(valid(small(R"(, "modes": ["ssm", "identity"], "parallel_modes": ["swa", null],
                           "attention_conv_kernel": 1)"))
                .attentionConvKernel,
            1);
  expectErrors({
      {small(R"(, "modes": [["full"], ["full", "identity"]], "attention_conv_kernel": 2)"),
       "key 'attention_conv_kernel': is for layers without a router; layer 1 routes to attention"},
      {small(R"(, "attention_conv_kernel": 17)"),
       "key 'attention_conv_kernel': must be a whole number from 0 to 16, got 17"},
  });
}

TEST(Config, BlocksMayMultiplyWhatTheyReadAndPutOut) {
  Config config = valid(withSsm(R"({"state_size": 4, "head_dim": 4, "gated_norm": false, "input_multiplier": 2,
      "projection_multipliers": [1, 2, 3, 4, 5], "output_multiplier": 0.5}, "attention_input_multiplier": 3,
      "attention_output_multiplier": 4, "mlp_gate_multiplier": 5, "mlp_output_multiplier": 6)"));
  EXPECT_FALSE(config.ssm.gatedNorm);
  EXPECT_TRUE(config.ssm.inputMultiplier == 2.0 && config.ssm.outputMultiplier == 0.5);
  EXPECT_EQ(config.ssm.projectionMultipliers, (std::array<double, 5>{1, 2, 3, 4, 5}));
  EXPECT_TRUE(config.attentionInputMultiplier == 3.0 && config.attentionOutputMultiplier == 4.0);
  EXPECT_TRUE(config.mlpGateMultiplier == 5.0 && config.mlpOutputMultiplier == 6.0);
  expectErrors({
      {small(R"(, "mlp_gated": false, "mlp_gate_multiplier": 2)"),
       "key 'mlp_gate_multiplier': only a network with mlp_gated has a gate"},
      {small(R"(, "attention_input_multiplier": 0)"), "key 'attention_input_multiplier': must be > 0, got 0"},
      {withSsm(R"({"state_size": 4, "head_dim": 4, "projection_multipliers": [1, 1, 1, 1]})"),
       "key 'ssm.projection_multipliers': must be a list of 5 numbers, got a list"},
      {withSsm(R"({"state_size": 4, "head_dim": 4, "projection_multipliers": [1, 1, 1, 1, -1]})"),
       "key 'ssm.projection_multipliers[4]': must be a finite number above 0, got -1"},
  });
}

TEST(Config, NetworksMayHaveExperts) {
  const std::string some = R"("count": 4, "active": 2, "intermediate_size": 6)";
  Config config = valid(small(R"(, "experts": {)" + some + "}"));
  EXPECT_EQ(config.experts.count, 4);
  EXPECT_EQ(config.experts.active, 2);
  EXPECT_EQ(config.experts.score, ExpertScore::Softmax);
  EXPECT_EQ(config.experts.scale, 1.0);
  EXPECT_FALSE(config.experts.normalized || config.experts.bias || config.experts.sharedGate);
  EXPECT_TRUE(config.hasExperts(0) && config.hasExperts(1));
  EXPECT_EQ(config.networkSize(0), 0);
  config = valid(small(R"(, "experts": {"score": "sigmoid", "normalized": true, "scale": 2.5, "bias": true,
      "shared_intermediate_size": 5, "shared_gate": true, "layers": [false, true], )" +
                       some + "}"));
  EXPECT_EQ(config.experts.score, ExpertScore::Sigmoid);
  EXPECT_EQ(config.experts.scale, 2.5);
  EXPECT_TRUE(config.experts.normalized && config.experts.bias && config.experts.sharedGate);
  EXPECT_FALSE(config.hasExperts(0));
  EXPECT_EQ(config.networkSize(0), config.intermediateSize);
  EXPECT_EQ(config.networkSize(1), 5);
  EXPECT_FALSE(valid(small(R"(, "ffn_layers": [false, true], "experts": {)" + some + "}")).hasExperts(0));
  std::string many = small(R"(, "experts": {"count": 1000, "active": 2, "intermediate_size": 6})");
  many.replace(many.find("\"num_hidden_layers\": 2"), 22, "\"num_hidden_layers\": 99");
  expectErrors({
      {small(R"(, "experts": {"count": 4, "intermediate_size": 6})"), "key 'experts.active': missing"},
      {small(R"(, "experts": {"count": 4, "active": 5, "intermediate_size": 6})"),
       "key 'experts.active': must be at most the number of experts (4), got 5"},
      {small(R"(, "experts": {"score": "tanh", )" + some + "}"),
       "key 'experts.score': must be one of \"softmax\", \"sigmoid\", got \"tanh\""},
      {small(R"(, "experts": {"shared_gate": true, )" + some + "}"),
       "key 'experts.shared_gate': needs a network to gate, of a shared_intermediate_size above 0"},
      {small(R"(, "experts": {"layers": [true], )" + some + "}"),
       "key 'experts.layers': must be a list with an entry for each of the 2 layers, got 1"},
      {small(R"(, "experts": {"top_k": 2, )" + some + "}"), "key 'experts.top_k': unknown"},
      {many, "all layers together would have 99000 experts; at most 65536 are supported"},
  });
}

TEST(Config, NetworksHaveActivationsAndMayHaveNoGate) {
  Config plain = valid(small());
  EXPECT_EQ(plain.mlpActivation, ActivationKind::Silu);
  EXPECT_TRUE(plain.mlpGated);
  Config config = valid(small(R"(, "mlp_activation": "relu2", "mlp_gated": false, "norm_unit_offset": true)"));
  EXPECT_EQ(config.mlpActivation, ActivationKind::Relu2);
  EXPECT_FALSE(config.mlpGated);
  EXPECT_TRUE(config.normUnitOffset);
  for (const ParameterSpec &parameter : parameters(config))
    EXPECT_EQ(parameter.name.find("gate_proj"), std::string::npos) << parameter.name;
  expectErrors({
      {small(R"(, "mlp_activation": "gelu")"),
       "key 'mlp_activation': must be one of \"silu\", \"gelu_tanh\", \"relu2\", got \"gelu\""},
      {small(R"(, "norm": "layer", "norm_unit_offset": true)"),
       "key 'norm_unit_offset': only norms of kind \"rms\" have one"},
  });
}

TEST(Config, TheNumberOfSsmHeadsMayBeGiven) {
  Config config = valid(withSsm(R"({"state_size": 4, "head_dim": 4, "num_heads": 3})"));
  EXPECT_EQ(config.ssmInner(), 12);
  EXPECT_EQ(config.ssmHeads(), 3);
  EXPECT_EQ(config.ssmProjection(), 12 + 12 + 2 * 4 + 3);
  EXPECT_EQ(valid(withSsm(R"({"state_size": 4, "head_dim": 4, "num_heads": 4, "expand": 2})")).ssmHeads(), 4);
  EXPECT_EQ(errorOf(withSsm(R"({"state_size": 4, "head_dim": 4, "num_heads": 3, "expand": 2})")),
            "key 'ssm.num_heads': times head_dim (4) must be expand * hidden_size (16), or leave out expand; got 3");
}

TEST(Config, UnknownKeysAreNamedAtEveryLevel) {
  expectErrors({
      {small(R"(, "windwo": 3)"), "key 'windwo': unknown"},
      {small(R"(, "": 3)"), "key '': unknown"},
      {withSsm(R"({"state_size": 4, "headdim": 4})"), "key 'ssm.headdim': unknown"},
      {withRouter(R"({"heads": 4})"), "key 'router.heads': unknown"},
      {withRouter(R"({"target": {"conv": 0.1}})"), "key 'router.target.conv': unknown"},
      {withRouter(R"({"max_tokens": {"SSM": 1}})"), "key 'router.max_tokens.SSM': unknown"},
      {withRouter(R"({"balancer": {"beta": 1}})"), "key 'router.balancer.beta': unknown"},
      {small(R"(, "rope_scaling": {"type": "linear", "factor": 2, "low_freq_factor": 1})"),
       "key 'rope_scaling.low_freq_factor': unknown"},
      {small(R"(, "rope_scaling": {"type": "none", "factor": 2})"), "key 'rope_scaling.factor': unknown"},
  });
}

TEST(Config, DuplicateKeysAreNamedAtEveryLevel) {
  expectErrors({
      {small(R"(, "hidden_size": 8)"), "key 'hidden_size': given twice"},
      {withSsm(R"({"state_size": 4, "state_size": 4})"), "key 'ssm.state_size': given twice"},
      {withRouter(R"({"target": {"ssm": 0, "ssm": 0}})"), "key 'router.target.ssm': given twice"},
  });
}

TEST(Config, TheTopLevelMustBeAnObject) {
  for (std::string text : {"[]", "3", "null", "\"x\"", "true"})
    EXPECT_NE(errorOf(text).find("must be a JSON object"), std::string::npos);
  EXPECT_NE(errorOf(R"({"model_type": "gpt2"})").find("key 'model_type': must be one of \"chimera\""),
            std::string::npos);
}

/// A key with a whole number: its range, and how to put a value there.
struct IntegerKey {
  std::string path;
  std::string before, after; ///< of the value, within small()'s extra keys or in place of ssm
  int64_t low, high;
  bool inSsm = false;
};

TEST(Config, WholeNumbersAreCheckedAtTheirBounds) {
  const int64_t size = 1 << 20;
  const std::vector<IntegerKey> keys = {
      {"num_key_value_heads", R"(, "num_key_value_heads": )", "", 1, size},
      {"window", R"(, "window": )", "", 1, int64_t{1} << 30},
      {"token_conv_kernel", R"(, "token_conv_kernel": )", "", 0, 16},
      {"bos_token_id", R"(, "bos_token_id": )", "", 0, 16},
      {"eos_token_id", R"(, "eos_token_id": )", "", 0, 16},
      {"max_position_embeddings", R"(, "max_position_embeddings": )", "", 1, int64_t{1} << 53},
      {"router.hidden_size", R"(, "router": {"kind": "mlp", "hidden_size": )", "}", 1, size},
      {"router.max_tokens.full", R"(, "router": {"max_tokens": {"full": )", "}}", 0, int64_t{1} << 53},
      {"ssm.state_size", R"({"head_dim": 4, "state_size": )", "}", 1, size, true},
      {"ssm.head_dim", R"({"state_size": 4, "head_dim": )", "}", 1, size, true},
      {"ssm.expand", R"({"state_size": 4, "head_dim": 4, "expand": )", "}", 1, size, true},
      {"ssm.n_groups", R"({"state_size": 4, "head_dim": 4, "n_groups": )", "}", 1, size, true},
      {"ssm.conv_kernel", R"({"state_size": 4, "head_dim": 4, "conv_kernel": )", "}", 1, 16, true},
  };
  for (const IntegerKey &key : keys) {
    auto with = [&](const std::string &value) {
      std::string inner = key.before + value + key.after;
      return key.inSsm ? withSsm(inner) : small(inner);
    };
    std::string range = "key '" + key.path + "': must be a whole number from " + std::to_string(key.low) + " to " +
                        std::to_string(key.high) + ", got ";
    valid(with(std::to_string(key.low)));
    for (std::string bad :
         {std::to_string(key.low - 1), std::to_string(key.high + 1), std::string("1.0"), std::string("1e0"),
          std::string("99999999999999999999"), std::string("true"), std::string("\"1\"")})
      EXPECT_EQ(errorOf(with(bad)), range + bad);
    EXPECT_EQ(errorOf(with("{}")), range + "an object");
    if (key.path != "eos_token_id") {
      EXPECT_EQ(errorOf(with("[1]")), range + "a list");
    }
  }
}

TEST(Config, NeededWholeNumbersAreCheckedAtTheirBounds) {
  const std::vector<std::tuple<std::string, std::string, int64_t, int64_t>> keys = {
      {"vocab_size", "17", 1, 1 << 20},        {"hidden_size", "8", 1, 1 << 20},
      {"num_hidden_layers", "2", 1, 1024},     {"num_attention_heads", "4", 1, 1 << 20},
      {"intermediate_size", "12", 0, 1 << 20}, {"head_dim", "6", 1, 1 << 20}};
  for (const auto &[name, value, low, high] : keys) {
    for (std::string bad : {std::to_string(low - 1), std::to_string(high + 1), std::string("2.0"), std::string("null"),
                            std::string("Infinity")}) {
      std::string text = small(), written = "\"" + name + "\": ";
      text.replace(text.find(written), written.size() + value.size(), written + bad);
      EXPECT_EQ(errorOf(text), "key '" + name + "': must be a whole number from " + std::to_string(low) + " to " +
                                   std::to_string(high) + ", got " + bad);
    }
  }
}

TEST(Config, OtherNumbersAreCheckedAtTheirBounds) {
  expectErrors({
      {small(R"(, "rope_theta": 0)"), "key 'rope_theta': must be > 0, got 0"},
      {small(R"(, "rope_theta": Infinity)"), "key 'rope_theta': must be > 0, got Infinity"},
      {small(R"(, "rope_theta": null)"), "key 'rope_theta': must be > 0, got null"},
      {small(R"(, "rope_theta": 1e999)"), "key 'rope_theta': the number 1e999 is out of range"},
      {small(R"(, "partial_rotary_factor": 0)"), "key 'partial_rotary_factor': must be > 0 and <= 1, got 0"},
      {small(R"(, "partial_rotary_factor": 1.01)"), "key 'partial_rotary_factor': must be > 0 and <= 1, got 1.01"},
      {small(R"(, "norm_eps": 0.0)"), "key 'norm_eps': must be > 0, got 0.0"},
      {small(R"(, "norm_eps": -1e-5)"), "key 'norm_eps': must be > 0, got -1e-5"},
      {small(R"(, "norm_eps": "1e-5")"), "key 'norm_eps': must be > 0, got \"1e-5\""},
      {withRouter(R"({"temperature": -1})"), "key 'router.temperature': must be > 0, got -1"},
      {withRouter(R"({"temperature": 0})"), "key 'router.temperature': must be > 0, got 0"},
      {withRouter(R"({"capacity_factor": 0})"), "key 'router.capacity_factor': must be > 0, got 0"},
      {withRouter(R"({"balancer": {"ema": 1.5}})"), "key 'router.balancer.ema': must be >= 0 and <= 1, got 1.5"},
      {withRouter(R"({"balancer": {"step": -1}})"), "key 'router.balancer.step': must be >= 0, got -1"},
      {withRouter(R"({"balancer": {"clip": -1}})"), "key 'router.balancer.clip': must be >= 0, got -1"},
      {withRouter(R"({"target": {"ssm": -0.1}})"), "key 'router.target.ssm': must be >= 0 and <= 1, got -0.1"},
      {withRouter(R"({"target": {"ssm": 0.7, "swa": 0.4}})"),
       "key 'router.target': the targets must sum to at most 1, got 1.100000"},
  });
  Config config = valid(withRouter(R"({"temperature": 0.25, "capacity_factor": 2, "target": {"ssm": 0.3, "full": 0.7},
                                       "balancer": {"ema": 0, "step": 0, "clip": 0}})"));
  EXPECT_EQ(config.router.temperature, 0.25);
  EXPECT_EQ(config.router.capacityFactor, 2.0);
  EXPECT_EQ(config.router.target, (std::array<double, 4>{0.3, 0.0, 0.7, 0.0}));
  EXPECT_EQ(config.router.balancerClip, 0.0);
  EXPECT_FALSE(valid(withRouter(R"({"capacity_factor": null, "max_tokens": null})")).router.capacityFactor);
}

TEST(Config, NamesAreCheckedAndUnderstood) {
  expectErrors({
      {small(R"(, "norm": "batch")"), "key 'norm': must be one of \"rms\", \"layer\", got \"batch\""},
      {small(R"(, "cache_write": 1)"), "key 'cache_write': must be one of \"routed\", \"all\", got 1"},
      {small(R"(, "identity_output": "x")"),
       "key 'identity_output': must be one of \"zero\", \"normed_input\", got \"x\""},
      {withSsm(R"({"state_size": 4, "kind": "s4"})"), "key 'ssm.kind': must be one of \"mamba2\", \"lti\", got \"s4\""},
      {withRouter(R"({"kind": []})"), "key 'router.kind': must be one of \"linear\", \"mlp\", got an empty list"},
      {withRouter(R"({"input_norm": null})"),
       "key 'router.input_norm': must be one of \"none\", \"rms\", \"layer\", got null"},
      {withRouter(R"({"gate": "two"})"), "key 'router.gate': must be one of \"one\", \"prob\", got \"two\""},
      {small(R"(, "tie_word_embeddings": 1)"), "key 'tie_word_embeddings': must be true or false, got 1"},
      {withRouter(R"({"bias_in_gate": "yes"})"), "key 'router.bias_in_gate': must be true or false, got \"yes\""},
      {withRouter(R"({"write_gate": 0})"), "key 'router.write_gate': must be true or false, got 0"},
      {withRouter("[]"), "key 'router': must be an object, got an empty list"},
      {withSsm("null"), "key 'ssm': must be an object, got null"},
      {withRouter(R"({"balancer": 1})"), "key 'router.balancer': must be an object, got 1"},
      {withRouter(R"({"hidden_size": 4})"), "key 'router.hidden_size': only a router of kind \"mlp\" has one"},
  });
  Config config = valid(small(R"(, "norm": "layer", "cache_write": "all", "identity_output": "normed_input",
      "tie_word_embeddings": true, "router": {"kind": "mlp", "hidden_size": 5, "input_norm": "rms", "gate": "one",
      "bias_in_gate": true, "write_gate": true})"));
  EXPECT_EQ(config.norm, NormKind::Layer);
  EXPECT_EQ(config.cacheWrite, CacheWrite::All);
  EXPECT_EQ(config.identityOutput, IdentityOutput::NormedInput);
  EXPECT_TRUE(config.tieWordEmbeddings);
  EXPECT_EQ(config.router.kind, RouterKind::Mlp);
  EXPECT_EQ(config.router.hiddenSize, 5);
  EXPECT_EQ(config.router.inputNorm, NormKind::Rms);
  EXPECT_EQ(config.router.gate, GateKind::One);
  EXPECT_TRUE(config.router.biasInGate);
  EXPECT_TRUE(config.router.writeGate);
}

TEST(Config, ModesAreSortedIntoCanonicalOrder) {
  EXPECT_EQ(valid(small(R"(, "modes": ["full", "ssm"])")).layerModes,
            (std::vector<Modes>{{Mode::Ssm, Mode::Full}, {Mode::Ssm, Mode::Full}}));
  Config config = valid(small(R"(, "modes": [["identity", "swa"], ["full"]])"));
  EXPECT_EQ(config.layerModes, (std::vector<Modes>{{Mode::Swa, Mode::Identity}, {Mode::Full}}));
  EXPECT_TRUE(config.hasRouter(0));
  EXPECT_FALSE(config.hasRouter(1));
  EXPECT_FALSE(config.uses(Mode::Ssm));
}

TEST(Config, WrongModesAreNamed) {
  const std::string names = "must be one of \"ssm\", \"swa\", \"full\", \"identity\", got ";
  const std::string list = "must be a list of mode names with at least one, got ";
  expectErrors({
      {small(R"(, "modes": [])"), "key 'modes': " + list + "an empty list"},
      {small(R"(, "modes": "ssm")"), "key 'modes': " + list + "\"ssm\""},
      {small(R"(, "modes": ["ssm", "mamba"])"), "key 'modes[1]': " + names + "\"mamba\""},
      {small(R"(, "modes": ["ssm", "full", "ssm"])"), "key 'modes[2]': the mode \"ssm\" is given twice"},
      {small(R"(, "modes": [["ssm"]])"), "key 'modes': must have one list for each of the 2 layers, got 1"},
      {small(R"(, "modes": [["ssm"], "full"])"), "key 'modes[1]': " + list + "\"full\""},
      {small(R"(, "modes": ["ssm", ["full"]])"), "key 'modes[1]': " + names + "a list"},
      {small(R"(, "modes": [["ssm"], []])"), "key 'modes[1]': " + list + "an empty list"},
      {small(R"(, "modes": [["ssm"], [3]])"), "key 'modes[1][0]': " + names + "3"},
  });
}

TEST(Config, KeysOfUnusedModesMayBeAbsentButAreChecked) {
  const std::string base = R"({"model_type": "chimera", "vocab_size": 17, "hidden_size": 8, "num_hidden_layers": 1,
                              "intermediate_size": 0, "modes": )";
  Config identity = valid(base + R"(["identity"]})");
  EXPECT_EQ(identity.numAttentionHeads, 0);
  EXPECT_FALSE(identity.usesAttention());
  valid(base + R"(["ssm"], "ssm": {"kind": "lti", "state_size": 3}})");
  valid(base + R"(["swa"], "num_attention_heads": 3, "head_dim": 2})");
  expectErrors({
      {base + R"(["swa"]})", "key 'num_attention_heads': missing"},
      {base + R"(["full"], "num_attention_heads": 3})", "key 'head_dim': missing"},
      {base + R"(["ssm"]})", "key 'ssm': missing"},
      {base + R"(["identity"], "head_dim": 0})", "key 'head_dim': must be a whole number from 1 to 1048576, got 0"},
      {base + R"(["identity"], "ssm": {"expand": 0}})",
       "key 'ssm.expand': must be a whole number from 1 to 1048576, got 0"},
  });
}

TEST(Config, WhatDividesIsChecked) {
  expectErrors({
      {small(R"(, "num_key_value_heads": 3)"), "key 'num_key_value_heads': must divide num_attention_heads (4), got 3"},
      {withSsm(R"({"state_size": 4, "head_dim": 5})"),
       "key 'ssm.head_dim': must divide the inner size, expand times the hidden size (16), got 5"},
      {withSsm(R"({"state_size": 4, "head_dim": 4, "n_groups": 3})"),
       "key 'ssm.n_groups': must divide the number of heads (4), got 3"},
      {small(R"(, "partial_rotary_factor": 0.5)"),
       "key 'partial_rotary_factor': times head_dim (6) must be an even whole number of at least 2, got 3.000000"},
      {small(R"(, "partial_rotary_factor": 0.4)"),
       "key 'partial_rotary_factor': times head_dim (6) must be an even whole number of at least 2, got 2.400000"},
      {small(R"(, "partial_rotary_factor": 1e-300)"),
       "key 'partial_rotary_factor': times head_dim (6) must be an even whole number of at least 2, got 0.000000"},
  });
  EXPECT_EQ(valid(small(R"(, "partial_rotary_factor": 0.3333333333333333)")).rotaryDims(), 2);
  valid(small(R"(, "num_key_value_heads": 2)"));
  // An lti mode needs none of Mamba-2's conditions.
  valid(withSsm(R"({"kind": "lti", "state_size": 4, "head_dim": 5})"));
}

TEST(Config, AnOddHeadSizeIsAnError) {
  std::string text = small();
  text.replace(text.find("\"head_dim\": 6"), 13, "\"head_dim\": 7");
  EXPECT_EQ(errorOf(text), "key 'head_dim': must be even, got 7");
}

TEST(Config, ProductsThatWouldOverflowAreErrors) {
  const std::string sizes = R"({"model_type": "chimera", "vocab_size": 1048576, "hidden_size": 1048576,
                               "num_hidden_layers": 1024, "intermediate_size": 1048576, "modes": )";
  EXPECT_NE(errorOf(sizes + R"(["full"], "num_attention_heads": 1048576, "head_dim": 1048576})")
                .find("key 'num_attention_heads': times head_dim must be at most 2147483647"),
            std::string::npos);
  EXPECT_NE(errorOf(sizes + R"(["ssm"], "ssm": {"state_size": 1048576, "expand": 1048576, "head_dim": 1}})")
                .find("key 'ssm': in_proj would have"),
            std::string::npos);
  EXPECT_NE(errorOf(sizes + R"(["full"], "num_attention_heads": 1024, "head_dim": 1048576})").find("elements"),
            std::string::npos);
  EXPECT_NE(errorOf(R"({"model_type": "chimera", "vocab_size": 2, "hidden_size": 2, "num_hidden_layers": 1,
                       "intermediate_size": 0, "modes": ["swa"], "num_attention_heads": 16384, "head_dim": 65536,
                       "window": 1073741824})")
                .find("cache would have"),
            std::string::npos);
}

TEST(Config, TimeStepLimitsMayBeInfinite) {
  auto with = [](const std::string &limit) {
    return withSsm(R"({"state_size": 4, "head_dim": 4, "time_step_limit": )" + limit + "}");
  };
  for (std::string high : {"Infinity", "null", R"({"__float__": "Infinity"})"}) {
    Config config = valid(with("[0.001, " + high + "]"));
    EXPECT_EQ(config.ssm.timeStepMin, 0.001);
    EXPECT_TRUE(std::isinf(config.ssm.timeStepMax)) << high;
  }
  EXPECT_EQ(valid(with("[0, 0.5]")).ssm.timeStepMax, 0.5);
  const std::string high =
      "key 'ssm.time_step_limit[1]': must be infinity or a number that is not below the first, got ";
  expectErrors({
      {with("[1, 0.5]"), high + "0.5"},
      {with("[0, \"inf\"]"), high + "\"inf\""},
      {with(R"([0, {"__float__": "NaN"}])"), high + "an object"},
      {with("[-1, 1]"), "key 'ssm.time_step_limit[0]': must be >= 0, got -1"},
      {with("[Infinity, Infinity]"), "key 'ssm.time_step_limit[0]': must be >= 0, got Infinity"},
      {with("[0]"), "key 'ssm.time_step_limit': must be a list of two numbers, got a list"},
      {with("null"), "key 'ssm.time_step_limit': must be a list of two numbers, got null"},
  });
}

TEST(Config, TokenIdsMayBeNullOrAList) {
  EXPECT_FALSE(valid(small(R"(, "bos_token_id": null)")).bosTokenId);
  EXPECT_EQ(valid(small(R"(, "bos_token_id": 16)")).bosTokenId, 16);
  EXPECT_EQ(valid(small(R"(, "eos_token_id": 3)")).eosTokenIds, (std::vector<int64_t>{3}));
  EXPECT_EQ(valid(small(R"(, "eos_token_id": [3, 5])")).eosTokenIds, (std::vector<int64_t>{3, 5}));
  EXPECT_TRUE(valid(small(R"(, "eos_token_id": null)")).eosTokenIds.empty());
  EXPECT_EQ(errorOf(small(R"(, "eos_token_id": [3, 17])")),
            "key 'eos_token_id[1]': must be a whole number from 0 to 16, got 17");
}

TEST(Config, TrainingIsSkipped) {
  valid(small(R"(, "training": {"anything": [1, {"goes": null}]})"));
  valid(small(R"(, "training": 3)"));
}

TEST(Config, RopeScalingIsChecked) {
  auto with = [](const std::string &scaling) { return small(", \"rope_scaling\": " + scaling); };
  EXPECT_EQ(valid(with("null")).ropeScaling.kind, RopeScalingKind::None);
  EXPECT_EQ(valid(with(R"({"type": "none"})")).ropeScaling.kind, RopeScalingKind::None);
  Config linear = valid(with(R"({"type": "linear", "factor": 4})"));
  EXPECT_EQ(linear.ropeScaling.kind, RopeScalingKind::Linear);
  EXPECT_EQ(linear.ropeScaling.factor, 4.0);
  Config llama3 = valid(with(R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})"));
  EXPECT_EQ(llama3.ropeScaling.kind, RopeScalingKind::Llama3);
  EXPECT_EQ(llama3.ropeScaling.originalMaxPositionEmbeddings, 8192);
  expectErrors({
      {with("{}"), "key 'rope_scaling.type': missing"},
      {with("3"), "key 'rope_scaling': must be an object, got 3"},
      {with(R"({"type": "longrope", "factor": 2})"),
       "key 'rope_scaling.type': must be one of \"none\", \"default\", \"linear\", \"llama3\", \"yarn\", got "
       "\"longrope\""},
      {with(R"({"type": "yarn", "factor": 2})"), "key 'rope_scaling.original_max_position_embeddings': missing"},
      {with(R"({"type": "yarn", "factor": 2, "original_max_position_embeddings": 64, "beta_fast": 0.5})"),
       "key 'rope_scaling.beta_fast': must be at least beta_slow"},
      {small(R"(, "partial_rotary_factor": 0.3333333333333333,
                "rope_scaling": {"type": "yarn", "factor": 2, "original_max_position_embeddings": 64})"),
       "key 'rope_scaling': of type \"yarn\" is supported for heads that are rotated as a whole, or with an "
       "attention_factor of 1"},
      {small(R"(, "rope_theta": 1,
                "rope_scaling": {"type": "yarn", "factor": 2, "original_max_position_embeddings": 64})"),
       "key 'rope_theta': must be above 1 with a rope_scaling of type \"yarn\", got 1.000000"},
      {with(R"({"type": "linear"})"), "key 'rope_scaling.factor': missing"},
      {with(R"({"type": "linear", "factor": 0.5})"), "key 'rope_scaling.factor': must be >= 1, got 0.5"},
      {with(R"({"type": "linear", "rope_type": "llama3", "factor": 2})"),
       "key 'rope_scaling.type': differs from 'rope_type'"},
      {with(R"({"type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4,
               "original_max_position_embeddings": 8192})"),
       "key 'rope_scaling.high_freq_factor': must be above low_freq_factor"},
      {with(R"({"type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4})"),
       "key 'rope_scaling.original_max_position_embeddings': missing"},
  });
}

TEST(Config, FilesAndDirectoriesAreRead) {
  std::string directory = testing::TempDir() + "chimera-config-test";
  std::string command = "mkdir -p '" + directory + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::ofstream(directory + "/config.json") << small();
  EXPECT_TRUE(std::holds_alternative<Config>(readConfig(directory)));
  EXPECT_TRUE(std::holds_alternative<Config>(readConfig(directory + "/config.json")));
  ConfigOrError missing = readConfig(directory + "/nothing.json");
  EXPECT_EQ(std::get<std::string>(missing), "'" + directory + "/nothing.json': cannot open: No such file or directory");
}

TEST(Config, AGenerationConfigBesideItIsRead) {
  std::string directory = testing::TempDir() + "chimera-generation-config-test";
  std::string command = "mkdir -p '" + directory + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::ofstream(directory + "/config.json") << small(", \"eos_token_id\": 1");
  std::ofstream(directory + "/generation_config.json") << "{\"eos_token_id\": [1, 16]}";
  for (const std::string &path : {directory, directory + "/config.json"}) {
    ConfigOrError config = readConfig(path);
    ASSERT_TRUE(std::holds_alternative<Config>(config)) << std::get<std::string>(config);
    EXPECT_EQ(std::get<Config>(config).eosTokenIds, (std::vector<int64_t>{1, 16}));
  }
  std::ofstream(directory + "/generation_config.json") << R"({"do_sample": true, "top_k": 5})";
  ConfigOrError sampled = readConfig(directory);
  ASSERT_TRUE(std::holds_alternative<Config>(sampled)) << std::get<std::string>(sampled);
  EXPECT_EQ(std::get<Config>(sampled).sampling, (chimera::abi::SamplingDefaults{1, 5, 1}));
  std::ofstream(directory + "/generation_config.json") << "{\"eos_token_id\": [1, 17]}";
  EXPECT_EQ(std::get<std::string>(readConfig(directory)),
            directory + "/generation_config.json: key 'eos_token_id[1]': must be a whole number from 0 to 16, got 17");
}

} // namespace
