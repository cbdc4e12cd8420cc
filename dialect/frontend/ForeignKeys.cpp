// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/ForeignKeys.h"

#include <algorithm>

namespace chimera {

namespace {

/// What a config of the transformers library (versions 4 and 5, and what is built on it) may hold and what no model
/// reads when it computes logits: names and versions, settings of training, defaults of text generation that older
/// versions saved here.
struct WithoutEffect {
  std::string_view reason;
  std::vector<std::string_view> keys;
};

const WithoutEffect withoutEffect[] = {
    {"names a file or a program",
     {"architectures", "auto_map", "_name_or_path", "name_or_path", "base_model_name_or_path", "_commit_hash",
      "transformers_version", "unsloth_version", "unsloth_fixed", "transformers.js_config", "tokenizer_class", "prefix",
      "is_llama_config", "model_max_length"}},
    {"how it is executed",
     {"torch_dtype", "dtype", "use_cache", "torchscript", "use_bfloat16", "return_dict", "return_dict_in_generate",
      "output_attentions", "output_hidden_states", "output_scores", "_attn_implementation", "attn_implementation",
      "_attn_implementation_autoset", "_flash_attn_2_enabled", "pretraining_tp", "chunk_size_feed_forward",
      "is_decoder", "num_logits_to_keep"}},
    {"a setting of training",
     {"initializer_range", "initializer_factor", "attention_dropout", "hidden_dropout", "hidden_dropout_prob",
      "attention_probs_dropout_prob", "resid_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop", "dropout",
      "gradient_checkpointing", "use_gradient_checkpointing", "z_loss_coefficient"}},
    {"a task that is not text generation",
     {"finetuning_task", "id2label", "label2id", "num_labels", "problem_type", "task_specific_params",
      "tf_legacy_loss"}},
    {"a default of text generation, for which generation_config.json is read",
     {"pad_token_id",
      "sep_token_id",
      "cls_token_id",
      "mask_token_id",
      "decoder_start_token_id",
      "max_length",
      "max_new_tokens",
      "min_length",
      "do_sample",
      "early_stopping",
      "num_beams",
      "num_beam_groups",
      "diversity_penalty",
      "temperature",
      "top_k",
      "top_p",
      "typical_p",
      "repetition_penalty",
      "length_penalty",
      "no_repeat_ngram_size",
      "encoder_no_repeat_ngram_size",
      "bad_words_ids",
      "num_return_sequences",
      "suppress_tokens",
      "begin_suppress_tokens",
      "forced_bos_token_id",
      "forced_eos_token_id",
      "remove_invalid_values",
      "exponential_decay_length_penalty"}}};

using IsNeutral = bool (*)(const JsonValue &value);

bool never(const JsonValue &) {
  return false;
}
bool isFalse(const JsonValue &value) {
  return value.kind == JsonValue::Kind::Bool && !value.boolean;
}
bool isZero(const JsonValue &value) {
  return value.isNumber() && value.number == 0.0;
}
bool isOne(const JsonValue &value) {
  return value.isNumber() && value.number == 1.0;
}
bool isEmpty(const JsonValue &value) {
  return (value.kind == JsonValue::Kind::Array && value.items.empty()) ||
         (value.kind == JsonValue::Kind::Object && value.members.empty());
}
bool isFullEverywhere(const JsonValue &value) {
  return value.kind == JsonValue::Kind::Array &&
         std::all_of(value.items.begin(), value.items.end(),
                     [](const JsonValue &item) { return isText(item, "full_attention"); });
}
bool rotatesEverywhere(const JsonValue &value) {
  return value.kind == JsonValue::Kind::Array && std::all_of(value.items.begin(), value.items.end(), isOne);
}

/// A key that changes what a model computes unless it has the neutral value.
struct Switch {
  std::string_view key;
  IsNeutral isNeutral;
  std::string_view otherwise; ///< the error for any other value
};

constexpr std::string_view onlyNull = "only null is supported for this model_type";
constexpr std::string_view onlyFalse = "only false is supported for this model_type";
constexpr std::string_view onlyOne = "only 1 is supported for this model_type";
constexpr std::string_view onlyZero = "only 0 is supported for this model_type";
constexpr std::string_view onlyEmpty = "only an empty one is supported";

constexpr std::string_view onlyUnquantised =
    "quantised weights are not supported; take the checkpoint in bf16, f16 or f32";

constexpr Switch switches[] = {
    {"quantization_config", never, onlyUnquantised},
    {"compression_config", never, onlyUnquantised},
    {"quantization", never, onlyUnquantised},
    {"sliding_window", never, onlyNull},
    {"attention_chunk_size", never, onlyNull},
    {"attn_logit_softcapping", never, onlyNull},
    {"final_logit_softcapping", never, onlyNull},
    {"clip_qkv", never, onlyNull},
    {"cross_attention_hidden_size", never, onlyNull},
    {"use_sliding_window", isFalse, onlyFalse},
    {"use_bidirectional_attention", isFalse, onlyFalse},
    {"rope_interleaved", isFalse, onlyFalse},
    {"use_qk_norm", isFalse, onlyFalse},
    {"qk_layernorm", isFalse, onlyFalse},
    {"qkv_bias", isFalse, onlyFalse},
    {"attention_qkv_bias", isFalse, onlyFalse},
    {"attention_out_bias", isFalse, onlyFalse},
    {"use_parallel_residual", isFalse, onlyFalse},
    {"parallel_attn", isFalse, onlyFalse},
    {"is_encoder_decoder", isFalse, onlyFalse},
    {"tie_encoder_decoder", isFalse, onlyFalse},
    {"add_cross_attention", isFalse, onlyFalse},
    {"embedding_multiplier", isOne, onlyOne},
    {"residual_multiplier", isOne, onlyOne},
    {"logits_scaling", isOne, onlyOne},
    {"logit_scale", isOne, onlyOne},
    {"num_local_experts", isZero, onlyZero},
    {"num_experts", isZero, onlyZero},
    {"pruned_heads", isEmpty, onlyEmpty},
    {"mlp_only_layers", isEmpty, onlyEmpty},
    {"layer_types", isFullEverywhere, "only \"full_attention\" in every layer is supported for this model_type"},
    {"no_rope_layers", rotatesEverywhere, "only 1 in every layer is supported for this model_type"},
};

template <typename List> bool contains(const List &list, std::string_view key) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

/// The reason why a key changes nothing in any config; empty if it may.
std::string_view whyWithoutEffect(std::string_view key) {
  for (const WithoutEffect &group : withoutEffect)
    if (contains(group.keys, key))
      return group.reason;
  return {};
}

/// What is wrong with a value that is not neutral. Of quantised weights the method is named.
std::string refusalOf(const Switch &entry, const JsonValue &value) {
  const JsonValue *method = entry.otherwise == onlyUnquantised ? value.find("quant_method") : nullptr;
  if (!method || method->kind != JsonValue::Kind::String)
    return std::string(entry.otherwise);
  return "the weights are quantised (" + printable(method->text) + "): " + std::string(entry.otherwise);
}

/// A key that its family neither reads nor ignores.
struct Verdict {
  KeyUse use;
  std::string reason;
};
Verdict judgeOther(std::string_view key, const JsonValue &value) {
  if (std::string_view reason = whyWithoutEffect(key); !reason.empty())
    return {KeyUse::WithoutEffect, std::string(reason)};
  const auto *known =
      std::find_if(std::begin(switches), std::end(switches), [&](const Switch &entry) { return entry.key == key; });
  if (known == std::end(switches))
    return {KeyUse::Refused, "not supported for this model_type"};
  if (!known->isNeutral(value))
    return {KeyUse::Refused, refusalOf(*known, value)};
  return {KeyUse::Neutral, ""};
}

} // namespace

void checkForeignKeys(ObjectReader &reader, const std::vector<std::string_view> &read,
                      const std::vector<std::string_view> &ignored) {
  bool windowIsOff = reader.has("use_sliding_window") && isFalse(*reader.find("use_sliding_window"));
  auto isUnused = [&](std::string_view key) {
    return windowIsOff && (key == "sliding_window" || key == "max_window_layers");
  };
  auto judge = [&](std::string_view key, const JsonValue &value) -> Verdict {
    if (value.kind == JsonValue::Kind::Null)
      return {KeyUse::NotSet, ""};
    if (contains(read, key) || key == "max_position_embeddings")
      return {KeyUse::Read, ""};
    if (contains(ignored, key))
      return {KeyUse::WithoutEffect, "changes nothing in inference"};
    if (isUnused(key))
      return {KeyUse::WithoutEffect, "use_sliding_window is false"};
    return judgeOther(key, value);
  };
  for (const auto &[key, value] : reader.members()) {
    Verdict verdict = judge(key, value);
    reader.note(key, verdict.use, verdict.reason);
    if (verdict.use == KeyUse::Refused)
      reader.error(key, verdict.reason);
  }
}

void requireBoolean(ObjectReader &reader, std::string_view key, bool supported) {
  if (reader.boolean(key, supported) != supported)
    reader.error(key, std::string("only ") + (supported ? "true" : "false") + " is supported");
}

void requireSilu(ObjectReader &reader) {
  reader.choice<bool>("hidden_act", true, {{"silu", true}, {"swish", true}});
}

void readRope(ObjectReader &reader, Config &config, double factor, double thetaByDefault) {
  config.partialRotaryFactor = factor;
  std::optional<double> theta;
  auto readThetaAndFactor = [&](ObjectReader &object) {
    if (object.has("partial_rotary_factor") &&
        object.number("partial_rotary_factor", factor, {0.0, 1.0, true}) != factor)
      object.error("partial_rotary_factor", "must be " + std::string(factor == 1.0 ? "1" : "0.5"));
    if (!object.has("rope_theta"))
      return;
    double value = object.number("rope_theta", std::nullopt, NumberRange::positive());
    if (theta && *theta != value)
      object.error("rope_theta", "differs from the rope_theta that the config has elsewhere");
    theta = value;
  };
  readThetaAndFactor(reader);
  std::optional<RopeScaling> scaling;
  for (std::string_view key : {"rope_scaling", "rope_parameters"}) {
    if (!reader.has(key))
      continue;
    ObjectReader object = reader.child(key);
    readThetaAndFactor(object);
    RopeScaling read;
    readRopeScaling(reader, key, read, {"rope_theta", "partial_rotary_factor"}, /*typeIsNeeded=*/false);
    if (scaling && !(*scaling == read))
      reader.error(key, "differs from 'rope_scaling'");
    scaling = read;
  }
  config.ropeTheta = theta.value_or(thetaByDefault);
  config.ropeScaling = scaling.value_or(RopeScaling());
}

void readAttention(ObjectReader &reader, Config &config, std::optional<int64_t> heads,
                   std::optional<int64_t> keyValueHeads, std::optional<int64_t> headDim) {
  config.numAttentionHeads = reader.integer("num_attention_heads", heads, 1, largestSize);
  config.numKeyValueHeads =
      reader.integer("num_key_value_heads", keyValueHeads.value_or(config.numAttentionHeads), 1, largestSize);
  if (reader.has("head_dim") || headDim)
    config.headDim = reader.integer("head_dim", headDim, 1, largestSize);
  else if (config.hiddenSize % config.numAttentionHeads != 0)
    reader.error("num_attention_heads", "must divide hidden_size (" + std::to_string(config.hiddenSize) + "), got " +
                                            std::to_string(config.numAttentionHeads));
  else
    config.headDim = config.hiddenSize / config.numAttentionHeads;
  if (config.headDim % 2 != 0)
    reader.error(reader.has("head_dim") ? "head_dim" : "num_attention_heads",
                 "a head must have an even size, got " + std::to_string(config.headDim));
  config.qkvBias = config.attentionOutBias = reader.boolean("attention_bias", false);
}

void readGraniteMultipliers(ObjectReader &reader, Config &config) {
  readMultipliers(reader, config);
  config.attentionMultiplier = reader.number("attention_multiplier", 1.0, NumberRange::positive());
}

int64_t readExpertCount(ObjectReader &reader, int64_t byDefault, int64_t least) {
  int64_t count = reader.integer("num_experts", byDefault, least, mostExperts);
  int64_t local = reader.integer("num_local_experts", count, least, mostExperts);
  if (reader.has("num_experts") && local != count)
    reader.error("num_local_experts", "differs from 'num_experts'");
  return local;
}

void readExperts(ObjectReader &reader, Config &config, int64_t count, int64_t activeByDefault) {
  config.experts.count = count;
  config.experts.active = reader.integer("num_experts_per_tok", activeByDefault, 1, mostExperts);
}

std::vector<std::string_view> attentionKeys(std::initializer_list<std::string_view> others) {
  std::vector<std::string_view> keys = {
      "model_type",          "vocab_size",          "hidden_size",         "num_hidden_layers",
      "bos_token_id",        "eos_token_id",        "hidden_act",          "rms_norm_eps",
      "tie_word_embeddings", "num_attention_heads", "num_key_value_heads", "head_dim",
      "rope_theta",          "rope_scaling",        "rope_parameters",     "partial_rotary_factor",
      "attention_bias"};
  keys.insert(keys.end(), others);
  return keys;
}

} // namespace chimera
