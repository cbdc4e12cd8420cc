// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// gemma and gemma 3, as the transformers library stores them, against the oracle.
#include "test/e2e/ForeignCheck.h"
#include "test/support/Oracle.h"

#include <gtest/gtest.h>

using namespace chimera;
using namespace chimera::test;

namespace {

/// A norm that multiplies by 1 + w.
void addNorm(ForeignModel &model, const std::string &theirs, const std::string &ours, int64_t width) {
  model.add(theirs + ".weight", {width}, ours + ".weight", Values::Shift);
}

/// What a layer has besides attention and network.
struct LayerNorms {
  bool post;  ///< norms after both
  bool heads; ///< norms of the heads of queries and keys
};

/// A model of 24 channels, 4 heads of 8 with 2 of keys and values, a network of 40; the embedding is tied.
ForeignModel gemma(const std::string &configText, int layers, LayerNorms norms) {
  ForeignModel model(configText);
  model.add("model.embed_tokens.weight", {41, 24}, "embed_tokens.weight", Values::Matrix);
  for (int layer = 0; layer < layers; ++layer) {
    std::string theirs = "model.layers." + std::to_string(layer) + ".", ours = "layers." + std::to_string(layer) + ".";
    addNorm(model, theirs + "input_layernorm", ours + "input_norm", 24);
    addAttention(model, theirs + "self_attn.", ours + "attn.", 24, 32, 16);
    if (norms.heads) {
      addNorm(model, theirs + "self_attn.q_norm", ours + "attn.q_norm", 8);
      addNorm(model, theirs + "self_attn.k_norm", ours + "attn.k_norm", 8);
    }
    if (norms.post) {
      addNorm(model, theirs + "post_attention_layernorm", ours + "post_mixer_norm", 24);
      addNorm(model, theirs + "pre_feedforward_layernorm", ours + "ffn_norm", 24);
      addNorm(model, theirs + "post_feedforward_layernorm", ours + "post_ffn_norm", 24);
    } else {
      addNorm(model, theirs + "post_attention_layernorm", ours + "ffn_norm", 24);
    }
    addFeedForward(model, theirs + "mlp.", ours + "ffn.", 24, 40);
  }
  addNorm(model, "model.norm", "norm", 24);
  return model;
}

const std::string common = R"("attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 2,
  "eos_token_id": 1, "head_dim": 8, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 24,
  "initializer_range": 0.02, "intermediate_size": 40, "max_position_embeddings": 8192, "num_attention_heads": 4,
  "num_key_value_heads": 2, "pad_token_id": 0, "rms_norm_eps": 1e-06, "use_cache": true, "vocab_size": 41)";

/// sqrt(24) multiplies the embedding.
const std::string equivalent = R"("model_type": "chimera", "vocab_size": 41, "hidden_size": 24,
  "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 40, "norm_eps": 1e-06,
  "norm_unit_offset": true, "mlp_activation": "gelu_tanh", "embedding_multiplier": 4.898979485566356, "tie_word_embeddings": true)";

TEST(ForeignGemma, TheFirstHasNormsOfOnePlusWeight) {
  expectSameAsOracle(gemma("{" + common + R"(, "architectures": ["GemmaForCausalLM"], "hidden_act": "gelu",
    "model_type": "gemma", "num_hidden_layers": 2, "rope_scaling": null, "rope_theta": 1000.0})",
                           2, {false, false}),
                     "{" + equivalent + R"(, "num_hidden_layers": 2, "modes": ["full"], "rope_theta": 1000})");
}

TEST(ForeignGemma, TheThirdRotatesItsWindowsInTheirOwnWay) {
  const std::string old = R"("rope_local_base_freq": 50.0, "rope_theta": 1000.0,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window_pattern": 3)";
  const std::string recent = R"("rope_parameters": {
      "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000.0},
      "sliding_attention": {"rope_type": "default", "rope_theta": 50.0}},
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"])";
  for (const std::string &rotation : {old, recent}) {
    std::set<int8_t> modes = expectSameAsOracle(
        gemma("{" + common + R"(, "architectures": ["Gemma3ForCausalLM"], "attn_logit_softcapping": null,
    "cache_implementation": "hybrid", "final_logit_softcapping": null, "model_type": "gemma3_text",
    "num_hidden_layers": 3, "query_pre_attn_scalar": 5, "sliding_window": 6, )" +
                  rotation + "}",
              3, {true, true}),
        "{" + equivalent + R"(, "num_hidden_layers": 3, "modes": [["swa"], ["swa"], ["full"]], "window": 6,
    "post_norms": true, "qk_norm": true, "attention_multiplier": 0.4472135954999579, "rope_theta": 1000,
    "rope_scaling": {"type": "linear", "factor": 8}, "swa_rope_theta": 50})");
    EXPECT_EQ(modes, (std::set<int8_t>{kSwa, kFull}));
  }
}

} // namespace
