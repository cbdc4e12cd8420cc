// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/frontend/ConfigTestSupport.h"

#include <cmath>
#include <set>

using namespace chimera;
using namespace chimera::test;

namespace {

/// "name [2,3]", with " optional" and " f32" where they hold.
std::vector<std::string> described(const Config &config) {
  std::vector<std::string> lines;
  for (const ParameterSpec &spec : parameters(config)) {
    std::string line = spec.name + " [";
    for (size_t i = 0; i < spec.shape.size(); ++i)
      line += (i ? "," : "") + std::to_string(spec.shape[i]);
    line += "]";
    line += spec.kind == ParameterKind::Accumulator ? " f32" : "";
    line += spec.optional ? " optional" : "";
    lines.push_back(line);
    EXPECT_EQ(spec.source, spec.name);
    EXPECT_EQ(spec.sourceShape, spec.shape);
    EXPECT_FALSE(spec.sourceRow);
    EXPECT_TRUE(spec.rowPermutation.empty());
  }
  return lines;
}

TEST(Parameters, ALayerWithExpertsHasThoseOfEachOfThem) {
  std::string text = small(R"(, "num_key_value_heads": 2, "modes": [["identity"], ["identity"]], "mlp_gated": false,
                              "experts": {"count": 2, "active": 1, "intermediate_size": 3, "bias": true,
                              "shared_intermediate_size": 5, "shared_gate": true, "layers": [true, false]})");
  EXPECT_EQ(
      described(valid(text)),
      (std::vector<std::string>{
          "embed_tokens.weight [17,8]", "layers.0.ffn_norm.weight [8] f32", "layers.0.ffn.router.weight [2,8] f32",
          "layers.0.ffn.router.bias [2] f32 optional", "layers.0.ffn.router.shared.weight [1,8] f32",
          "layers.0.ffn.experts.0.up_proj.weight [3,8]", "layers.0.ffn.experts.0.down_proj.weight [8,3]",
          "layers.0.ffn.experts.1.up_proj.weight [3,8]", "layers.0.ffn.experts.1.down_proj.weight [8,3]",
          "layers.0.ffn.up_proj.weight [5,8]", "layers.0.ffn.down_proj.weight [8,5]",
          "layers.1.ffn_norm.weight [8] f32", "layers.1.ffn.up_proj.weight [12,8]",
          "layers.1.ffn.down_proj.weight [8,12]", "norm.weight [8] f32", "lm_head.weight [17,8]"}));
}

TEST(Parameters, ARoutedLayerHasThoseOfEachOfItsModes) {
  std::string text = small(R"(, "num_key_value_heads": 2, "modes": [["ssm", "swa", "identity"], ["identity"]],
                              "token_conv_kernel": 3, "norm": "layer",
                              "router": {"kind": "mlp", "hidden_size": 5, "input_norm": "rms"})");
  EXPECT_EQ(described(valid(text)), (std::vector<std::string>{
                                        "embed_tokens.weight [17,8]",
                                        "layers.0.input_norm.weight [8] f32",
                                        "layers.0.input_norm.bias [8] f32",
                                        "layers.0.token_conv.weight [8,3] f32",
                                        "layers.0.token_conv.bias [8] f32",
                                        "layers.0.router.norm.weight [8] f32",
                                        "layers.0.router.fc1.weight [5,8] f32",
                                        "layers.0.router.fc2.weight [3,5] f32",
                                        "layers.0.router.bias [3] f32 optional",
                                        "layers.0.attn.q_proj.weight [24,8]",
                                        "layers.0.attn.k_proj.weight [12,8]",
                                        "layers.0.attn.v_proj.weight [12,8]",
                                        "layers.0.attn.o_proj.weight [8,24]",
                                        "layers.0.ssm.in_proj.weight [44,8]",
                                        "layers.0.ssm.conv.weight [24,4] f32",
                                        "layers.0.ssm.conv.bias [24] f32",
                                        "layers.0.ssm.dt_bias [4] f32",
                                        "layers.0.ssm.A_log [4] f32",
                                        "layers.0.ssm.D [4] f32",
                                        "layers.0.ssm.norm.weight [16] f32",
                                        "layers.0.ssm.out_proj.weight [8,16]",
                                        "layers.0.ffn_norm.weight [8] f32",
                                        "layers.0.ffn_norm.bias [8] f32",
                                        "layers.0.ffn.gate_proj.weight [12,8]",
                                        "layers.0.ffn.up_proj.weight [12,8]",
                                        "layers.0.ffn.down_proj.weight [8,12]",
                                        "layers.1.ffn_norm.weight [8] f32",
                                        "layers.1.ffn_norm.bias [8] f32",
                                        "layers.1.ffn.gate_proj.weight [12,8]",
                                        "layers.1.ffn.up_proj.weight [12,8]",
                                        "layers.1.ffn.down_proj.weight [8,12]",
                                        "norm.weight [8] f32",
                                        "norm.bias [8] f32",
                                        "lm_head.weight [17,8]",
                                    }));
}

TEST(Parameters, LtiTiedAndWithoutFeedForward) {
  Config config = valid(R"({"model_type": "chimera", "vocab_size": 3, "hidden_size": 2, "num_hidden_layers": 1,
      "intermediate_size": 0, "modes": ["ssm", "identity"], "ssm": {"kind": "lti", "state_size": 5},
      "tie_word_embeddings": true, "router": {"input_norm": "layer"}})");
  EXPECT_EQ(described(config), (std::vector<std::string>{
                                   "embed_tokens.weight [3,2]",
                                   "layers.0.input_norm.weight [2] f32",
                                   "layers.0.router.norm.weight [2] f32",
                                   "layers.0.router.norm.bias [2] f32",
                                   "layers.0.router.proj.weight [2,2] f32",
                                   "layers.0.router.bias [2] f32 optional",
                                   "layers.0.ssm.decay [5] f32",
                                   "layers.0.ssm.in_proj.weight [5,2]",
                                   "layers.0.ssm.out_proj.weight [2,5]",
                                   "norm.weight [2] f32",
                               }));
}

TEST(Parameters, NetworksMayBeInSomeLayersAndNormsAfterEverything) {
  Config config = valid(R"({"model_type": "chimera", "vocab_size": 3, "hidden_size": 2, "num_hidden_layers": 3,
      "intermediate_size": 5, "modes": [["ssm"], ["identity"], ["identity", "ssm"]], "post_norms": true,
      "ffn_layers": [false, true, false], "ssm": {"kind": "lti", "state_size": 4}, "tie_word_embeddings": true})");
  EXPECT_EQ(described(config), (std::vector<std::string>{
                                   "embed_tokens.weight [3,2]",
                                   "layers.0.input_norm.weight [2] f32",
                                   "layers.0.ssm.decay [4] f32",
                                   "layers.0.ssm.in_proj.weight [4,2]",
                                   "layers.0.ssm.out_proj.weight [2,4]",
                                   "layers.0.post_mixer_norm.weight [2] f32",
                                   "layers.1.ffn_norm.weight [2] f32",
                                   "layers.1.ffn.gate_proj.weight [5,2]",
                                   "layers.1.ffn.up_proj.weight [5,2]",
                                   "layers.1.ffn.down_proj.weight [2,5]",
                                   "layers.1.post_ffn_norm.weight [2] f32",
                                   "layers.2.input_norm.weight [2] f32",
                                   "layers.2.router.proj.weight [2,2] f32",
                                   "layers.2.router.bias [2] f32 optional",
                                   "layers.2.ssm.decay [4] f32",
                                   "layers.2.ssm.in_proj.weight [4,2]",
                                   "layers.2.ssm.out_proj.weight [2,4]",
                                   "layers.2.post_mixer_norm.weight [2] f32",
                                   "norm.weight [2] f32",
                               }));
}

TEST(RopeFrequencies, FallGeometricallyOverTheRotatedDimensions) {
  Config config = valid(small(R"(, "rope_theta": 81.0, "partial_rotary_factor": 0.6666666666666666)"));
  std::vector<double> frequencies = ropeFrequencies(config, Mode::Full);
  ASSERT_EQ(frequencies.size(), 2U);
  EXPECT_DOUBLE_EQ(frequencies[0], 1.0);
  EXPECT_DOUBLE_EQ(frequencies[1], 1.0 / 9.0);
}

TEST(RopeFrequencies, LinearScalingDividesAll) {
  Config config = valid(small(R"(, "rope_theta": 27.0, "rope_scaling": {"type": "linear", "factor": 4})"));
  std::vector<double> frequencies = ropeFrequencies(config, Mode::Full);
  ASSERT_EQ(frequencies.size(), 3U);
  EXPECT_DOUBLE_EQ(frequencies[0], 0.25);
  EXPECT_DOUBLE_EQ(frequencies[1], 0.25 / 3.0);
  EXPECT_DOUBLE_EQ(frequencies[2], 0.25 / 9.0);
}

TEST(RopeFrequencies, Llama3KeepsShortAndStretchesLongWavelengths) {
  // Wavelengths 2 pi, 20 pi, 200 pi against an original length of 100 pi: the turns are 50, 5 and 0.5.
  Config config = valid(small(R"(, "rope_theta": 1000.0, "rope_scaling": {"type": "llama3", "factor": 8,
      "low_freq_factor": 1, "high_freq_factor": 9, "original_max_position_embeddings": 314})"));
  std::vector<double> frequencies = ropeFrequencies(config, Mode::Full);
  ASSERT_EQ(frequencies.size(), 3U);
  EXPECT_DOUBLE_EQ(frequencies[0], 1.0);
  double turns = 314.0 * 0.1 / (2.0 * std::acos(-1.0)), kept = (turns - 1.0) / 8.0;
  EXPECT_NEAR(frequencies[1], 0.1 * (kept + (1.0 - kept) / 8.0), 1e-15);
  EXPECT_DOUBLE_EQ(frequencies[2], 0.01 / 8.0);
}

/// A model with one head of 16.
std::string headOf16(const std::string &more) {
  return R"({"model_type": "chimera", "vocab_size": 3, "hidden_size": 2, "num_hidden_layers": 2, "modes": ["swa", "full"],
      "intermediate_size": 0, "num_attention_heads": 1, "head_dim": 16, )" +
         more + "}";
}

TEST(RopeFrequencies, YarnBlendsBetweenTwoPairs) {
  // Pair 2 turns 65 times over 4096 positions, pair 6 0.65 times: the formulas of the paper, computed apart from this.
  Config config = valid(headOf16(R"("rope_layers": [true, false],
      "rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 4096})"));
  const double expected[] = {1.0,     0.31622776601683794,  0.1,     0.02569350598886808,
                             0.00625, 0.001383496476323666, 0.00025, 7.905694150420948e-05};
  std::vector<double> frequencies = ropeFrequencies(config, Mode::Full);
  ASSERT_EQ(frequencies.size(), 8U);
  for (size_t i = 0; i < 8; ++i)
    EXPECT_NEAR(frequencies[i], expected[i], 1e-15) << i;
  // Queries and keys are both stretched by 0.1 ln 4 + 1, where they are rotated.
  EXPECT_NEAR(config.attentionScale(0, Mode::Full), 0.25 * 1.2964769927807063, 1e-12);
  EXPECT_EQ(config.attentionScale(1, Mode::Full), 0.25);
  auto factor = [](const std::string &keys) {
    return valid(
               headOf16(R"("rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 4096, )" +
                        keys + "}"))
        .ropeScaling.attentionFactor;
  };
  EXPECT_EQ(factor(R"("attention_factor": 1.5)"), 1.5);
  EXPECT_NEAR(factor(R"("mscale": 1.0, "mscale_all_dim": 0.5)"), 1.1386294361119891 / 1.0693147180559945, 1e-15);
}

TEST(RopeFrequencies, AWindowMayHaveAThetaOfItsOwn) {
  Config config = valid(headOf16(R"("swa_rope_theta": 256, "rope_scaling": {"type": "linear", "factor": 2})"));
  EXPECT_DOUBLE_EQ(ropeFrequencies(config, Mode::Swa)[4], 1.0 / 16.0);
  EXPECT_DOUBLE_EQ(ropeFrequencies(config, Mode::Full)[4], 0.01 / 2.0);
  Config one = valid(headOf16(R"("rope_scaling": {"type": "linear", "factor": 2})"));
  EXPECT_EQ(ropeFrequencies(one, Mode::Swa), ropeFrequencies(one, Mode::Full));
}

} // namespace
