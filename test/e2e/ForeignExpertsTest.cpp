// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Families with experts as the transformers library writes them: a tensor for each matrix of an expert, or one for
// those of all experts.
#include "test/e2e/ForeignCheck.h"
#include "test/support/Subprocess.h"

#include <gtest/gtest.h>

using namespace chimera::test;

namespace {

constexpr int64_t width = 16, vocab = 31;

std::string layerName(const char *prefix, int layer) {
  return std::string(prefix) + std::to_string(layer) + ".";
}

/// What a layer of llama has before its network, with 2 heads of 8 and as many of keys.
void addLayer(ForeignModel &model, int layer) {
  std::string theirs = layerName("model.layers.", layer), ours = layerName("layers.", layer);
  model.add(theirs + "input_layernorm.weight", {width}, ours + "input_norm.weight", Values::Scale);
  addAttention(model, theirs + "self_attn.", ours + "attn.", width, 16, 16);
  model.add(theirs + "post_attention_layernorm.weight", {width}, ours + "ffn_norm.weight", Values::Scale);
}

void addEnds(ForeignModel &model) {
  model.add("model.embed_tokens.weight", {vocab, width}, "embed_tokens.weight", Values::Table);
  model.add("model.norm.weight", {width}, "norm.weight", Values::Scale);
  model.add("lm_head.weight", {vocab, width}, "lm_head.weight", Values::Matrix);
}

/// A tensor [experts, rows of each part in order, columns], whose parts are matrices of the experts.
void addStacked(ForeignModel &model, const std::string &theirs, const std::string &ours, int64_t experts, int64_t rows,
                int64_t columns, const std::vector<const char *> &matrices) {
  auto parts = static_cast<int64_t>(matrices.size());
  model.add(theirs, {experts, parts * rows, columns}, ours + "all", Values::Matrix, {experts * parts * rows, columns});
  std::vector<std::pair<std::string, int64_t>> names;
  for (int64_t e = 0; e < experts; ++e)
    for (const char *matrix : matrices)
      names.emplace_back(ours + "experts." + std::to_string(e) + "." + matrix + ".weight", rows);
  model.splitRows(ours + "all", names);
}

/// The experts of granite, three of 12, of which two are taken.
void addGraniteExperts(ForeignModel &model, const std::string &theirs, const std::string &ours, int64_t hidden) {
  model.add(theirs + "block_sparse_moe.router.layer.weight", {3, hidden}, ours + "ffn.router.weight", Values::Router);
  addStacked(model, theirs + "block_sparse_moe.input_linear.weight", ours + "ffn.", 3, 12, hidden,
             {"gate_proj", "up_proj"});
  addStacked(model, theirs + "block_sparse_moe.output_linear.weight", ours + "ffn.", 3, hidden, 12, {"down_proj"});
}

void addGraniteShared(ForeignModel &model, const std::string &theirs, const std::string &ours, int64_t hidden) {
  model.add(theirs + "shared_mlp.input_linear.weight", {48, hidden}, ours + "both", Values::Matrix);
  model.splitRows(ours + "both", {{ours + "ffn.gate_proj.weight", 24}, {ours + "ffn.up_proj.weight", 24}});
  model.add(theirs + "shared_mlp.output_linear.weight", {hidden, 24}, ours + "ffn.down_proj.weight", Values::Matrix);
}

} // namespace

TEST(ForeignExperts, Qwen3MoeHasExpertsInSomeLayers) {
  for (bool normalized : {true, false}) {
    std::string normalizes = normalized ? "true" : "false";
    // Every second layer has experts, but for the last, which is listed.
    ForeignModel model(R"({
    "architectures": ["Qwen3MoeForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1,
    "decoder_sparse_step": 2, "eos_token_id": 2, "head_dim": 8, "hidden_act": "silu", "hidden_size": 16,
    "initializer_range": 0.02, "intermediate_size": 24, "max_position_embeddings": 40960, "max_window_layers": 4,
    "mlp_only_layers": [5], "model_type": "qwen3_moe", "moe_intermediate_size": 12, "num_attention_heads": 2,
    "num_experts": 5, "num_experts_per_tok": 2, "num_hidden_layers": 6, "num_key_value_heads": 2,
    "output_router_logits": false, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000.0,
    "router_aux_loss_coef": 0.001, "sliding_window": null, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
    "transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false, "vocab_size": 31,
    "norm_topk_prob": )" +
                       normalizes + "}");
    addEnds(model);
    for (int layer = 0; layer < 6; ++layer) {
      std::string theirs = layerName("model.layers.", layer), ours = layerName("layers.", layer);
      addLayer(model, layer);
      model.add(theirs + "self_attn.q_norm.weight", {8}, ours + "attn.q_norm.weight", Values::Scale);
      model.add(theirs + "self_attn.k_norm.weight", {8}, ours + "attn.k_norm.weight", Values::Scale);
      if (layer != 1 && layer != 3) {
        addFeedForward(model, theirs + "mlp.", ours + "ffn.", width, 24);
        continue;
      }
      model.add(theirs + "mlp.gate.weight", {5, width}, ours + "ffn.router.weight", Values::Router);
      for (int e = 0; e < 5; ++e)
        addFeedForward(model, theirs + "mlp.experts." + std::to_string(e) + ".",
                       ours + "ffn.experts." + std::to_string(e) + ".", width, 12);
    }
    expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 6, "modes": ["full"],
    "num_attention_heads": 2, "head_dim": 8, "qk_norm": true, "rope_theta": 1000000.0, "norm_eps": 1e-06,
    "intermediate_size": 24, "experts": {"count": 5, "active": 2, "intermediate_size": 12,
    "layers": [false, true, false, true, false, false], "normalized": )" +
                                  normalizes + "}}");
  }
}

TEST(ForeignExperts, Qwen2MoeGatesTheNetworkBesideThem) {
  ForeignModel model(R"({
    "architectures": ["Qwen2MoeForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "decoder_sparse_step": 1,
    "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": 20,
    "max_position_embeddings": 8192, "max_window_layers": 21, "mlp_only_layers": [0], "model_type": "qwen2_moe",
    "moe_intermediate_size": 12, "norm_topk_prob": false, "num_attention_heads": 2, "num_experts": 4,
    "num_experts_per_tok": 3, "num_hidden_layers": 2, "num_key_value_heads": 2, "output_router_logits": false,
    "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "router_aux_loss_coef": 0.001,
    "shared_expert_intermediate_size": 28, "sliding_window": 32768, "tie_word_embeddings": false,
    "torch_dtype": "bfloat16", "transformers_version": "4.39.0.dev0", "use_cache": true, "use_sliding_window": false,
    "vocab_size": 31})");
  addEnds(model);
  for (int layer = 0; layer < 2; ++layer) {
    std::string theirs = layerName("model.layers.", layer), ours = layerName("layers.", layer);
    addLayer(model, layer);
    for (const char *name : {"q_proj", "k_proj", "v_proj"})
      model.add(theirs + "self_attn." + name + ".bias", {16}, ours + "attn." + name + ".bias", Values::Shift);
    if (layer == 0) {
      addFeedForward(model, theirs + "mlp.", ours + "ffn.", width, 20);
      continue;
    }
    model.add(theirs + "mlp.gate.weight", {4, width}, ours + "ffn.router.weight", Values::Router);
    model.add(theirs + "mlp.shared_expert_gate.weight", {1, width}, ours + "ffn.router.shared.weight", Values::Router);
    addFeedForward(model, theirs + "mlp.shared_expert.", ours + "ffn.", width, 28);
    for (int e = 0; e < 4; ++e)
      addFeedForward(model, theirs + "mlp.experts." + std::to_string(e) + ".",
                     ours + "ffn.experts." + std::to_string(e) + ".", width, 12);
  }
  expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 2, "modes": ["full"],
    "num_attention_heads": 2, "head_dim": 8, "qkv_bias": true, "rope_theta": 1000000.0, "norm_eps": 1e-06,
    "intermediate_size": 20, "experts": {"count": 4, "active": 3, "intermediate_size": 12,
    "shared_intermediate_size": 28, "shared_gate": true, "layers": [false, true]}})");
}

TEST(ForeignExperts, MixtralHasExpertsInEveryLayer) {
  for (bool slides : {false, true}) {
    ForeignModel model(R"({
    "architectures": ["MixtralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
    "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": 20,
    "max_position_embeddings": 32768, "model_type": "mixtral", "num_attention_heads": 2, "num_experts_per_tok": 2,
    "num_hidden_layers": 2, "num_key_value_heads": 2, "num_local_experts": 4, "output_router_logits": false,
    "rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "router_aux_loss_coef": 0.02, "tie_word_embeddings": false,
    "torch_dtype": "bfloat16", "transformers_version": "4.36.0.dev0", "use_cache": true, "vocab_size": 31,
    "sliding_window": )" +
                       std::string(slides ? "5" : "null") + "}");
    addEnds(model);
    for (int layer = 0; layer < 2; ++layer) {
      std::string theirs = layerName("model.layers.", layer) + "block_sparse_moe.", ours = layerName("layers.", layer);
      addLayer(model, layer);
      model.add(theirs + "gate.weight", {4, width}, ours + "ffn.router.weight", Values::Router);
      for (int e = 0; e < 4; ++e) {
        std::string expert = theirs + "experts." + std::to_string(e), own = ours + "ffn.experts." + std::to_string(e);
        model.add(expert + ".w1.weight", {20, width}, own + ".gate_proj.weight", Values::Matrix);
        model.add(expert + ".w2.weight", {width, 20}, own + ".down_proj.weight", Values::Matrix);
        model.add(expert + ".w3.weight", {20, width}, own + ".up_proj.weight", Values::Matrix);
      }
    }
    expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "head_dim": 8, "rope_theta": 1000000.0, "intermediate_size": 0,
    "experts": {"count": 4, "active": 2, "intermediate_size": 20, "normalized": true}, "window": 5, "modes": [")" +
                                  std::string(slides ? "swa" : "full") + "\"]}");
  }
}

TEST(ForeignExperts, GraniteMoeHasTheMatricesOfAllExpertsInOneTensor) {
  for (bool shared : {false, true}) {
    std::string type = shared ? R"("granitemoeshared", "shared_intermediate_size": 24)" : R"("granitemoe")";
    ForeignModel model(R"({
    "architectures": ["GraniteMoeForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "attention_multiplier": 0.4, "bos_token_id": 0, "embedding_multiplier": 12.0, "eos_token_id": 0,
    "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": 12,
    "logits_scaling": 6.0, "max_position_embeddings": 4096, "num_attention_heads": 2, "num_experts_per_tok": 2,
    "num_hidden_layers": 2, "num_key_value_heads": 2, "num_local_experts": 3, "output_router_logits": false,
    "pad_token_id": 0, "residual_multiplier": 0.22, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 10000.0,
    "router_aux_loss_coef": 0.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
    "transformers_version": "4.46.0.dev0", "use_cache": true, "vocab_size": 31, "model_type": )" +
                       type + "}");
    model.add("model.embed_tokens.weight", {vocab, width}, "embed_tokens.weight", Values::Table);
    model.add("model.norm.weight", {width}, "norm.weight", Values::Scale);
    for (int layer = 0; layer < 2; ++layer) {
      std::string theirs = layerName("model.layers.", layer), ours = layerName("layers.", layer);
      addLayer(model, layer);
      addGraniteExperts(model, theirs, ours, width);
      if (shared)
        addGraniteShared(model, theirs, ours, width);
    }
    expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 2, "modes": ["full"],
    "num_attention_heads": 2, "head_dim": 8, "norm_eps": 1e-06, "attention_multiplier": 0.4,
    "embedding_multiplier": 12, "residual_multiplier": 0.22, "logits_scaling": 6, "tie_word_embeddings": true,
    "intermediate_size": 0, "experts": {"count": 3, "active": 2, "intermediate_size": 12, "normalized": true,
    "shared_intermediate_size": )" +
                                  std::string(shared ? "24" : "0") + "}}");
  }
}

TEST(ForeignExperts, GraniteMoeHybridHasExpertsBesideItsNetwork) {
  ForeignModel model(R"({
    "architectures": ["GraniteMoeHybridForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "attention_multiplier": 0.4, "bos_token_id": 1, "embedding_multiplier": 12, "eos_token_id": 2,
    "hidden_act": "silu", "hidden_size": 32, "init_method": "mup", "initializer_range": 0.1, "intermediate_size": 12,
    "layer_types": ["mamba", "attention"], "logits_scaling": 8, "mamba_chunk_size": 256, "mamba_conv_bias": true,
    "mamba_d_conv": 4, "mamba_d_head": 16, "mamba_d_state": 6, "mamba_expand": 2, "mamba_n_groups": 1,
    "mamba_n_heads": 4, "mamba_proj_bias": false, "max_position_embeddings": 131072, "model_type": "granitemoehybrid",
    "normalization_function": "rmsnorm", "num_attention_heads": 4, "num_experts_per_tok": 2, "num_hidden_layers": 2,
    "num_key_value_heads": 2, "num_local_experts": 3, "output_router_logits": false,
    "position_embedding_type": "nope", "residual_multiplier": 0.22, "rms_norm_eps": 1e-05, "rope_theta": 10000,
    "router_aux_loss_coef": 0.01, "shared_intermediate_size": 24, "tie_word_embeddings": true, "use_cache": true,
    "vocab_size": 43})");
  model.add("model.embed_tokens.weight", {43, 32}, "embed_tokens.weight", Values::Table);
  for (int layer = 0; layer < 2; ++layer) {
    std::string theirs = layerName("model.layers.", layer), ours = layerName("layers.", layer);
    model.add(theirs + "input_layernorm.weight", {32}, ours + "input_norm.weight", Values::Scale);
    if (layer == 1)
      addAttention(model, theirs + "self_attn.", ours + "attn.", 32, 32, 16);
    else
      addMamba2(model, theirs + "mamba.", ours + "ssm.", 32, 4, 16, 1, 6);
    model.add(theirs + "post_attention_layernorm.weight", {32}, ours + "ffn_norm.weight", Values::Scale);
    addGraniteExperts(model, theirs, ours, 32);
    addGraniteShared(model, theirs, ours, 32);
  }
  model.add("model.norm.weight", {32}, "norm.weight", Values::Scale);
  expectSameAsOracle(model, R"({
    "model_type": "chimera", "vocab_size": 43, "hidden_size": 32, "num_hidden_layers": 2,
    "modes": [["ssm"], ["full"]], "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "intermediate_size": 0, "attention_multiplier": 0.4, "embedding_multiplier": 12, "residual_multiplier": 0.22,
    "logits_scaling": 8, "tie_word_embeddings": true, "rope_layers": [false, false],
    "ssm": {"state_size": 6, "head_dim": 16, "expand": 2, "n_groups": 1, "conv_kernel": 4},
    "experts": {"count": 3, "active": 2, "intermediate_size": 12, "normalized": true,
                "shared_intermediate_size": 24}})");
}

TEST(ForeignExperts, MoreOfThemThanThereAreIsOneLineThatNamesTheKey) {
  ForeignModel model(R"({"model_type": "granitemoe", "vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 12, "num_local_experts": 3, "num_experts_per_tok": 4})");
  TemporaryDirectory directory;
  model.write(directory.path());
  ProcessResult result = compileForeign(directory.path(), directory.file("m.chm"));
  EXPECT_EQ(result.status, 1) << result.describe();
  EXPECT_NE(result.err.find("'num_experts_per_tok': must be at most the number of experts (3), got 4"),
            std::string::npos)
      << result.err;
}
