// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Families whose layers attend: what each key says, and what the library takes where it is left out.
#include "test/frontend/ForeignConfigs.h"

using namespace chimera;
using namespace chimera::test;

namespace {

TEST(ForeignConfig, LlamaIsFullAttentionEverywhere) {
  Config config = valid(llama);
  EXPECT_EQ(config.style, CheckpointStyle::Llama);
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Full}, {Mode::Full}}));
  EXPECT_EQ(config.headDim, 4);
  EXPECT_EQ(config.numKeyValueHeads, 2);
  EXPECT_EQ(config.intermediateSize, 24);
  EXPECT_EQ(config.ropeTheta, 500000.0);
  EXPECT_EQ(config.normEps, 1e-5);
  EXPECT_EQ(config.eosTokenIds, (std::vector<int64_t>{2, 5}));
  EXPECT_FALSE(config.tieWordEmbeddings);
  std::vector<std::string> names = sources(config);
  EXPECT_EQ(
      std::vector<std::string>(names.begin(), names.begin() + 10),
      (std::vector<std::string>{"model.embed_tokens.weight", "model.layers.0.input_layernorm.weight",
                                "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight",
                                "model.layers.0.self_attn.v_proj.weight", "model.layers.0.self_attn.o_proj.weight",
                                "model.layers.0.post_attention_layernorm.weight", "model.layers.0.mlp.gate_proj.weight",
                                "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.down_proj.weight"}));
  EXPECT_EQ(names[19], "model.norm.weight");
  EXPECT_EQ(names[20], "lm_head.weight");
  EXPECT_EQ(names.size(), 21U);
}

TEST(ForeignConfig, LlamaDefaultsAreThoseOfTheLibrary) {
  Config config = valid(R"({"model_type": "llama", "vocab_size": 9, "hidden_size": 64, "num_hidden_layers": 1})");
  EXPECT_EQ(config.numAttentionHeads, 32);
  EXPECT_EQ(config.numKeyValueHeads, 32);
  EXPECT_EQ(config.intermediateSize, 11008);
  EXPECT_EQ(config.normEps, 1e-6);
  EXPECT_EQ(config.ropeTheta, 10000.0);
  EXPECT_FALSE(config.tieWordEmbeddings);
}

TEST(ForeignConfig, RopeScalingHasAnOldAndANewForm) {
  const std::string scaling = R"("factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                                 "original_max_position_embeddings": 8192, "rope_type": "llama3")";
  Config old = valid(with(llama, "rope_scaling", "{" + scaling + "}"));
  EXPECT_EQ(old.ropeScaling.kind, RopeScalingKind::Llama3);
  std::string without = llama;
  without.erase(without.find("\"rope_theta\": 500000.0, "), 23);
  Config recent = valid(with(without, "rope_parameters", R"({"rope_theta": 500000.0, )" + scaling + "}"));
  EXPECT_EQ(ropeFrequencies(old, Mode::Full), ropeFrequencies(recent, Mode::Full));
  EXPECT_EQ(valid(with(without, "rope_parameters", R"({"rope_theta": 7.0, "rope_type": "default"})")).ropeTheta, 7.0);
  EXPECT_EQ(errorOf(with(llama, "rope_scaling", R"({"type": "dynamic", "factor": 2.0})")),
            "key 'rope_scaling.type': must be one of \"none\", \"default\", \"linear\", \"llama3\", \"yarn\", got "
            "\"dynamic\"");
}

TEST(ForeignConfig, MistralLooksBackThroughAWindowOrAtAll) {
  Config config = valid(mistral);
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Swa}, {Mode::Swa}}));
  EXPECT_EQ(config.window, 7);
  EXPECT_EQ(sources(config), sources(valid(llama)));
  EXPECT_EQ(valid(with(mistral, "sliding_window", "null")).layerModes,
            (std::vector<std::vector<Mode>>{{Mode::Full}, {Mode::Full}}));
  Config defaults = valid(R"({"model_type": "mistral", "vocab_size": 9, "hidden_size": 64, "num_hidden_layers": 1})");
  EXPECT_EQ(defaults.window, 4096);
  EXPECT_EQ(defaults.layerModes, (std::vector<std::vector<Mode>>{{Mode::Swa}}));
  EXPECT_EQ(defaults.numKeyValueHeads, 8);
  EXPECT_EQ(defaults.intermediateSize, 14336);
}

TEST(ForeignConfig, RelativesOfLlamaHaveTheirOwnDefaults) {
  Config qwen2 = valid(sizesOf("qwen2"));
  EXPECT_TRUE(qwen2.qkvBias);
  EXPECT_FALSE(qwen2.attentionOutBias || qwen2.mlpBias || qwen2.qkNorm || qwen2.tieWordEmbeddings);
  EXPECT_EQ(qwen2.numKeyValueHeads, 32);
  EXPECT_EQ(qwen2.intermediateSize, 22016);
  EXPECT_EQ(qwen2.headDim, 2);
  EXPECT_EQ(qwen2.normEps, 1e-6);

  Config qwen3 = valid(sizesOf("qwen3"));
  EXPECT_TRUE(qwen3.qkNorm);
  EXPECT_FALSE(qwen3.qkvBias);
  EXPECT_EQ(qwen3.headDim, 128);
  EXPECT_EQ(qwen3.layerModes, std::vector<std::vector<Mode>>(5, {Mode::Full}));

  Config granite = valid(sizesOf("granite"));
  EXPECT_EQ(granite.attentionMultiplier, 1.0); // of the library, not 1 / sqrt(head_dim)
  EXPECT_EQ(granite.embeddingMultiplier, 1.0);
  EXPECT_EQ(granite.intermediateSize, 11008);

  Config smollm3 = valid(sizesOf("smollm3"));
  EXPECT_EQ(smollm3.ropeLayers, (std::vector<bool>{true, true, true, false, true}));
  EXPECT_EQ(smollm3.ropeTheta, 2e6);
  EXPECT_EQ(smollm3.numAttentionHeads, 16);
  EXPECT_EQ(smollm3.numKeyValueHeads, 4);
  EXPECT_TRUE(smollm3.tieWordEmbeddings);
}

TEST(ForeignConfig, FamiliesWithExpertsHaveTheirOwnDefaults) {
  Config qwen3 = valid(sizesOf("qwen3_moe"));
  EXPECT_TRUE(qwen3.qkNorm);
  EXPECT_EQ(qwen3.numKeyValueHeads, 4);
  EXPECT_EQ(qwen3.intermediateSize, 6144);
  EXPECT_EQ(qwen3.experts.count, 128);
  EXPECT_EQ(qwen3.experts.active, 8);
  EXPECT_EQ(qwen3.experts.intermediateSize, 768);
  EXPECT_FALSE(qwen3.experts.normalized || qwen3.experts.sharedIntermediateSize > 0);
  EXPECT_TRUE(qwen3.hasExperts(0) && qwen3.networkSize(0) == 0);
  // The library's fifth version has another name for it.
  EXPECT_EQ(valid(sizesOf("qwen3_moe", R"(, "num_local_experts": 16)")).experts.count, 16);
  Config some = valid(sizesOf("qwen3_moe", R"(, "decoder_sparse_step": 2, "mlp_only_layers": [3])"));
  EXPECT_EQ(some.experts.layers, (std::vector<bool>{false, true, false, false, false}));
  EXPECT_EQ(some.networkSize(0), 6144);
  EXPECT_FALSE(valid(sizesOf("qwen3_moe", R"(, "num_experts": 0)")).hasExperts(1));
  EXPECT_EQ(errorOf(sizesOf("qwen3_moe", R"(, "num_experts": 8, "num_local_experts": 16)")),
            "key 'num_local_experts': differs from 'num_experts'");
  EXPECT_EQ(errorOf(sizesOf("qwen3_moe", R"(, "mlp_only_layers": [1, 5])")),
            "key 'mlp_only_layers[1]': must be a whole number from 0 to 4, got 5");
  EXPECT_EQ(errorOf(sizesOf("qwen3_moe", R"(, "num_experts": 4)")),
            "key 'num_experts_per_tok': must be at most the number of experts (4), got 8");
  EXPECT_EQ(errorOf(sizesOf("qwen3_moe", R"(, "use_sliding_window": true)")),
            "key 'use_sliding_window': only false is supported for this model_type");

  Config qwen2 = valid(sizesOf("qwen2_moe", R"(, "num_attention_heads": 16)"));
  EXPECT_TRUE(qwen2.qkvBias && !qwen2.attentionOutBias && qwen2.experts.sharedGate);
  EXPECT_EQ(qwen2.experts.sharedIntermediateSize, 5632);
  EXPECT_FALSE(valid(sizesOf("qwen2_moe", R"(, "qkv_bias": false)")).qkvBias);
  std::map<std::string, ParameterSpec> specs = byName(valid(sizesOf("qwen2_moe", R"(, "mlp_only_layers": [0])")));
  EXPECT_EQ(specs["layers.0.ffn.up_proj.weight"].source, "model.layers.0.mlp.up_proj.weight");
  EXPECT_EQ(specs["layers.1.ffn.up_proj.weight"].source, "model.layers.1.mlp.shared_expert.up_proj.weight");
  EXPECT_EQ(specs["layers.1.ffn.router.shared.weight"].source, "model.layers.1.mlp.shared_expert_gate.weight");
  EXPECT_EQ(specs["layers.1.ffn.experts.7.up_proj.weight"].source, "model.layers.1.mlp.experts.7.up_proj.weight");

  Config mixtral = valid(sizesOf("mixtral"));
  EXPECT_EQ(mixtral.ropeTheta, 1e6);
  EXPECT_EQ(mixtral.normEps, 1e-5);
  EXPECT_EQ(mixtral.layerModes[0], std::vector<Mode>{Mode::Full});
  EXPECT_TRUE(mixtral.experts.normalized);
  EXPECT_EQ(mixtral.experts.intermediateSize, 14336);
  EXPECT_EQ(valid(sizesOf("mixtral", R"(, "sliding_window": 9)")).layerModes[0], std::vector<Mode>{Mode::Swa});
  EXPECT_EQ(byName(mixtral)["layers.2.ffn.experts.1.up_proj.weight"].source,
            "model.layers.2.block_sparse_moe.experts.1.w3.weight");

  Config granite = valid(sizesOf("granitemoe"));
  EXPECT_EQ(granite.experts.intermediateSize, 11008);
  EXPECT_EQ(granite.experts.sharedIntermediateSize, 0);
  EXPECT_EQ(valid(sizesOf("granitemoeshared", R"(, "shared_intermediate_size": 7)")).networkSize(4), 7);
}

TEST(ForeignConfig, YarnIsMadeForTheModelsOwnLength) {
  const std::string yarn = R"(, "rope_scaling": {"type": "yarn", "factor": 4.0)";
  Config config = valid(sizesOf("qwen3", R"(, "max_position_embeddings": 32768)" + yarn + "}"));
  EXPECT_EQ(config.ropeScaling.originalMaxPositionEmbeddings, 32768);
  config = valid(sizesOf("qwen3", R"(, "max_position_embeddings": 131072)" + yarn +
                                      R"(, "original_max_position_embeddings": 32768})"));
  EXPECT_EQ(config.ropeScaling.originalMaxPositionEmbeddings, 32768);
  EXPECT_EQ(errorOf(sizesOf("qwen3", yarn + "}")), "key 'rope_scaling.original_max_position_embeddings': missing");
}

TEST(ForeignConfig, GemmasHaveTheirOwnDefaults) {
  Config gemma = valid(sizesOf("gemma"));
  EXPECT_EQ(gemma.embeddingMultiplier, 8.0);
  EXPECT_EQ(gemma.mlpActivation, ActivationKind::GeluTanh);
  EXPECT_TRUE(gemma.tieWordEmbeddings);
  EXPECT_FALSE(gemma.postNorms || gemma.attentionSoftCap || gemma.logitsSoftCap);
  EXPECT_TRUE(gemma.normUnitOffset);

  using Layers = std::vector<std::vector<Mode>>;
  const std::vector<Mode> full = {Mode::Full}, swa = {Mode::Swa};
  Config gemma2 = valid(sizesOf("gemma2"));
  EXPECT_EQ(gemma2.layerModes, (Layers{swa, full, swa, full, swa}));
  EXPECT_TRUE(gemma2.attentionSoftCap == 50.0 && gemma2.logitsSoftCap == 30.0);
  EXPECT_TRUE(gemma2.postNorms && gemma2.normUnitOffset && !gemma2.qkNorm && !gemma2.swaRopeTheta);
  EXPECT_EQ(byName(gemma2)["layers.1.post_ffn_norm.weight"].source, "model.layers.1.post_feedforward_layernorm.weight");
  Config uncapped = valid(sizesOf("gemma2", R"(, "attn_logit_softcapping": null, "final_logit_softcapping": 9,
      "layer_types": ["full_attention", "sliding_attention", "full_attention", "full_attention", "full_attention"])"));
  EXPECT_TRUE(!uncapped.attentionSoftCap && uncapped.logitsSoftCap == 9.0);
  EXPECT_EQ(uncapped.layerModes, (Layers{full, swa, full, full, full}));
  EXPECT_EQ(errorOf(sizesOf("gemma2", R"(, "final_logit_softcapping": 0)")),
            "key 'final_logit_softcapping': must be > 0, got 0");

  Config gemma3 = valid(sizesOf("gemma3_text", R"(, "sliding_window_pattern": 2)"));
  EXPECT_FALSE(gemma3.attentionSoftCap || gemma3.logitsSoftCap);
  EXPECT_EQ(gemma3.layerModes, (Layers{swa, full, swa, full, swa}));
  EXPECT_TRUE(gemma3.qkNorm && gemma3.postNorms);
  EXPECT_EQ(gemma3.window, 4096);
  EXPECT_EQ(gemma3.attentionMultiplier, 1.0 / 16.0);
  EXPECT_EQ(byName(gemma3)["layers.1.post_ffn_norm.weight"].source, "model.layers.1.post_feedforward_layernorm.weight");
  EXPECT_EQ(gemma3.ropeTheta, 1e6);
  EXPECT_EQ(gemma3.swaRopeTheta, 1e4);
  EXPECT_EQ(errorOf(sizesOf("gemma3_text", R"(, "hidden_activation": "gelu")")),
            "key 'hidden_activation': must be one of \"gelu_pytorch_tanh\", got \"gelu\"");
  EXPECT_EQ(errorOf(sizesOf("gemma3_text", R"(, "final_logit_softcapping": 30)")),
            "key 'final_logit_softcapping': only null is supported for this model_type");
  EXPECT_EQ(errorOf(sizesOf("gemma3_text", R"(, "use_bidirectional_attention": true)")),
            "key 'use_bidirectional_attention': only false is supported for this model_type");
  EXPECT_EQ(errorOf(sizesOf("gemma3_text", R"(, "rope_parameters": {"full_attention": {},
                            "sliding_attention": {"rope_type": "linear", "factor": 2}})")),
            "key 'rope_parameters.sliding_attention': only layers that look back at everything can be scaled");
}

TEST(ForeignConfig, WindowsAreThoseOfTheLayersThatHaveThem) {
  using Layers = std::vector<std::vector<Mode>>;
  const std::vector<Mode> full = {Mode::Full}, swa = {Mode::Swa};
  for (std::string family : {"qwen2", "qwen3", "smollm3"}) {
    Config late =
        valid(sizesOf(family, R"(, "use_sliding_window": true, "sliding_window": 12, "max_window_layers": 3)"));
    EXPECT_EQ(late.layerModes, (Layers{full, full, full, swa, swa})) << family;
    EXPECT_EQ(late.window, 12) << family;
    Config listed = valid(sizesOf(family, R"(, "use_sliding_window": true, "sliding_window": 12, "layer_types":
        ["sliding_attention", "full_attention", "full_attention", "sliding_attention", "full_attention"])"));
    EXPECT_EQ(listed.layerModes, (Layers{swa, full, full, swa, full})) << family;
    Config off = valid(sizesOf(family, R"(, "use_sliding_window": false, "sliding_window": 12)"));
    EXPECT_EQ(off.layerModes, Layers(5, full)) << family;
    EXPECT_EQ(errorOf(sizesOf(family, R"(, "layer_types": ["sliding_attention"])")),
              "key 'layer_types': must be a list with an entry for each of the 5 layers, got 1");
    EXPECT_EQ(
        errorOf(sizesOf(family, R"(, "layer_types": ["full_attention", "full_attention", "full_attention",
        "sliding_attention", "full_attention"])")),
        "key 'layer_types[3]': must be \"full_attention\" or, with use_sliding_window, \"sliding_attention\", got "
        "\"sliding_attention\"");
  }
  EXPECT_EQ(errorOf(sizesOf("smollm3", R"(, "no_rope_layers": [1, 1, 0, 2, 1])")),
            "key 'no_rope_layers[3]': must be 0 or 1, got 2");
  EXPECT_EQ(errorOf(sizesOf("qwen2", R"(, "attention_bias": false)")), "key 'attention_bias': only true is supported");
  EXPECT_EQ(errorOf(sizesOf("granite", R"(, "residual_multiplier": 0)")),
            "key 'residual_multiplier': must be > 0, got 0");
}

} // namespace
