// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys that all families have: neutral values, contradictions, generation configs, what is refused.
#include "test/frontend/ForeignConfigs.h"

using namespace chimera;
using namespace chimera::test;

namespace {

/// Keys as published configs carry them, whose values change nothing.
TEST(ForeignKeys, KeysWithNeutralValuesAreAccepted) {
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

TEST(ForeignKeys, WhatRotationSaysTwiceMustAgree) {
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

TEST(ForeignKeys, TheGenerationConfigDecidesOverTokenIds) {
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

TEST(ForeignKeys, TheGenerationConfigSaysHowToSample) {
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

TEST(ForeignKeys, MaxPositionsAreKept) {
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

TEST(ForeignKeys, UnsupportedValuesAndKeysAreNamed) {
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

TEST(ForeignKeys, AnyByteChangedOrCutIsAConfigOrOneError) {
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
