// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/frontend/ConfigTestSupport.h"

#include <cmath>
#include <map>

using namespace chimera;
using namespace chimera::test;

namespace {

/// `text` with `"key": <anything without comma or bracket>` set to `value`, or the key added.
std::string with(std::string text, const std::string &key, const std::string &value) {
  std::string written = "\"" + key + "\": ";
  size_t at = text.find(written);
  if (at == std::string::npos) {
    text.insert(text.rfind('}'), ", " + written + value);
    return text;
  }
  at += written.size();
  size_t end = text[at] == '[' ? text.find(']', at) + 1 : text.find_first_of(",}", at);
  return text.replace(at, end - at, value);
}

const std::string llama = R"({
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1,
  "eos_token_id": [2, 5], "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": 24,
  "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 4,
  "num_hidden_layers": 2, "num_key_value_heads": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
  "rope_theta": 500000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.43.0",
  "use_cache": true, "vocab_size": 33})";

const std::string mistral = R"({
  "architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
  "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": 24,
  "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 4, "num_hidden_layers": 2,
  "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 7,
  "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.34.0", "use_cache": true,
  "vocab_size": 33})";

/// As the authors of Mamba-2 publish it.
const std::string mambaSsm = R"({
  "d_model": 64, "d_intermediate": 0, "n_layer": 2, "vocab_size": 33, "ssm_cfg": {"layer": "Mamba2"},
  "attn_layer_idx": [], "attn_cfg": {}, "rms_norm": true, "residual_in_fp32": true, "fused_add_norm": true,
  "pad_vocab_size_multiple": 16, "tie_embeddings": true})";

const std::string mamba2 = R"({
  "architectures": ["Mamba2ForCausalLM"], "bos_token_id": 0, "chunk_size": 256, "conv_kernel": 4, "eos_token_id": 0,
  "expand": 2, "head_dim": 8, "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.1,
  "layer_norm_epsilon": 1e-05, "model_type": "mamba2", "n_groups": 2, "num_heads": 4, "num_hidden_layers": 1,
  "pad_token_id": 0, "rescale_prenorm_residual": false, "residual_in_fp32": true, "rms_norm": true, "state_size": 5,
  "tie_word_embeddings": true, "time_step_floor": 0.0001, "time_step_limit": [0.0, Infinity], "time_step_max": 0.1,
  "time_step_min": 0.001, "time_step_rank": 256, "use_bias": false, "use_cache": true, "use_conv_bias": true,
  "vocab_size": 33})";

const std::string bamba = R"({
  "architectures": ["BambaForCausalLM"], "attention_bias": false, "attn_layer_indices": [1], "attn_rotary_emb": 2,
  "hidden_act": "silu", "hidden_size": 16, "intermediate_size": 24, "mamba_chunk_size": 256, "mamba_conv_bias": true,
  "mamba_d_conv": 4, "mamba_d_head": 8, "mamba_d_state": 5, "mamba_expand": 2, "mamba_n_groups": 1,
  "mamba_n_heads": 4, "mamba_proj_bias": false, "mlp_bias": false, "model_type": "bamba", "num_attention_heads": 4,
  "num_hidden_layers": 3, "num_key_value_heads": 2, "num_logits_to_keep": 1, "partial_rotary_factor": 0.5,
  "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0, "tie_word_embeddings": false,
  "use_mamba_kernels": true, "vocab_size": 33})";

const std::string chimeraLm =
    R"({"model_type": "chimera-lm", "vocab_size": 33, "num_layers": 2, "dim": 16, "num_heads": 2,
  "window": 7, "ssm_state": 5, "target_dist": [0.1, 0.6, 0.2, 0.1], "ffn_mult": 2.6666666666666665,
  "max_seq_len": 1024, "rope_base": 10000.0, "tie_embeddings": true})";

std::map<std::string, ParameterSpec> byName(const Config &config) {
  std::map<std::string, ParameterSpec> result;
  for (ParameterSpec &spec : parameters(config)) {
    std::string name = spec.name;
    result[name] = std::move(spec);
  }
  return result;
}

std::vector<std::string> sources(const Config &config) {
  std::vector<std::string> names;
  for (const ParameterSpec &spec : parameters(config))
    names.push_back(spec.source);
  return names;
}

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

TEST(ForeignConfig, Mamba2IsSsmEverywhere) {
  Config config = valid(mamba2);
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Ssm}}));
  EXPECT_EQ(config.intermediateSize, 0);
  EXPECT_EQ(config.ssmHeads(), 4);
  EXPECT_EQ(config.ssm.groups, 2);
  EXPECT_TRUE(std::isinf(config.ssm.timeStepMax));
  EXPECT_EQ(sources(config),
            (std::vector<std::string>{"backbone.embeddings.weight", "backbone.layers.0.norm.weight",
                                      "backbone.layers.0.mixer.in_proj.weight", "backbone.layers.0.mixer.conv1d.weight",
                                      "backbone.layers.0.mixer.conv1d.bias", "backbone.layers.0.mixer.dt_bias",
                                      "backbone.layers.0.mixer.A_log", "backbone.layers.0.mixer.D",
                                      "backbone.layers.0.mixer.norm.weight", "backbone.layers.0.mixer.out_proj.weight",
                                      "backbone.norm_f.weight"}));
  ParameterSpec conv = byName(config)["layers.0.ssm.conv.weight"];
  EXPECT_EQ(conv.shape, (std::vector<int64_t>{52, 4}));
  EXPECT_EQ(conv.sourceShape, (std::vector<int64_t>{52, 1, 4}));
}

TEST(ForeignConfig, BambaMixesMamba2AndHalfRotatedAttention) {
  Config config = valid(bamba);
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Ssm}, {Mode::Full}, {Mode::Ssm}}));
  EXPECT_EQ(config.rotaryDims(), 2);
  EXPECT_EQ(config.ssm.stateSize, 5);
  std::map<std::string, ParameterSpec> specs = byName(config);
  EXPECT_EQ(specs["layers.0.ssm.conv.weight"].source, "model.layers.0.mamba.conv1d.weight");
  EXPECT_EQ(specs["layers.0.ssm.A_log"].source, "model.layers.0.mamba.A_log");
  EXPECT_EQ(specs["layers.2.ssm.norm.weight"].source, "model.layers.2.mamba.norm.weight");
  EXPECT_EQ(specs["layers.1.attn.o_proj.weight"].source, "model.layers.1.self_attn.o_proj.weight");
  EXPECT_EQ(specs["layers.1.ffn_norm.weight"].source, "model.layers.1.pre_ff_layernorm.weight");
  EXPECT_EQ(specs["layers.1.ffn.up_proj.weight"].source, "model.layers.1.feed_forward.up_proj.weight");
  EXPECT_EQ(specs["norm.weight"].source, "model.final_layernorm.weight");
  EXPECT_EQ(valid(with(bamba, "mamba_d_head", "\"auto\"")).ssm.headDim, 8);
}

TEST(ForeignConfig, ChimeraLmHasItsModesInAnotherOrder) {
  Config config = valid(chimeraLm);
  EXPECT_EQ(config.layerModes[1], (std::vector<Mode>{Mode::Ssm, Mode::Swa, Mode::Full, Mode::Identity}));
  EXPECT_EQ(config.norm, NormKind::Layer);
  EXPECT_EQ(config.normEps, 1e-5);
  EXPECT_EQ(config.router.inputNorm, NormKind::Layer);
  EXPECT_EQ(config.router.gate, GateKind::One);
  EXPECT_TRUE(config.router.biasInGate);
  EXPECT_FALSE(config.router.writeGate);
  EXPECT_EQ(config.router.target, (std::array<double, 4>{0.6, 0.2, 0.1, 0.1}));
  EXPECT_EQ(config.cacheWrite, CacheWrite::All);
  EXPECT_EQ(config.identityOutput, IdentityOutput::NormedInput);
  EXPECT_EQ(config.ssm.kind, SsmKind::Lti);
  EXPECT_EQ(config.intermediateSize, 64); // 42.67, rounded up to a multiple of 64
  EXPECT_EQ(config.window, 7);
  EXPECT_TRUE(config.tieWordEmbeddings);
  std::map<std::string, ParameterSpec> specs = byName(config);
  EXPECT_EQ(specs["layers.0.router.proj.weight"].rowPermutation, (std::vector<int64_t>{1, 2, 3, 0}));
  EXPECT_EQ(specs["layers.0.router.bias"].rowPermutation, (std::vector<int64_t>{1, 2, 3, 0}));
  EXPECT_TRUE(specs["layers.0.router.norm.weight"].rowPermutation.empty());
  const std::vector<std::pair<std::string, std::string>> names = {
      {"embed_tokens.weight", "tok_embed.weight"},
      {"layers.1.input_norm.bias", "layers.1.norm_in.bias"},
      {"layers.1.router.norm.bias", "layers.1.router.norm.bias"},
      {"layers.1.router.proj.weight", "layers.1.router.proj.weight"},
      {"layers.1.router.bias", "layers.1.router.balancer.bias"},
      {"layers.1.attn.q_proj.weight", "layers.1.proj_q.weight"},
      {"layers.1.attn.o_proj.weight", "layers.1.proj_o.weight"},
      {"layers.1.ssm.decay", "layers.1.ssm.decay"},
      {"layers.1.ffn_norm.weight", "layers.1.norm_post.weight"},
      {"layers.1.ffn.gate_proj.weight", "layers.1.ffn.w_gate.weight"},
      {"layers.1.ffn.up_proj.weight", "layers.1.ffn.w_up.weight"},
      {"layers.1.ffn.down_proj.weight", "layers.1.ffn.w_down.weight"},
      {"norm.bias", "norm_final.bias"}};
  for (const auto &[ours, theirs] : names)
    EXPECT_EQ(specs[ours].source, theirs);
  EXPECT_EQ(byName(valid(with(chimeraLm, "tie_embeddings", "false")))["lm_head.weight"].source, "unembed.weight");
  valid(R"({"model_type": "chimera-lm"})");
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

TEST(ForeignConfig, MambaSsmIsToldByItsArguments) {
  Config config = valid(mambaSsm);
  EXPECT_EQ(config.style, CheckpointStyle::MambaSsm);
  EXPECT_EQ(config.vocabSize, 48); // 33, rounded up to a multiple of 16
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Ssm}, {Mode::Ssm}}));
  EXPECT_EQ(config.ssm.stateSize, 128);
  EXPECT_EQ(config.ssm.groups, 1);
  EXPECT_EQ(config.ssm.headDim, 64);
  EXPECT_EQ(config.norm, NormKind::Rms);
  EXPECT_TRUE(config.tieWordEmbeddings);
  EXPECT_EQ(sources(config)[0], "backbone.embedding.weight");
  EXPECT_EQ(sources(config)[2], "backbone.layers.0.mixer.in_proj.weight");
  EXPECT_EQ(valid(with(mambaSsm, "rms_norm", "false")).norm, NormKind::Layer);
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"ssm_cfg", "{}", "key 'ssm_cfg.layer': missing, which stands for Mamba-1; only \"Mamba2\" is supported"},
      {"ssm_cfg", "{\"layer\": \"Mamba1\"}", "key 'ssm_cfg.layer': must be one of \"Mamba2\", got \"Mamba1\""},
      {"ssm_cfg", "{\"layer\": \"Mamba2\", \"norm_before_gate\": true}",
       "key 'ssm_cfg.norm_before_gate': only false is supported"},
      {"ssm_cfg", "{\"layer\": \"Mamba2\", \"d_ssm\": 24}", "key 'ssm_cfg.d_ssm': must be expand * d_model (128)"},
      {"ssm_cfg", "{\"layer\": \"Mamba2\", \"new\": 1}", "key 'ssm_cfg.new': not supported"},
      {"attn_layer_idx", "[1]", "key 'attn_cfg.num_heads': missing"},
      {"attn_layer_idx", "[2]", "key 'attn_layer_idx[0]': must be a whole number from 0 to 1, got 2"}};
  for (const auto &[name, value, error] : cases) {
    std::string text = mambaSsm;
    std::string key = "\"" + name + "\": ";
    size_t at = text.find(key) + key.size(), end = text.find_first_of("}],0", at) + 1;
    EXPECT_EQ(errorOf(text.replace(at, end - at, value)), error) << text;
  }
}

TEST(ForeignConfig, MambaSsmAttendsWhereItSays) {
  auto with = [](const std::string &attention) {
    std::string text = mambaSsm;
    auto replace = [&](const std::string &from, const std::string &to) {
      text.replace(text.find(from), from.size(), to);
    };
    replace(R"("attn_layer_idx": [], "attn_cfg": {})", R"("attn_layer_idx": [1], "attn_cfg": {)" + attention + "}");
    replace(R"("d_intermediate": 0)", R"("d_intermediate": 200)");
    return text;
  };
  Config config = valid(with(R"("causal": true, "num_heads": 4, "num_heads_kv": 2, "head_dim": 8, "d_conv": 4,
                                "out_proj_bias": false, "rotary_emb_dim": 4)"));
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Ssm}, {Mode::Full}}));
  EXPECT_EQ(config.intermediateSize, 256); // rounded up to whole hundred-and-twenty-eights
  EXPECT_TRUE(config.qkvBias && !config.attentionOutBias && config.rotates(1));
  EXPECT_TRUE(config.attentionConvKernel == 4 && config.rotaryDims() == 4);
  std::map<std::string, ParameterSpec> specs = byName(config);
  const ParameterSpec &values = specs["layers.1.attn.v_conv.weight"];
  EXPECT_EQ(values.source, "backbone.layers.1.mixer.conv1d.weight");
  EXPECT_EQ(values.sourceShape, (std::vector<int64_t>{64, 1, 4}));
  EXPECT_EQ(values.sourceRow, 48);
  EXPECT_EQ(specs["layers.1.attn.k_proj.bias"].sourceRow, 32);
  EXPECT_EQ(specs["layers.0.ffn.gate_proj.weight"].sourceRow, 256);
  EXPECT_EQ(specs["layers.0.ffn.up_proj.weight"].source, "backbone.layers.0.mlp.fc1.weight");
  EXPECT_EQ(specs["layers.0.ffn_norm.weight"].source, "backbone.layers.0.norm2.weight");
  EXPECT_FALSE(valid(with(R"("causal": true, "num_heads": 4)")).rotates(1));
  for (auto [keys, error] : std::vector<std::pair<std::string, std::string>>{
           {R"("num_heads": 4)", "key 'attn_cfg.causal': only true is supported"},
           {R"("num_heads": 3)", "key 'attn_cfg.num_heads': must divide d_model (64), got 3"},
           {R"("num_heads": 4, "causal": true, "rotary_emb_interleaved": true)",
            "key 'attn_cfg.rotary_emb_interleaved': only false is supported"},
           {R"("num_heads": 4, "causal": true, "mlp_dim": 5)", "key 'attn_cfg.mlp_dim': only 0 is supported"},
           {R"("num_heads": 4, "causal": true, "new": 5)", "key 'attn_cfg.new': not supported"}})
    EXPECT_EQ(errorOf(with(keys)), error);
}

/// Keys as published configs carry them, whose values change nothing.
TEST(ForeignConfig, KeysWithNeutralValuesAreAccepted) {
  const std::vector<std::string> neutral = {
      R"("attention_bias": null)",
      R"("gradient_checkpointing": false)",
      R"("is_llama_config": true)",
      R"("layer_types": ["full_attention", "full_attention"])",
      R"("quantization_config": null)",
      R"("rope_interleaved": false)",
      R"("sliding_window": null)",
      R"("tokenizer_class": "LlamaTokenizer")",
      R"("transformers.js_config": {"dtype": "q4"})",
      R"("unsloth_version": "2025.1")",
      R"("use_sliding_window": false, "max_window_layers": 28, "sliding_window": 4096)",
      R"("head_dim": null)",
      R"("num_key_value_heads": null)",
      R"("rope_scaling": null)",
      R"("pruned_heads": {})",
      R"("logits_scaling": 1.0)",
      R"("embedding_multiplier": 1)",
      R"("final_logit_softcapping": null)",
      R"("no_rope_layers": [1, 1])",
      R"("num_experts": 0)",
      R"("is_encoder_decoder": false)",
      R"("temperature": 1.0)",
      R"("top_k": 50)",
      R"("id2label": {"0": "LABEL_0"})",
      R"("torchscript": false)",
      R"("hidden_dropout": 0.1)",
      R"("never_heard_of": null)"};
  const std::string begin = R"({"model_type": "llama", "vocab_size": 33, "hidden_size": 64, "num_hidden_layers": 2, )";
  for (const std::string &keys : neutral) {
    Config config = valid(begin + keys + "}");
    EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{{Mode::Full}, {Mode::Full}})) << keys;
    EXPECT_EQ(config.numAttentionHeads, 32) << keys;
    EXPECT_EQ(config.numKeyValueHeads, 32) << keys;
    EXPECT_EQ(config.headDim, 2) << keys;
  }
}

TEST(ForeignConfig, WhatRotationSaysTwiceMustAgree) {
  const std::string begin = R"({"model_type": "llama", "vocab_size": 33, "hidden_size": 64, "num_hidden_layers": 2, )";
  auto theta = [&](const std::string &keys) { return valid(begin + keys + "}").ropeTheta; };
  EXPECT_EQ(theta(R"("rope_theta": 5e5, "rope_parameters": {"rope_type": "default", "rope_theta": 500000})"), 5e5);
  EXPECT_EQ(theta(R"("rope_parameters": {"rope_theta": 5e5})"), 5e5);
  EXPECT_EQ(theta(R"("rope_theta": null, "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"})"), 5e5);
  EXPECT_EQ(theta(R"("rope_theta": 5e5, "rope_scaling": {"rope_theta": 5e5, "type": "default"})"), 5e5);
  EXPECT_EQ(theta(R"("rope_parameters": {"rope_type": "default"})"), 1e4);
  Config both = valid(begin + R"("rope_scaling": {"type": "linear", "factor": 2.0},
                                 "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 7.0}})");
  EXPECT_EQ(both.ropeScaling.factor, 2.0);
  EXPECT_EQ(both.ropeTheta, 7.0);
  EXPECT_EQ(errorOf(begin + R"("rope_theta": 5e5, "rope_parameters": {"rope_theta": 1e4}})"),
            "key 'rope_parameters.rope_theta': differs from the rope_theta that the config has elsewhere");
  EXPECT_EQ(errorOf(begin + R"("rope_scaling": {"type": "linear", "factor": 2.0},
                               "rope_parameters": {"rope_type": "default"}})"),
            "key 'rope_parameters': differs from 'rope_scaling'");
}

/// A config of the family with sizes alone, so that all else is the library's default.
std::string sizesOf(const std::string &family, const std::string &more = "") {
  return R"({"model_type": ")" + family + R"(", "vocab_size": 33, "hidden_size": 64, "num_hidden_layers": 5)" + more +
         "}";
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

TEST(ForeignConfig, GraniteHybridsMayHaveExperts) {
  const std::string sizes = R"(, "mamba_n_heads": 8, "mamba_d_state": 4, "num_attention_heads": 4)";
  auto with = [&](const std::string &more) { return sizesOf("granitemoehybrid", sizes + more); };
  Config config = valid(with(R"(, "num_local_experts": 0)"));
  EXPECT_EQ(config.layerModes, std::vector<std::vector<Mode>>(5, {Mode::Ssm}));
  EXPECT_EQ(config.ssm.headDim, 16); // expand * hidden_size / mamba_n_heads
  EXPECT_EQ(config.intermediateSize, 1024);
  std::map<std::string, ParameterSpec> specs = byName(config);
  for (auto [ours, row] : {std::pair("gate", 0), std::pair("up", 1024)}) {
    const ParameterSpec &spec = specs["layers.3.ffn." + std::string(ours) + "_proj.weight"];
    EXPECT_EQ(spec.source, "model.layers.3.shared_mlp.input_linear.weight");
    EXPECT_EQ(spec.shape, (std::vector<int64_t>{1024, 64}));
    EXPECT_EQ(spec.sourceShape, (std::vector<int64_t>{2048, 64}));
    EXPECT_EQ(spec.sourceRow, row);
  }
  EXPECT_EQ(specs["layers.3.ffn.down_proj.weight"].source, "model.layers.3.shared_mlp.output_linear.weight");
  EXPECT_FALSE(specs["layers.3.ffn.down_proj.weight"].sourceRow);
  EXPECT_FALSE(config.rotates(0));
  EXPECT_EQ(config.experts.count, 0);
  config = valid(with(R"(, "intermediate_size": 12)"));
  EXPECT_EQ(config.experts.count, 8);
  EXPECT_EQ(config.experts.active, 2);
  EXPECT_EQ(config.experts.intermediateSize, 12);
  EXPECT_EQ(config.experts.sharedIntermediateSize, 1024);
  EXPECT_TRUE(config.experts.normalized && config.experts.score == ExpertScore::Softmax);
  specs = byName(config);
  EXPECT_EQ(specs["layers.3.ffn.router.weight"].source, "model.layers.3.block_sparse_moe.router.layer.weight");
  EXPECT_EQ(specs["layers.3.ffn.up_proj.weight"].source, "model.layers.3.shared_mlp.input_linear.weight");
  EXPECT_EQ(specs["layers.3.ffn.up_proj.weight"].sourceRow, 1024);
  for (auto [ours, theirs, shape, row] : {std::tuple("gate", "input", std::vector<int64_t>{8, 24, 64}, 120),
                                          std::tuple("up", "input", std::vector<int64_t>{8, 24, 64}, 132),
                                          std::tuple("down", "output", std::vector<int64_t>{8, 64, 12}, 320)}) {
    const ParameterSpec &spec = specs["layers.3.ffn.experts.5." + std::string(ours) + "_proj.weight"];
    EXPECT_EQ(spec.source, "model.layers.3.block_sparse_moe." + std::string(theirs) + "_linear.weight");
    EXPECT_EQ(spec.sourceShape, shape);
    EXPECT_EQ(spec.sourceRow, row);
  }
  EXPECT_EQ(errorOf(with(R"(, "num_local_experts": 0, "layer_types": ["mamba", "conv", "mamba", "mamba", "mamba"])")),
            "key 'layer_types[1]': must be \"mamba\" or \"attention\", got \"conv\"");
  EXPECT_EQ(errorOf(with(R"(, "num_local_experts": 0, "position_embedding_type": "alibi")")),
            "key 'position_embedding_type': must be one of \"nope\", \"rope\", got \"alibi\"");
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

TEST(ForeignConfig, FalconH1HasMambaBesideAttention) {
  auto with = [](const std::string &more) {
    return sizesOf("falcon_h1", R"(, "mamba_d_ssm": 48, "mamba_n_heads": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2)" + more);
  };
  Config config = valid(with(""));
  EXPECT_EQ(config.layerModes, std::vector<std::vector<Mode>>(5, {Mode::Full}));
  EXPECT_EQ(config.parallelMode(4), Mode::Ssm);
  EXPECT_TRUE(config.layerHas(4, Mode::Ssm) && !config.ssm.gatedNorm && config.ssm.convBias);
  EXPECT_EQ(config.ssm.headDim, 16); // mamba_d_ssm / mamba_n_heads
  EXPECT_EQ(config.ropeTheta, 100000.0);
  EXPECT_EQ(byName(config)["layers.1.ssm.conv.weight"].source, "model.layers.1.mamba.conv1d.weight");
  EXPECT_EQ(byName(config)["layers.1.attn.q_proj.weight"].source, "model.layers.1.self_attn.q_proj.weight");
  EXPECT_FALSE(byName(config).count("layers.1.ssm.norm.weight"));
  config = valid(with(R"(, "mamba_conv_bias": false, "key_multiplier": 0.5, "lm_head_multiplier": 0.25,
      "mlp_multipliers": [0.5, 2], "ssm_multipliers": [1, 2, 3, 4, 5])"));
  EXPECT_TRUE(byName(config)["layers.1.ssm.conv.bias"].optional);
  EXPECT_EQ(config.attentionScale(0, Mode::Full), 0.5 / std::sqrt(16.0));
  EXPECT_EQ(config.logitsScaling, 4.0);
  EXPECT_TRUE(config.mlpGateMultiplier == 0.5 && config.mlpOutputMultiplier == 2.0);
  EXPECT_EQ(config.ssm.projectionMultipliers, (std::array<double, 5>{1, 2, 3, 4, 5}));
  valid(with(R"(, "mamba_rms_norm": true, "mamba_norm_before_gate": false)"));
  EXPECT_EQ(errorOf(with(R"(, "mamba_rms_norm": true, "mamba_norm_before_gate": true)")),
            "key 'mamba_norm_before_gate': only false is supported");
  EXPECT_EQ(errorOf(with(R"(, "projectors_bias": true)")),
            "key 'projectors_bias': must be the same as 'mamba_proj_bias'");
  EXPECT_EQ(errorOf(with(R"(, "mlp_multipliers": [1])")),
            "key 'mlp_multipliers': must be a list of 2 numbers, got a list");
  EXPECT_EQ(errorOf(with(R"(, "ssm_multipliers": [1, 1, 0, 1, 1])")),
            "key 'ssm_multipliers[2]': must be a finite number above 0, got 0");
  EXPECT_EQ(errorOf(with(R"(, "mamba_d_head": 8)")),
            "key 'mamba_n_heads': times the head size (8) must be the inner size (48), got 3");
  EXPECT_EQ(valid(sizesOf("falcon_h1", R"(, "mamba_d_ssm": null, "mamba_n_heads": 8)")).ssmInner(), 128);
}

TEST(ForeignConfig, NemotronHIsReadByItsPattern) {
  auto with = [](const std::string &more) {
    return sizesOf("nemotron_h", R"(, "mamba_num_heads": 16, "mamba_head_dim": 10)" + more);
  };
  Config config = valid(with(R"(, "hybrid_override_pattern": "M-*-M")"));
  EXPECT_EQ(config.layerModes, (std::vector<std::vector<Mode>>{
                                   {Mode::Ssm}, {Mode::Identity}, {Mode::Full}, {Mode::Identity}, {Mode::Ssm}}));
  EXPECT_EQ(config.ffnLayers, (std::vector<bool>{false, true, false, true, false}));
  EXPECT_EQ(config.ssmInner(), 160);
  EXPECT_FALSE(config.mlpGated || config.rotates(2));
  EXPECT_EQ(config.mlpActivation, ActivationKind::Relu2);
  EXPECT_EQ(byName(config)["layers.1.ffn_norm.weight"].source, "backbone.layers.1.norm.weight");
  EXPECT_EQ(byName(config)["layers.1.ffn.up_proj.weight"].source, "backbone.layers.1.mixer.up_proj.weight");
  const std::string blocks = R"(, "layers_block_type": ["mamba", "mlp", "attention", "mlp", "mamba"])";
  EXPECT_EQ(valid(with(blocks)).layerModes, config.layerModes);
  valid(with(blocks + R"(, "hybrid_override_pattern": "M-*-M")"));
  EXPECT_EQ(errorOf(with(blocks + R"(, "hybrid_override_pattern": "M-*M-")")),
            "key 'hybrid_override_pattern': differs from 'layers_block_type' in layer 3");
  EXPECT_EQ(errorOf(with("")), "key 'hybrid_override_pattern': missing");
  EXPECT_EQ(errorOf(with(R"(, "hybrid_override_pattern": "M-")")),
            "key 'hybrid_override_pattern': must have a letter for each of the 5 layers, got \"M-\"");
  EXPECT_EQ(errorOf(with(R"(, "hybrid_override_pattern": "ME*EM")")),
            "key 'hybrid_override_pattern': layer 1 must be M (Mamba-2), * (attention) or - (network), got 'E', a "
            "mixture of experts");
  EXPECT_EQ(errorOf(with(R"(, "hybrid_override_pattern": "M-*-M", "norm_eps": 1e-3)")),
            "key 'norm_eps': differs from 'layer_norm_epsilon'");
  EXPECT_EQ(errorOf(with(R"(, "hybrid_override_pattern": "M-*-M", "attention_head_dim": 64, "head_dim": 32)")),
            "key 'head_dim': differs from 'attention_head_dim'");
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

TEST(ForeignConfig, TheGenerationConfigDecidesOverTokenIds) {
  Config config = valid(llama);
  EXPECT_EQ(readGenerationConfig(R"({"eos_token_id": [1, 6], "temperature": 0.6})", "g.json", config), "");
  EXPECT_EQ(config.eosTokenIds, (std::vector<int64_t>{1, 6}));
  EXPECT_EQ(config.bosTokenId, 1);
  EXPECT_EQ(readGenerationConfig(R"({"bos_token_id": 3, "eos_token_id": null})", "g.json", config), "");
  EXPECT_EQ(config.eosTokenIds, (std::vector<int64_t>{1, 6}));
  EXPECT_EQ(config.bosTokenId, 3);
  EXPECT_EQ(readGenerationConfig(R"({"eos_token_id": 33})", "g.json", config),
            "g.json: key 'eos_token_id': must be a whole number from 0 to 32, got 33");
  EXPECT_EQ(readGenerationConfig("[1]", "g.json", config), "g.json: must be a JSON object, got a list");
}

TEST(ForeignConfig, TheGenerationConfigSaysHowToSample) {
  auto sampling = [](const std::string &text) {
    Config config = valid(llama);
    EXPECT_EQ(readGenerationConfig(text, "g.json", config), "");
    return config.sampling;
  };
  using Sampling = chimera::abi::SamplingDefaults;
  EXPECT_EQ(sampling(R"({"eos_token_id": 1, "repetition_penalty": 1.1, "num_beams": 4})"), std::nullopt);
  EXPECT_EQ(sampling(R"({"do_sample": null, "temperature": null})"), std::nullopt);
  EXPECT_EQ(sampling(R"({"do_sample": true, "temperature": 0.6, "top_p": 0.9})"), (Sampling{0.6, 50, 0.9}));
  EXPECT_EQ(sampling(R"({"do_sample": true, "top_k": null})"), (Sampling{1, 0, 1}));
  EXPECT_EQ(sampling(R"({"do_sample": true, "top_k": 20})"), (Sampling{1, 20, 1}));
  EXPECT_EQ(sampling(R"({"do_sample": true, "temperature": 0})"), (Sampling{0, 50, 1}));
  // The library takes the largest logit unless it is told to sample.
  EXPECT_EQ(sampling(R"({"temperature": 0.6, "top_p": 0.9})"), (Sampling{0, 0, 0.9}));
  EXPECT_EQ(sampling(R"({"do_sample": false, "temperature": 0.6, "top_k": 7})"), (Sampling{0, 7, 1}));
  Config config = valid(llama);
  for (auto [text, error] : {std::pair(R"({"do_sample": 1})", "do_sample': must be true or false, got 1"),
                             {R"({"temperature": -1})", "temperature': must be >= 0 and <= 1e+06, got -1"},
                             {R"({"top_k": -1})", "top_k': must be a whole number from 0 to 9007199254740992, got -1"},
                             {R"({"top_p": 0})", "top_p': must be > 0 and <= 1, got 0"}})
    EXPECT_EQ(readGenerationConfig(text, "g.json", config), std::string("g.json: key '") + error);
}

TEST(ForeignConfig, MaxPositionsAreKept) {
  for (std::string with : {llama, mistral, mamba2}) {
    if (size_t at = with.find("\"max_position_embeddings\": "); at != std::string::npos)
      with.replace(at, with.find(',', at) - at, "\"max_position_embeddings\": 77");
    else
      with.insert(with.find('{') + 1, "\"max_position_embeddings\": 77, ");
    EXPECT_EQ(valid(with).maxPositionEmbeddings, 77);
    with.replace(with.find("77"), 2, "null");
    EXPECT_EQ(valid(with).maxPositionEmbeddings, std::nullopt);
    with.replace(with.find("null"), 4, "0");
    EXPECT_EQ(errorOf(with), "key 'max_position_embeddings': must be a whole number from 1 to 9007199254740992, got 0");
  }
}

TEST(ForeignConfig, UnsupportedValuesAndKeysAreNamed) {
  const std::string key = "not supported for this model_type";
  const std::vector<std::tuple<std::string, std::string, std::string, std::string>> cases = {
      {llama, "hidden_act", "\"gelu\"", "key 'hidden_act': must be one of \"silu\", \"swish\", got \"gelu\""},
      {llama, "quantization_config", "{}",
       "key 'quantization_config': quantised weights are not supported; take the checkpoint in bf16, f16 or f32"},
      {llama, "quantization_config", R"({"bits": 4, "quant_method": "gptq"})",
       "key 'quantization_config': the weights are quantised (gptq): quantised weights are not supported; take the "
       "checkpoint in bf16, f16 or f32"},
      {mamba2, "n_groups", "3", "key 'n_groups': must divide the number of heads (4), got 3"},
      {bamba, "mamba_n_groups", "3", "key 'mamba_n_groups': must divide the number of heads (4), got 3"},
      {llama, "sliding_window", "4096", "key 'sliding_window': only null is supported for this model_type"},
      {llama, "use_sliding_window", "true", "key 'use_sliding_window': only false is supported for this model_type"},
      {llama, "rope_interleaved", "true", "key 'rope_interleaved': only false is supported for this model_type"},
      {llama, "logits_scaling", "8.0", "key 'logits_scaling': only 1 is supported for this model_type"},
      {llama, "num_local_experts", "8", "key 'num_local_experts': only 0 is supported for this model_type"},
      {llama, "layer_types", "[\"full_attention\", \"sliding_attention\"]",
       "key 'layer_types': only \"full_attention\" in every layer is supported for this model_type"},
      {llama, "no_rope_layers", "[1, 0]",
       "key 'no_rope_layers': only 1 in every layer is supported for this model_type"},
      {llama, "never_heard_of", "false", "key 'never_heard_of': " + key},
      {llama, "vocab_size", "null", "key 'vocab_size': missing"},
      {mistral, "sliding_window", "0", "key 'sliding_window': must be a whole number from 1 to 1073741824, got 0"},
      {mistral, "use_sliding_window", "true", "key 'use_sliding_window': only false is supported for this model_type"},
      {llama, "partial_rotary_factor", "0.5", "key 'partial_rotary_factor': must be 1"},
      {llama, "num_attention_heads", "5", "key 'num_attention_heads': must divide hidden_size (16), got 5"},
      {llama, "num_attention_heads", "16", "key 'num_attention_heads': a head must have an even size, got 1"},
      {llama, "num_key_value_heads", "3", "key 'num_key_value_heads': must divide num_attention_heads (4), got 3"},
      {llama, "modes", "[\"ssm\"]", "key 'modes': " + key},
      {mamba2, "expand", "1.5", "key 'expand': must be a whole number from 1 to 1048576, got 1.5"},
      {mamba2, "num_heads", "5", "key 'num_heads': times the head size (8) must be the inner size (32), got 5"},
      {mamba2, "intermediate_size", "31", "key 'intermediate_size': must be expand * hidden_size (32)"},
      {mamba2, "rms_norm", "false", "key 'rms_norm': only true is supported"},
      {mamba2, "num_attention_heads", "2", "key 'num_attention_heads': " + key},
      {bamba, "partial_rotary_factor", "1.0", "key 'partial_rotary_factor': must be 0.5"},
      {bamba, "attn_rotary_emb", "4", "key 'attn_rotary_emb': must be half the head size (2), got 4"},
      {bamba, "attn_layer_indices", "[1, 3]", "key 'attn_layer_indices[1]': must be a whole number from 0 to 2, got 3"},
      {bamba, "attn_layer_indices", "7", "key 'attn_layer_indices': must be a list of layers, got 7"},
      {bamba, "mamba_n_heads", "3", "key 'mamba_n_heads': times the head size (8) must be the inner size (32), got 3"},
      {chimeraLm, "num_heads", "3", "key 'num_heads': must divide dim (16) into even parts, got 3"},
      {chimeraLm, "target_dist", "[0.5, 0.5]", "key 'target_dist': must be a list of four numbers, got a list"},
      {chimeraLm, "target_dist", "[0.5, 0.5, 0.5, 0.5]", "key 'target_dist': the numbers must sum to 1, got 2.000000"},
      {chimeraLm, "ffn_mult", "0.01",
       "key 'ffn_mult': the feed-forward network would be 0 wide; it must be 1 to 1048576"},
      {chimeraLm, "hidden_size", "16", "key 'hidden_size': " + key},
  };
  for (const auto &[text, name, value, error] : cases)
    EXPECT_EQ(errorOf(with(text, name, value)), error) << with(text, name, value);
  std::string inner = mambaSsm;
  const std::string layer = R"("layer": "Mamba2")";
  inner.replace(inner.find(layer), layer.size(), layer + R"(, "headdim": 5)");
  EXPECT_EQ(errorOf(inner),
            "key 'ssm_cfg.headdim': must divide the inner size, expand times the hidden size (128), got 5");
}

TEST(ForeignConfig, AnyByteChangedOrCutIsAConfigOrOneError) {
  for (const std::string &text : {llama, mistral, mamba2, mambaSsm, bamba, chimeraLm}) {
    for (size_t i = 0; i < text.size(); ++i)
      for (char c : std::string("\0\xff\"{[,-09e", 10)) {
        std::string changed = text;
        changed[i] = c;
        ConfigOrError result = parseConfig(changed, "config.json");
        if (const std::string *error = std::get_if<std::string>(&result))
          EXPECT_EQ(error->find('\n'), std::string::npos);
        else
          EXPECT_FALSE(parameters(std::get<Config>(result)).empty());
        EXPECT_TRUE(std::holds_alternative<std::string>(parseConfig(text.substr(0, i), "config.json")));
      }
  }
}

} // namespace
