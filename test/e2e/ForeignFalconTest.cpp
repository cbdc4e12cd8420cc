// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// falcon_h1 as the transformers library writes it: attention and Mamba-2 side by side in every layer.
#include "test/e2e/ForeignCheck.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace chimera::test;

namespace {

/// `ssm`: those keys of the config that say whether there is a norm and a bias of the convolution.
ForeignModel falconH1(const std::string &ssm, bool hasNorm, bool hasConvBias) {
  // The inner size, 3 heads of 16, is no multiple of the hidden size.
  ForeignModel model(R"({
    "architectures": ["FalconH1ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "attention_in_multiplier": 1.25, "attention_out_multiplier": 0.9375, "attn_layer_indices": null, "bos_token_id": 1,
    "embedding_multiplier": 5.656854249492381, "eos_token_id": 11, "head_dim": 8, "hidden_act": "silu",
    "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 40, "key_multiplier": 0.390625,
    "lm_head_multiplier": 0.125, "mamba_chunk_size": 128, "mamba_d_conv": 4, "mamba_d_head": 16, "mamba_d_ssm": 48,
    "mamba_d_state": 6, "mamba_expand": 2, "mamba_n_groups": 1, "mamba_n_heads": 3, "mamba_proj_bias": false,
    "mamba_use_mlp": true, "max_position_embeddings": 16384, "mlp_bias": false, "mlp_expansion_factor": 8,
    "mlp_multipliers": [0.8838834764831844, 0.5859375], "model_type": "falcon_h1", "num_attention_heads": 4,
    "num_hidden_layers": 2, "num_key_value_heads": 2, "num_logits_to_keep": 1, "pad_token_id": 0,
    "projectors_bias": false, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 100000000000.0,
    "ssm_in_multiplier": 1.25, "ssm_multipliers": [0.3535, 0.25, 0.1767, 0.5, 0.3535], "ssm_out_multiplier": 0.2357,
    "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.52.0.dev0", "use_cache": true,
    "vocab_size": 43, )" +
                     ssm + "}");
  model.add("model.embed_tokens.weight", {43, 32}, "embed_tokens.weight", Values::Table);
  for (int layer = 0; layer < 2; ++layer) {
    std::string theirs = "model.layers." + std::to_string(layer) + ".", ours = "layers." + std::to_string(layer) + ".";
    model.add(theirs + "input_layernorm.weight", {32}, ours + "input_norm.weight", Values::Scale);
    addAttention(model, theirs + "self_attn.", ours + "attn.", 32, 32, 16);
    addMamba2(model, theirs + "mamba.", ours + "ssm.", 32, 3, 16, 1, 6);
    if (!hasNorm) {
      model.disk.erase(theirs + "mamba.norm.weight");
      model.ours.erase(ours + "ssm.norm.weight");
    }
    if (!hasConvBias) {
      model.disk.erase(theirs + "mamba.conv1d.bias");
      std::vector<double> &bias = model.ours.at(ours + "ssm.conv.bias").values;
      std::fill(bias.begin(), bias.end(), 0.0);
    }
    model.add(theirs + "pre_ff_layernorm.weight", {32}, ours + "ffn_norm.weight", Values::Scale);
    addFeedForward(model, theirs + "feed_forward.", ours + "ffn.", 32, 40);
  }
  model.add("model.final_layernorm.weight", {32}, "norm.weight", Values::Scale);
  model.add("lm_head.weight", {43, 32}, "lm_head.weight", Values::Matrix);
  return model;
}

std::string equivalent(bool hasNorm) {
  // attention_multiplier: 0.390625 / sqrt(8).
  return R"({
    "model_type": "chimera", "vocab_size": 43, "hidden_size": 32, "num_hidden_layers": 2, "modes": ["full"],
    "parallel_modes": ["ssm", "ssm"], "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "intermediate_size": 40, "rope_theta": 100000000000.0, "attention_multiplier": 0.13810679320049757,
    "attention_input_multiplier": 1.25, "attention_output_multiplier": 0.9375,
    "embedding_multiplier": 5.656854249492381, "logits_scaling": 8, "mlp_gate_multiplier": 0.8838834764831844,
    "mlp_output_multiplier": 0.5859375,
    "ssm": {"state_size": 6, "head_dim": 16, "num_heads": 3, "n_groups": 1, "conv_kernel": 4, "input_multiplier": 1.25,
            "projection_multipliers": [0.3535, 0.25, 0.1767, 0.5, 0.3535], "output_multiplier": 0.2357,
            "gated_norm": )" +
         std::string(hasNorm ? "true" : "false") + "}}";
}

} // namespace

TEST(ForeignFalcon, AttentionAndMambaStandSideBySide) {
  expectSameAsOracle(falconH1(R"("mamba_conv_bias": true, "mamba_rms_norm": false, "mamba_norm_before_gate": true)",
                              /*hasNorm=*/false, /*hasConvBias=*/true),
                     equivalent(/*hasNorm=*/false));
}

TEST(ForeignFalcon, ItsNormMayBeThereAndTheBiasOfItsConvolutionAbsent) {
  expectSameAsOracle(falconH1(R"("mamba_conv_bias": false, "mamba_rms_norm": true, "mamba_norm_before_gate": false)",
                              /*hasNorm=*/true, /*hasConvBias=*/false),
                     equivalent(/*hasNorm=*/true));
}
