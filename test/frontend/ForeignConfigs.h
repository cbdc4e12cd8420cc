// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Configs of other programs' models, as they are published but smaller, for the tests that read them.
#ifndef CHIMERA_TEST_FRONTEND_FOREIGNCONFIGS_H
#define CHIMERA_TEST_FRONTEND_FOREIGNCONFIGS_H

#include "test/frontend/ConfigTestSupport.h"

#include <map>
#include <string>
#include <vector>

namespace chimera::test {

/// `text` with `"key": <anything without comma or bracket>` set to `value`, or the key added.
inline std::string with(std::string text, const std::string &key, const std::string &value) {
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

inline const std::string llama = R"({
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1,
  "eos_token_id": [2, 5], "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": 24,
  "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 4,
  "num_hidden_layers": 2, "num_key_value_heads": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
  "rope_theta": 500000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.43.0",
  "use_cache": true, "vocab_size": 33})";

inline const std::string mistral = R"({
  "architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
  "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": 24,
  "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 4, "num_hidden_layers": 2,
  "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 7,
  "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.34.0", "use_cache": true,
  "vocab_size": 33})";

/// As the authors of Mamba-2 publish it.
inline const std::string mambaSsm = R"({
  "d_model": 64, "d_intermediate": 0, "n_layer": 2, "vocab_size": 33, "ssm_cfg": {"layer": "Mamba2"},
  "attn_layer_idx": [], "attn_cfg": {}, "rms_norm": true, "residual_in_fp32": true, "fused_add_norm": true,
  "pad_vocab_size_multiple": 16, "tie_embeddings": true})";

inline const std::string mamba2 = R"({
  "architectures": ["Mamba2ForCausalLM"], "bos_token_id": 0, "chunk_size": 256, "conv_kernel": 4, "eos_token_id": 0,
  "expand": 2, "head_dim": 8, "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.1,
  "layer_norm_epsilon": 1e-05, "model_type": "mamba2", "n_groups": 2, "num_heads": 4, "num_hidden_layers": 1,
  "pad_token_id": 0, "rescale_prenorm_residual": false, "residual_in_fp32": true, "rms_norm": true, "state_size": 5,
  "tie_word_embeddings": true, "time_step_floor": 0.0001, "time_step_limit": [0.0, Infinity], "time_step_max": 0.1,
  "time_step_min": 0.001, "time_step_rank": 256, "use_bias": false, "use_cache": true, "use_conv_bias": true,
  "vocab_size": 33})";

inline const std::string bamba = R"({
  "architectures": ["BambaForCausalLM"], "attention_bias": false, "attn_layer_indices": [1], "attn_rotary_emb": 2,
  "hidden_act": "silu", "hidden_size": 16, "intermediate_size": 24, "mamba_chunk_size": 256, "mamba_conv_bias": true,
  "mamba_d_conv": 4, "mamba_d_head": 8, "mamba_d_state": 5, "mamba_expand": 2, "mamba_n_groups": 1,
  "mamba_n_heads": 4, "mamba_proj_bias": false, "mlp_bias": false, "model_type": "bamba", "num_attention_heads": 4,
  "num_hidden_layers": 3, "num_key_value_heads": 2, "num_logits_to_keep": 1, "partial_rotary_factor": 0.5,
  "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0, "tie_word_embeddings": false,
  "use_mamba_kernels": true, "vocab_size": 33})";

inline const std::string chimeraLm =
    R"({"model_type": "chimera-lm", "vocab_size": 33, "num_layers": 2, "dim": 16, "num_heads": 2,
  "window": 7, "ssm_state": 5, "target_dist": [0.1, 0.6, 0.2, 0.1], "ffn_mult": 2.6666666666666665,
  "max_seq_len": 1024, "rope_base": 10000.0, "tie_embeddings": true})";

inline std::map<std::string, ParameterSpec> byName(const Config &config) {
  std::map<std::string, ParameterSpec> result;
  for (ParameterSpec &spec : parameters(config)) {
    std::string name = spec.name;
    result[name] = std::move(spec);
  }
  return result;
}

inline std::vector<std::string> sources(const Config &config) {
  std::vector<std::string> names;
  for (const ParameterSpec &spec : parameters(config))
    names.push_back(spec.source);
  return names;
}
/// A config of the family with sizes alone, so that all else is the library's default.
inline std::string sizesOf(const std::string &family, const std::string &more = "") {
  return R"({"model_type": ")" + family + R"(", "vocab_size": 33, "hidden_size": 64, "num_hidden_layers": 5)" + more +
         "}";
}

} // namespace chimera::test

#endif // CHIMERA_TEST_FRONTEND_FOREIGNCONFIGS_H
