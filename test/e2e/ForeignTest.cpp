// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checkpoints of other programs, compiled and run as they are on disk, against the oracle on the same numbers under
// this project's names.
#include "test/e2e/Engine.h"
#include "test/e2e/ForeignCheck.h"
#include "test/support/Oracle.h"

#include <gtest/gtest.h>

using namespace chimera;
using namespace chimera::test;

namespace {

ForeignModel llama(const std::string &configText, int64_t vocab, int64_t width, int64_t queries, int64_t keys,
                   int64_t inner) {
  ForeignModel model(configText);
  model.add("model.embed_tokens.weight", {vocab, width}, "embed_tokens.weight", Values::Table);
  for (int layer = 0; layer < 2; ++layer) {
    std::string theirs = "model.layers." + std::to_string(layer) + ".", ours = "layers." + std::to_string(layer) + ".";
    model.add(theirs + "input_layernorm.weight", {width}, ours + "input_norm.weight", Values::Scale);
    addAttention(model, theirs + "self_attn.", ours + "attn.", width, queries, keys);
    model.add(theirs + "post_attention_layernorm.weight", {width}, ours + "ffn_norm.weight", Values::Scale);
    addFeedForward(model, theirs + "mlp.", ours + "ffn.", width, inner);
  }
  model.add("model.norm.weight", {width}, "norm.weight", Values::Scale);
  model.add("lm_head.weight", {vocab, width}, "lm_head.weight", Values::Matrix);
  return model;
}

const char *const llamaConfig = R"({
  "_name_or_path": "someone/llama", "architectures": ["LlamaForCausalLM"], "attention_bias": false,
  "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": [2, 7, 40], "head_dim": 8, "hidden_act": "silu",
  "hidden_size": 24, "initializer_range": 0.02, "intermediate_size": 40, "max_position_embeddings": 131072,
  "mlp_bias": false, "model_type": "llama", "num_attention_heads": 4, "num_hidden_layers": 2,
  "num_key_value_heads": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                   "original_max_position_embeddings": 64, "rope_type": "llama3"},
  "rope_theta": 500.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.43.0",
  "use_cache": true, "vocab_size": 41})";

TEST(Foreign, LlamaWithGroupedHeadsAndScaledRotation) {
  // Of the four wavelengths 6.3, 30, 140 and 664 one is kept, one blended and two are stretched.
  const char *equivalent = R"({
    "model_type": "chimera", "vocab_size": 41, "hidden_size": 24, "num_hidden_layers": 2, "modes": ["full"],
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 40, "norm": "rms",
    "norm_eps": 1e-05, "rope_theta": 500.0,
    "rope_scaling": {"type": "llama3", "factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                     "original_max_position_embeddings": 64}})";
  expectSameAsOracle(llama(llamaConfig, 41, 24, 32, 16, 40), equivalent, 150);
}

TEST(Foreign, LlamaWithTiedEmbeddingsInTheNewForm) {
  // The lm_head.weight in the file is other numbers than the embedding, and must not be read.
  ForeignModel model = llama(R"({
    "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1,
    "dtype": "float32", "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 24, "intermediate_size": 40,
    "max_position_embeddings": 2048, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 4,
    "num_hidden_layers": 2, "num_key_value_heads": 4, "pad_token_id": null, "rms_norm_eps": 1e-06,
    "rope_parameters": {"rope_theta": 10000.0, "rope_type": "linear", "factor": 2.0}, "tie_word_embeddings": true,
    "transformers_version": "5.0.0", "use_cache": true, "vocab_size": 41})",
                             41, 24, 24, 24, 40);
  model.ours.erase("lm_head.weight");
  expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 41, "hidden_size": 24, "num_hidden_layers": 2, "modes": ["full"],
    "num_attention_heads": 4, "head_dim": 6, "intermediate_size": 40, "norm_eps": 1e-06,
    "rope_scaling": {"type": "linear", "factor": 2.0}, "tie_word_embeddings": true})");
}

TEST(Foreign, MistralLooksBackThroughItsWindow) {
  for (const char *window : {"8", "null"}) {
    ForeignModel model = llama(std::string(R"({
      "architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
      "head_dim": 8, "hidden_act": "silu", "hidden_size": 24, "initializer_range": 0.02, "intermediate_size": 40,
      "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 4, "num_hidden_layers": 2,
      "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "rope_theta": 1000.0, "tie_word_embeddings": false,
      "torch_dtype": "bfloat16", "transformers_version": "4.43.3", "use_cache": true, "vocab_size": 41,
      "sliding_window": )") + window +
                                   "}",
                               41, 24, 32, 16, 40);
    bool isWindowed = window[0] == '8';
    std::set<int8_t> modes =
        expectSameAsOracle(model, std::string(R"({
      "model_type": "chimera", "vocab_size": 41, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 40, "rope_theta": 1000.0, )") +
                                      (isWindowed ? R"("modes": ["swa"], "window": 8})" : R"("modes": ["full"]})"));
    EXPECT_EQ(modes, (std::set<int8_t>{isWindowed ? kSwa : kFull}));
  }
}

TEST(Foreign, LlamaStretchedByYarn) {
  std::string text = llamaConfig;
  const std::string scaling = R"("rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                   "original_max_position_embeddings": 64, "rope_type": "llama3"})";
  text.replace(text.find(scaling), scaling.size(),
               R"("rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 64, "rope_type": "yarn"})");
  expectSameAsOracle(llama(text, 41, 24, 32, 16, 40), R"({
    "model_type": "chimera", "vocab_size": 41, "hidden_size": 24, "num_hidden_layers": 2, "modes": ["full"],
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 40, "rope_theta": 500.0,
    "attention_multiplier": 0.45837383662379,
    "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "attention_factor": 1}})",
                     150);
}

/// The keys that every config of the relatives of llama has here, and what an equivalent of ours says of them.
const char *const denseKeys = R"("architectures": ["ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1,
  "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 24, "initializer_range": 0.02, "intermediate_size": 40,
  "max_position_embeddings": 32768, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-05,
  "rope_theta": 1000.0, "use_cache": true, "vocab_size": 41)";
const char *const denseEquivalent = R"("model_type": "chimera", "vocab_size": 41, "hidden_size": 24,
  "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 40, "rope_theta": 1000.0)";

/// Biases of linear layers in both layers of a model that `llama` made: their names and sizes.
void addBiases(ForeignModel &model, const std::string &theirs, const std::string &ours,
               const std::vector<std::pair<std::string, int64_t>> &linears) {
  for (std::string layer : {"0.", "1."})
    for (const auto &[name, size] : linears)
      model.add("model.layers." + layer + theirs + name + ".bias", {size}, "layers." + layer + ours + name + ".bias",
                Values::Shift);
}

TEST(Foreign, Qwen2HasBiasesOfQueriesKeysAndValues) {
  ForeignModel model = llama(std::string("{") + denseKeys + R"(, "model_type": "qwen2", "num_hidden_layers": 2,
    "tie_word_embeddings": false, "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 1})",
                             41, 24, 24, 12, 40);
  addBiases(model, "self_attn.", "attn.", {{"q_proj", 24}, {"k_proj", 12}, {"v_proj", 12}});
  expectSameAsOracle(model, std::string("{") + denseEquivalent + R"(, "num_hidden_layers": 2, "modes": ["full"],
    "head_dim": 6, "qkv_bias": true})");
}

TEST(Foreign, Qwen2SlidesInItsLastLayersWhereItIsToldTo) {
  ForeignModel model = llama(std::string("{") + denseKeys + R"(, "model_type": "qwen2", "num_hidden_layers": 2,
    "use_sliding_window": true, "sliding_window": 8, "max_window_layers": 1})",
                             41, 24, 24, 12, 40);
  addBiases(model, "self_attn.", "attn.", {{"q_proj", 24}, {"k_proj", 12}, {"v_proj", 12}});
  EXPECT_EQ(expectSameAsOracle(model, std::string("{") + denseEquivalent + R"(, "num_hidden_layers": 2,
    "modes": [["full"], ["swa"]], "window": 8, "head_dim": 6, "qkv_bias": true})"),
            (std::set<int8_t>{kSwa, kFull}));
}

TEST(Foreign, Qwen3NormalisesTheHeadsOfQueriesAndKeys) {
  ForeignModel model = llama(std::string("{") + denseKeys + R"(, "model_type": "qwen3", "num_hidden_layers": 2,
    "head_dim": 16, "attention_bias": false, "rope_scaling": null, "sliding_window": null,
    "layer_types": ["full_attention", "full_attention"], "use_sliding_window": false, "max_window_layers": 2})",
                             41, 24, 64, 32, 40);
  for (std::string layer : {"0.", "1."})
    for (std::string name : {"q_norm.weight", "k_norm.weight"})
      model.add("model.layers." + layer + "self_attn." + name, {16}, "layers." + layer + "attn." + name, Values::Scale);
  expectSameAsOracle(model, std::string("{") + denseEquivalent + R"(, "num_hidden_layers": 2, "modes": ["full"],
    "head_dim": 16, "qk_norm": true})");
}

TEST(Foreign, GraniteMultipliesInFourPlaces) {
  ForeignModel model = llama(std::string("{") + denseKeys + R"(, "model_type": "granite", "num_hidden_layers": 2,
    "attention_bias": true, "mlp_bias": true, "embedding_multiplier": 12.0, "residual_multiplier": 0.22,
    "attention_multiplier": 0.3, "logits_scaling": 3.0, "tie_word_embeddings": true})",
                             41, 24, 24, 12, 40);
  model.ours.erase("lm_head.weight");
  addBiases(model, "self_attn.", "attn.", {{"q_proj", 24}, {"k_proj", 12}, {"v_proj", 12}, {"o_proj", 24}});
  addBiases(model, "mlp.", "ffn.", {{"gate_proj", 40}, {"up_proj", 40}, {"down_proj", 24}});
  expectSameAsOracle(model, std::string("{") + denseEquivalent + R"(, "num_hidden_layers": 2, "modes": ["full"],
    "head_dim": 6, "qkv_bias": true, "attention_out_bias": true, "mlp_bias": true, "embedding_multiplier": 12.0,
    "residual_multiplier": 0.22, "attention_multiplier": 0.3, "logits_scaling": 3.0, "tie_word_embeddings": true})");
}

TEST(Foreign, SmolLM3DoesNotRotateInSomeLayers) {
  // An entry of 1 stands for a layer that rotates; without the list every interval-th layer does not.
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("no_rope_layers": [0, 1], "no_rope_layer_interval": 4)", "[false, true]"},
      {R"("no_rope_layers": null, "no_rope_layer_interval": 2)", "[true, false]"}};
  for (const auto &[keys, rotates] : cases) {
    ForeignModel model = llama(std::string("{") + denseKeys + R"(, "model_type": "smollm3", "num_hidden_layers": 2,
    "use_sliding_window": false, "layer_types": ["full_attention", "full_attention"], )" +
                                   keys + "}",
                               41, 24, 24, 12, 40);
    model.ours.erase("lm_head.weight"); // tied unless it says otherwise
    expectSameAsOracle(model, std::string("{") + denseEquivalent + R"(, "num_hidden_layers": 2, "modes": ["full"],
    "head_dim": 6, "tie_word_embeddings": true, "rope_layers": )" +
                                  rotates + "}");
  }
}

/// `limit`: the time_step_limit as it stands in the config.
ForeignModel mamba2(const std::string &limit, bool tied) {
  ForeignModel model(R"({
    "architectures": ["Mamba2ForCausalLM"], "bos_token_id": 0, "chunk_size": 256, "conv_kernel": 4, "eos_token_id": 0,
    "expand": 2, "head_dim": 8, "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.1,
    "intermediate_size": 32, "layer_norm_epsilon": 1e-05, "model_type": "mamba2", "n_groups": 2,
    "norm_before_gate": true, "num_heads": 4, "num_hidden_layers": 2, "pad_token_id": 0,
    "rescale_prenorm_residual": false, "residual_in_fp32": true, "rms_norm": true, "state_size": 5,
    "tie_word_embeddings": )" +
                     std::string(tied ? "true" : "false") + R"(, "time_step_floor": 0.0001,
    "time_step_init_scheme": "random", "time_step_limit": )" +
                     limit + R"(, "time_step_max": 0.1, "time_step_min": 0.001, "time_step_rank": 256,
    "time_step_scale": 1.0, "torch_dtype": "bfloat16", "transformers_version": "4.44.0", "use_bias": false,
    "use_cache": true, "use_conv_bias": true, "vocab_size": 37})");
  model.add("backbone.embeddings.weight", {37, 16}, "embed_tokens.weight", Values::Table);
  for (int layer = 0; layer < 2; ++layer) {
    std::string theirs = "backbone.layers." + std::to_string(layer) + ".",
                ours = "layers." + std::to_string(layer) + ".";
    model.add(theirs + "norm.weight", {16}, ours + "input_norm.weight", Values::Scale);
    addMamba2(model, theirs + "mixer.", ours + "ssm.", 16, 4, 8, 2, 5);
  }
  model.add("backbone.norm_f.weight", {16}, "norm.weight", Values::Scale);
  if (!tied)
    model.add("lm_head.weight", {37, 16}, "lm_head.weight", Values::Matrix);
  return model;
}

std::string mamba2Equivalent(const std::string &limit, bool tied) {
  return R"({
    "model_type": "chimera", "vocab_size": 37, "hidden_size": 16, "num_hidden_layers": 2, "modes": ["ssm"],
    "intermediate_size": 0, "norm_eps": 1e-05, "tie_word_embeddings": )" +
         std::string(tied ? "true" : "false") +
         R"(, "ssm": {"kind": "mamba2", "state_size": 5, "head_dim": 8, "expand": 2, "n_groups": 2, "conv_kernel": 4,
                      "time_step_limit": )" +
         limit + "}}";
}

TEST(Foreign, Mamba2WithGroupsAndAStepLimit) {
  expectSameAsOracle(mamba2("[0.05, 0.3]", false), mamba2Equivalent("[0.05, 0.3]", false));
}

TEST(Foreign, Mamba2WithTiedEmbeddingsAndEverySpellingOfInfinity) {
  for (const char *limit : {"[0.0, Infinity]", R"([0.0, {"__float__": "Infinity"}])", "[0.0, null]"})
    expectSameAsOracle(mamba2(limit, true), mamba2Equivalent("[0.0, Infinity]", true));
}

TEST(Foreign, MambaSsmPadsItsVocabulary) {
  ForeignModel model(R"({
    "d_model": 16, "d_intermediate": 0, "n_layer": 2, "vocab_size": 37,
    "ssm_cfg": {"layer": "Mamba2", "headdim": 8, "d_state": 5, "ngroups": 2}, "attn_layer_idx": [], "attn_cfg": {},
    "rms_norm": true, "residual_in_fp32": true, "fused_add_norm": true, "pad_vocab_size_multiple": 16,
    "tie_embeddings": true})");
  model.add("backbone.embedding.weight", {48, 16}, "embed_tokens.weight", Values::Table);
  for (int layer = 0; layer < 2; ++layer) {
    std::string theirs = "backbone.layers." + std::to_string(layer) + ".",
                ours = "layers." + std::to_string(layer) + ".";
    model.add(theirs + "norm.weight", {16}, ours + "input_norm.weight", Values::Scale);
    addMamba2(model, theirs + "mixer.", ours + "ssm.", 16, 4, 8, 2, 5);
  }
  model.add("backbone.norm_f.weight", {16}, "norm.weight", Values::Scale);
  expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 48, "hidden_size": 16, "num_hidden_layers": 2, "modes": ["ssm"],
    "intermediate_size": 0, "tie_word_embeddings": true,
    "ssm": {"kind": "mamba2", "state_size": 5, "head_dim": 8, "n_groups": 2}})");
}

/// Attention as mamba_ssm stores it: one matrix, and one convolution, for 4 heads of queries and 2 of keys and values,
/// each of 8.
void addMambaSsmAttention(ForeignModel &model, const std::string &theirs, const std::string &ours, int64_t width) {
  auto split = [&](const std::string &name, const std::string &end) {
    model.splitRows(ours + name, {{ours + "q_" + end, 32}, {ours + "k_" + end, 16}, {ours + "v_" + end, 16}});
  };
  model.add(theirs + "in_proj.weight", {64, width}, ours + "all", Values::Matrix);
  split("all", "proj.weight");
  model.add(theirs + "in_proj.bias", {64}, ours + "all", Values::Shift);
  split("all", "proj.bias");
  model.add(theirs + "conv1d.weight", {64, 1, 3}, ours + "all", Values::Taps, {64, 3});
  split("all", "conv.weight");
  model.add(theirs + "conv1d.bias", {64}, ours + "all", Values::Shift);
  split("all", "conv.bias");
  model.add(theirs + "out_proj.weight", {width, 32}, ours + "o_proj.weight", Values::Matrix);
}

TEST(Foreign, MambaSsmAttendsAfterAConvolutionAndHasNetworks) {
  ForeignModel model(R"({
    "d_model": 16, "d_intermediate": 100, "n_layer": 3, "vocab_size": 32,
    "ssm_cfg": {"layer": "Mamba2", "headdim": 8, "d_state": 5}, "attn_layer_idx": [1],
    "attn_cfg": {"causal": true, "d_conv": 3, "head_dim": 8, "num_heads": 4, "num_heads_kv": 2, "out_proj_bias": false,
                 "qkv_proj_bias": true, "rotary_emb_dim": 4}, "rms_norm": true, "residual_in_fp32": true,
    "fused_add_norm": true, "pad_vocab_size_multiple": 16, "tie_embeddings": true})");
  model.add("backbone.embedding.weight", {32, 16}, "embed_tokens.weight", Values::Table);
  for (int layer = 0; layer < 3; ++layer) {
    std::string theirs = "backbone.layers." + std::to_string(layer) + ".",
                ours = "layers." + std::to_string(layer) + ".";
    model.add(theirs + "norm.weight", {16}, ours + "input_norm.weight", Values::Scale);
    if (layer == 1)
      addMambaSsmAttention(model, theirs + "mixer.", ours + "attn.", 16);
    else
      addMamba2(model, theirs + "mixer.", ours + "ssm.", 16, 4, 8, 1, 5);
    model.add(theirs + "norm2.weight", {16}, ours + "ffn_norm.weight", Values::Scale);
    model.add(theirs + "mlp.fc1.weight", {256, 16}, ours + "both", Values::Matrix);
    model.splitRows(ours + "both", {{ours + "ffn.up_proj.weight", 128}, {ours + "ffn.gate_proj.weight", 128}});
    model.add(theirs + "mlp.fc2.weight", {16, 128}, ours + "ffn.down_proj.weight", Values::Matrix);
  }
  model.add("backbone.norm_f.weight", {16}, "norm.weight", Values::Scale);
  expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 3,
    "modes": [["ssm"], ["full"], ["ssm"]], "intermediate_size": 128, "tie_word_embeddings": true,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "partial_rotary_factor": 0.5, "qkv_bias": true,
    "attention_conv_kernel": 3, "ssm": {"kind": "mamba2", "state_size": 5, "head_dim": 8}})");
}

TEST(Foreign, BambaRotatesHalfAHeadAndAttendsWhereItSays) {
  ForeignModel model(R"({
    "architectures": ["BambaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "attn_layer_indices": [1], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 32,
    "initializer_range": 0.02, "intermediate_size": 40, "mamba_chunk_size": 256, "mamba_conv_bias": true,
    "mamba_d_conv": 4, "mamba_d_head": 16, "mamba_d_state": 6, "mamba_expand": 2, "mamba_n_groups": 1,
    "mamba_n_heads": 4, "mamba_proj_bias": false, "max_position_embeddings": 4096, "mlp_bias": false,
    "model_type": "bamba", "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2,
    "num_logits_to_keep": 1, "pad_token_id": 0, "partial_rotary_factor": 0.5, "rms_norm_eps": 1e-05,
    "rope_scaling": null, "rope_theta": 10000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    "transformers_version": "4.48.0", "use_cache": true, "use_mamba_kernels": true, "vocab_size": 43})");
  model.add("model.embed_tokens.weight", {43, 32}, "embed_tokens.weight", Values::Table);
  for (int layer = 0; layer < 3; ++layer) {
    std::string theirs = "model.layers." + std::to_string(layer) + ".", ours = "layers." + std::to_string(layer) + ".";
    model.add(theirs + "input_layernorm.weight", {32}, ours + "input_norm.weight", Values::Scale);
    if (layer == 1)
      addAttention(model, theirs + "self_attn.", ours + "attn.", 32, 32, 16);
    else
      addMamba2(model, theirs + "mamba.", ours + "ssm.", 32, 4, 16, 1, 6);
    model.add(theirs + "pre_ff_layernorm.weight", {32}, ours + "ffn_norm.weight", Values::Scale);
    addFeedForward(model, theirs + "feed_forward.", ours + "ffn.", 32, 40);
  }
  model.add("model.final_layernorm.weight", {32}, "norm.weight", Values::Scale);
  model.add("lm_head.weight", {43, 32}, "lm_head.weight", Values::Matrix);
  std::set<int8_t> modes = expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 43, "hidden_size": 32, "num_hidden_layers": 3,
    "modes": [["ssm"], ["full"], ["ssm"]], "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "intermediate_size": 40, "partial_rotary_factor": 0.5,
    "ssm": {"state_size": 6, "head_dim": 16, "expand": 2, "n_groups": 1, "conv_kernel": 4}})");
  EXPECT_EQ(modes, (std::set<int8_t>{kSsm, kFull}));
}

TEST(Foreign, GraniteMoeHybridMixesMambaAndAttentionWithoutRotation) {
  // As Granite 4.0 H has it: no experts, two matrices of the network in one.
  for (bool rotates : {false, true}) {
    ForeignModel model(std::string(R"({
    "architectures": ["GraniteMoeHybridForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "attention_multiplier": 0.4, "bos_token_id": 1, "embedding_multiplier": 12, "eos_token_id": 2,
    "hidden_act": "silu", "hidden_size": 32, "init_method": "mup", "initializer_range": 0.1, "intermediate_size": 40,
    "layer_types": ["mamba", "attention", "mamba"], "logits_scaling": 8, "mamba_chunk_size": 256,
    "mamba_conv_bias": true, "mamba_d_conv": 4, "mamba_d_head": 16, "mamba_d_state": 6, "mamba_expand": 2,
    "mamba_n_groups": 1, "mamba_n_heads": 4, "mamba_proj_bias": true, "max_position_embeddings": 131072,
    "model_type": "granitemoehybrid", "normalization_function": "rmsnorm", "num_attention_heads": 4,
    "num_experts_per_tok": 0, "num_hidden_layers": 3, "num_key_value_heads": 2, "num_local_experts": 0,
    "output_router_logits": false, "residual_multiplier": 0.22, "rms_norm_eps": 1e-05, "rope_theta": 10000,
    "router_aux_loss_coef": 0.01, "shared_intermediate_size": 24, "tie_word_embeddings": true, "use_cache": true,
    "vocab_size": 43, "position_embedding_type": )") +
                       (rotates ? "\"rope\"}" : "\"nope\"}"));
    model.add("model.embed_tokens.weight", {43, 32}, "embed_tokens.weight", Values::Table);
    for (int layer = 0; layer < 3; ++layer) {
      std::string theirs = "model.layers." + std::to_string(layer) + ".",
                  ours = "layers." + std::to_string(layer) + ".";
      model.add(theirs + "input_layernorm.weight", {32}, ours + "input_norm.weight", Values::Scale);
      if (layer == 1) {
        addAttention(model, theirs + "self_attn.", ours + "attn.", 32, 32, 16);
      } else {
        addMamba2(model, theirs + "mamba.", ours + "ssm.", 32, 4, 16, 1, 6);
        model.add(theirs + "mamba.in_proj.bias", {144}, ours + "ssm.in_proj.bias", Values::Shift);
        model.add(theirs + "mamba.out_proj.bias", {32}, ours + "ssm.out_proj.bias", Values::Shift);
      }
      model.add(theirs + "post_attention_layernorm.weight", {32}, ours + "ffn_norm.weight", Values::Scale);
      model.add(theirs + "shared_mlp.input_linear.weight", {48, 32}, ours + "both", Values::Matrix);
      model.splitRows(ours + "both", {{ours + "ffn.gate_proj.weight", 24}, {ours + "ffn.up_proj.weight", 24}});
      model.add(theirs + "shared_mlp.output_linear.weight", {32, 24}, ours + "ffn.down_proj.weight", Values::Matrix);
    }
    model.add("model.norm.weight", {32}, "norm.weight", Values::Scale);
    std::string layers = rotates ? "[true, true, true]" : "[false, false, false]";
    std::set<int8_t> modes = expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 43, "hidden_size": 32, "num_hidden_layers": 3,
    "modes": [["ssm"], ["full"], ["ssm"]], "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "intermediate_size": 24, "attention_multiplier": 0.4, "embedding_multiplier": 12,
    "residual_multiplier": 0.22, "logits_scaling": 8, "tie_word_embeddings": true, "rope_layers": )" +
                                                           layers + R"(,
    "ssm": {"state_size": 6, "head_dim": 16, "expand": 2, "n_groups": 1, "conv_kernel": 4, "proj_bias": true}})");
    EXPECT_EQ(modes, (std::set<int8_t>{kSsm, kFull}));
  }
}

TEST(Foreign, NemotronHHasOnePartALayer) {
  // Its inner size, 3 heads of 8, is no multiple of the hidden size.
  ForeignModel model(R"({
    "architectures": ["NemotronHForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1,
    "chunk_size": 128, "conv_kernel": 4, "eos_token_id": 2, "expand": 2, "head_dim": 6, "hidden_dropout": 0.0,
    "hidden_size": 20, "hybrid_override_pattern": "M-*-M", "initializer_range": 0.02, "intermediate_size": 28,
    "layer_norm_epsilon": 1e-05, "mamba_head_dim": 8, "mamba_hidden_act": "silu", "mamba_num_heads": 3,
    "mamba_proj_bias": false, "max_position_embeddings": 131072, "mlp_bias": false, "mlp_hidden_act": "relu2",
    "model_type": "nemotron_h", "n_groups": 1, "num_attention_heads": 4, "num_hidden_layers": 5,
    "num_key_value_heads": 2, "num_logits_to_keep": 1, "pad_token_id": 0, "rescale_prenorm_residual": true,
    "residual_in_fp32": false, "rms_norm_eps": 1e-05, "sliding_window": null, "ssm_state_size": 6,
    "tie_word_embeddings": false, "time_step_floor": 0.0001, "time_step_limit": [0.0, Infinity],
    "time_step_max": 0.1, "time_step_min": 0.001, "time_step_rank": 256, "torch_dtype": "bfloat16",
    "use_bias": false, "use_cache": true, "use_conv_bias": true, "use_mamba_kernels": true, "vocab_size": 43})");
  model.add("backbone.embeddings.weight", {43, 20}, "embed_tokens.weight", Values::Table);
  for (int layer = 0; layer < 5; ++layer) {
    std::string theirs = "backbone.layers." + std::to_string(layer) + ".", mixer = theirs + "mixer.",
                ours = "layers." + std::to_string(layer) + ".";
    bool isNetwork = layer % 2 == 1;
    model.add(theirs + "norm.weight", {20}, ours + (isNetwork ? "ffn_norm.weight" : "input_norm.weight"),
              Values::Scale);
    if (isNetwork) {
      model.add(mixer + "up_proj.weight", {28, 20}, ours + "ffn.up_proj.weight", Values::Matrix);
      model.add(mixer + "down_proj.weight", {20, 28}, ours + "ffn.down_proj.weight", Values::Matrix);
    } else if (layer == 2) {
      addAttention(model, mixer, ours + "attn.", 20, 24, 12);
    } else {
      addMamba2(model, mixer, ours + "ssm.", 20, 3, 8, 1, 6);
    }
  }
  model.add("backbone.norm_f.weight", {20}, "norm.weight", Values::Scale);
  model.add("lm_head.weight", {43, 20}, "lm_head.weight", Values::Matrix);
  std::set<int8_t> modes = expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 43, "hidden_size": 20, "num_hidden_layers": 5,
    "modes": [["ssm"], ["identity"], ["full"], ["identity"], ["ssm"]],
    "ffn_layers": [false, true, false, true, false], "mlp_activation": "relu2", "mlp_gated": false,
    "intermediate_size": 28, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6,
    "rope_layers": [false, false, false, false, false],
    "ssm": {"state_size": 6, "head_dim": 8, "num_heads": 3, "n_groups": 1, "conv_kernel": 4}})");
  EXPECT_EQ(modes, (std::set<int8_t>{kSsm, kFull, kIdentity}));
}

/// One block of chimera-lm. Its router's rows are identity, ssm, swa, full: ours are its rows 1, 2, 3, 0.
void addChimeraLmLayer(ForeignModel &model, int layer, int64_t width, int64_t state) {
  std::string name = "layers." + std::to_string(layer) + ".";
  for (const char *part : {"weight", "bias"}) {
    Values values = std::string(part) == "weight" ? Values::Scale : Values::Shift;
    model.add(name + "norm_in." + part, {width}, name + "input_norm." + part, values);
    model.add(name + "norm_post." + part, {width}, name + "ffn_norm." + part, values);
    model.add(name + "router.norm." + part, {width}, name + "router.norm." + part, values);
  }
  model.add(name + "router.proj.weight", {4, width}, name + "router.proj.weight", Values::Router);
  model.permuteRows(name + "router.proj.weight", {1, 2, 3, 0});
  model.add(name + "router.balancer.bias", {4}, name + "router.bias", Values::Shift);
  model.permuteRows(name + "router.bias", {1, 2, 3, 0});
  model.addUnused(name + "router.balancer.target", {4});
  model.addUnused(name + "router.balancer.ema_fraction", {4});
  for (const char *projection : {"q", "k", "v", "o"})
    model.add(name + "proj_" + projection + ".weight", {width, width}, name + "attn." + projection + "_proj.weight",
              Values::Matrix);
  model.add(name + "ssm.decay", {state}, name + "ssm.decay", Values::Shift);
  model.add(name + "ssm.in_proj.weight", {state, width}, name + "ssm.in_proj.weight", Values::Matrix);
  model.add(name + "ssm.out_proj.weight", {width, state}, name + "ssm.out_proj.weight", Values::Matrix);
  model.add(name + "ffn.w_gate.weight", {64, width}, name + "ffn.gate_proj.weight", Values::Matrix);
  model.add(name + "ffn.w_up.weight", {64, width}, name + "ffn.up_proj.weight", Values::Matrix);
  model.add(name + "ffn.w_down.weight", {width, 64}, name + "ffn.down_proj.weight", Values::Matrix);
}

TEST(Foreign, ChimeraLmHasItsModesInAnotherOrder) {
  for (bool tied : {true, false}) {
    std::string ties = tied ? "true" : "false";
    ForeignModel model(R"({
      "model_type": "chimera-lm", "vocab_size": 41, "num_layers": 2, "dim": 16, "num_heads": 2, "window": 7,
      "ssm_state": 5, "target_dist": [0.1, 0.6, 0.2, 0.1], "ffn_mult": 2.6666666666666665, "max_seq_len": 1024,
      "rope_base": 1000.0, "tie_embeddings": )" +
                       ties + "}");
    model.add("tok_embed.weight", {41, 16}, "embed_tokens.weight", Values::Table);
    for (int layer = 0; layer < 2; ++layer)
      addChimeraLmLayer(model, layer, 16, 5);
    model.add("norm_final.weight", {16}, "norm.weight", Values::Scale);
    model.add("norm_final.bias", {16}, "norm.bias", Values::Shift);
    if (!tied)
      model.add("unembed.weight", {41, 16}, "lm_head.weight", Values::Matrix);
    std::set<int8_t> modes = expectSameAsOracle(model, R"({
      "model_type": "chimera", "vocab_size": 41, "hidden_size": 16, "num_hidden_layers": 2,
      "num_attention_heads": 2, "head_dim": 8, "intermediate_size": 64, "window": 7, "norm": "layer",
      "rope_theta": 1000.0, "cache_write": "all", "identity_output": "normed_input",
      "router": {"input_norm": "layer", "gate": "one", "bias_in_gate": true},
      "ssm": {"kind": "lti", "state_size": 5}, "tie_word_embeddings": )" +
                                                           ties + "}");
    EXPECT_EQ(modes, (std::set<int8_t>{kSsm, kSwa, kFull, kIdentity}));
  }
}

TEST(Foreign, WhatIsNotSupportedIsOneLineThatNamesTheKey) {
  const std::string base = llamaConfig;
  auto with = [&](const std::string &from, const std::string &to) {
    std::string text = base;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"quantization_config",
       with(R"("use_cache": true)", R"("quantization_config": {"bits": 4, "quant_method": "gptq"})")},
      {"hidden_act", with(R"("hidden_act": "silu")", R"("hidden_act": "gelu")")},
      {"sliding_window", with(R"("use_cache": true)", R"("sliding_window": 4096)")},
      {"rope_scaling.rope_type", with(R"("rope_type": "llama3")", R"("rope_type": "longrope")")},
  };
  TemporaryDirectory directory;
  for (const auto &[key, text] : cases) {
    writeFile(directory.file("config.json"), text);
    ProcessResult result = compileForeign(directory.path(), directory.file("m.chm"));
    EXPECT_EQ(result.status, 1) << key << ": " << result.describe();
    EXPECT_EQ(countLines(result.err), 1) << result.err;
    EXPECT_NE(result.err.find(key), std::string::npos) << result.err;
  }
}

TEST(Foreign, ATensorOfAnotherShapeOrMissingIsOneLineThatNamesItOnDisk) {
  TemporaryDirectory directory;
  ForeignModel model = mamba2("[0.0, Infinity]", true);
  model.write(directory.path());
  ASSERT_EQ(compileForeign(directory.path(), directory.file("m.chm")).status, 0);
  auto messageOf = [&]() -> std::string {
    model.write(directory.path());
    try {
      Engine(directory.file("m.chm"), directory.path());
    } catch (const std::runtime_error &error) {
      return error.what();
    }
    return "no error";
  };
  const std::string name = "backbone.layers.1.mixer.conv1d.weight";
  Tensor convolution = model.disk.at(name);
  model.disk.at(name).shape = {52, 2, 2};
  EXPECT_NE(messageOf().find(name), std::string::npos) << messageOf();
  EXPECT_NE(messageOf().find("[52, 1, 4]"), std::string::npos) << messageOf();
  model.disk.erase(name);
  EXPECT_NE(messageOf().find(name), std::string::npos) << messageOf();
  model.disk[name] = convolution;
  EXPECT_EQ(messageOf(), "no error");
}

} // namespace
