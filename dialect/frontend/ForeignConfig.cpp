// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Configs of checkpoints that other programs wrote: llama, mamba2 and bamba of the transformers library, and
// chimera-lm. Each has its keys that are read and keys that change nothing for inference; any other key is an error.
// Defaults are those of the other program.
#include "dialect/frontend/ConfigFields.h"

#include <algorithm>
#include <cmath>

namespace chimera {

namespace {

constexpr std::string_view notSupported = "not supported for this model_type";

/// `own`, and the keys that any config of the transformers library may have and that do not change what a model
/// computes in inference.
std::vector<std::string_view> ignoredKeys(std::initializer_list<std::string_view> own) {
  std::vector<std::string_view> keys = {"architectures",        "torch_dtype",          "dtype",
                                        "transformers_version", "_name_or_path",        "use_cache",
                                        "initializer_range",    "pad_token_id",         "return_dict",
                                        "output_attentions",    "output_hidden_states", "_attn_implementation_autoset"};
  keys.insert(keys.end(), own);
  return keys;
}

/// A switch that must have the only supported value, where it is given.
void requireBoolean(ObjectReader &reader, std::string_view key, bool supported) {
  if (reader.boolean(key, supported) != supported)
    reader.error(key, std::string("only ") + (supported ? "true" : "false") + " is supported");
}

void requireSilu(ObjectReader &reader) {
  reader.choice<bool>("hidden_act", true, {{"silu", true}, {"swish", true}});
}

/// rope_theta, rope_scaling, or the newer rope_parameters that holds both. `factor`: the only partial_rotary_factor.
void readRope(ObjectReader &reader, Config &config, double factor) {
  config.ropeTheta = reader.number("rope_theta", 10000.0, NumberRange::positive());
  config.partialRotaryFactor = factor;
  readRopeScaling(reader, "rope_scaling", config.ropeScaling, {});
  auto requireFactor = [&](ObjectReader &object) {
    if (object.hasValue("partial_rotary_factor") &&
        object.number("partial_rotary_factor", factor, {0.0, 1.0, true}) != factor)
      object.error("partial_rotary_factor", "must be " + std::string(factor == 1.0 ? "1" : "0.5"));
  };
  requireFactor(reader);
  if (!reader.hasValue("rope_parameters"))
    return;
  if (reader.hasValue("rope_scaling") || reader.has("rope_theta"))
    reader.error("rope_parameters", "given beside rope_theta or rope_scaling");
  ObjectReader parameters = reader.child("rope_parameters");
  config.ropeTheta = parameters.number("rope_theta", 10000.0, NumberRange::positive());
  requireFactor(parameters);
  readRopeScaling(reader, "rope_parameters", config.ropeScaling, {"rope_theta", "partial_rotary_factor"});
}

/// Attention as llama and bamba have it; a head's size is hidden_size / num_attention_heads unless it is given.
void readAttention(ObjectReader &reader, Config &config, std::optional<int64_t> heads,
                   std::optional<int64_t> keyValueHeads) {
  config.numAttentionHeads = reader.integer("num_attention_heads", heads, 1, largestSize);
  config.numKeyValueHeads = keyValueHeads.value_or(config.numAttentionHeads);
  if (reader.hasValue("num_key_value_heads"))
    config.numKeyValueHeads = reader.integer("num_key_value_heads", std::nullopt, 1, largestSize);
  if (reader.hasValue("head_dim"))
    config.headDim = reader.integer("head_dim", std::nullopt, 1, largestSize);
  else if (config.hiddenSize % config.numAttentionHeads != 0)
    reader.error("num_attention_heads", "must divide hidden_size (" + std::to_string(config.hiddenSize) + "), got " +
                                            std::to_string(config.numAttentionHeads));
  else
    config.headDim = config.hiddenSize / config.numAttentionHeads;
  if (config.headDim % 2 != 0)
    reader.error(reader.hasValue("head_dim") ? "head_dim" : "num_attention_heads",
                 "a head must have an even size, got " + std::to_string(config.headDim));
  requireBoolean(reader, "attention_bias", false);
}

void readLlama(ObjectReader &reader, Config &config) {
  reader.allowOnly({"model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                    "num_key_value_heads", "head_dim", "intermediate_size", "hidden_act", "rms_norm_eps", "rope_theta",
                    "rope_scaling", "rope_parameters", "partial_rotary_factor", "tie_word_embeddings", "bos_token_id",
                    "eos_token_id", "attention_bias", "mlp_bias"},
                   ignoredKeys({"max_position_embeddings", "attention_dropout", "pretraining_tp"}), notSupported);
  readSizes(reader, config);
  config.layerModes.assign(config.numLayers, {Mode::Full});
  config.intermediateSize = reader.integer("intermediate_size", 11008, 1, largestSize);
  config.normEps = reader.number("rms_norm_eps", 1e-6, NumberRange::positive());
  config.tieWordEmbeddings = reader.boolean("tie_word_embeddings", false);
  readAttention(reader, config, 32, std::nullopt);
  readRope(reader, config, 1.0);
  requireSilu(reader);
  requireBoolean(reader, "mlp_bias", false);
}

/// That heads * head size = inner, which the other program's config says thrice.
void requireHeads(ObjectReader &reader, std::string_view key, const Config &config, int64_t heads) {
  if (heads * config.ssm.headDim != config.ssmInner())
    reader.error(key, "times the head size (" + std::to_string(config.ssm.headDim) + ") must be the inner size (" +
                          std::to_string(config.ssmInner()) + "), got " + std::to_string(heads));
}

void readMamba2(ObjectReader &reader, Config &config) {
  // norm_before_gate and the time_step keys besides the limit are written by conversions and have no effect on the
  // output.
  reader.allowOnly(
      {"model_type",   "vocab_size",  "hidden_size",   "num_hidden_layers", "state_size",        "head_dim",
       "num_heads",    "expand",      "n_groups",      "conv_kernel",       "time_step_limit",   "layer_norm_epsilon",
       "hidden_act",   "use_bias",    "use_conv_bias", "rms_norm",          "intermediate_size", "tie_word_embeddings",
       "bos_token_id", "eos_token_id"},
      ignoredKeys({"chunk_size", "residual_in_fp32", "rescale_prenorm_residual", "time_step_rank", "time_step_min",
                   "time_step_max", "time_step_floor", "time_step_init_scheme", "time_step_scale", "norm_before_gate"}),
      notSupported);
  readSizes(reader, config);
  config.layerModes.assign(config.numLayers, {Mode::Ssm});
  SsmConfig &ssm = config.ssm;
  ssm.stateSize = reader.integer("state_size", 128, 1, largestSize);
  ssm.headDim = reader.integer("head_dim", 64, 1, largestSize);
  ssm.expand = reader.integer("expand", 2, 1, largestSize);
  ssm.groups = reader.integer("n_groups", 8, 1, largestSize);
  ssm.convKernel = reader.integer("conv_kernel", 4, 1, 16);
  readTimeStepLimit(reader, "time_step_limit", ssm);
  config.normEps = reader.number("layer_norm_epsilon", 1e-5, NumberRange::positive());
  config.tieWordEmbeddings = reader.boolean("tie_word_embeddings", false);
  requireHeads(reader, "num_heads", config, reader.integer("num_heads", 128, 1, largestSize));
  if (reader.has("intermediate_size") &&
      reader.integer("intermediate_size", std::nullopt, 1, int64_t{1} << 40) != config.ssmInner())
    reader.error("intermediate_size", "must be expand * hidden_size (" + std::to_string(config.ssmInner()) + ")");
  requireSilu(reader);
  requireBoolean(reader, "use_bias", false);
  requireBoolean(reader, "use_conv_bias", true);
  requireBoolean(reader, "rms_norm", true);
}

/// attn_layer_indices: those layers attend, the others are Mamba-2.
void readBambaLayers(ObjectReader &reader, Config &config) {
  config.layerModes.assign(config.numLayers, {Mode::Ssm});
  if (!reader.hasValue("attn_layer_indices"))
    return;
  const JsonValue *indices = reader.find("attn_layer_indices");
  if (indices->kind != JsonValue::Kind::Array)
    reader.error("attn_layer_indices", "must be a list of layers, got " + indices->describe());
  for (size_t i = 0; i < indices->items.size(); ++i) {
    const JsonValue &item = indices->items[i];
    if (item.kind == JsonValue::Kind::Integer && item.integer >= 0 && item.integer < config.numLayers)
      config.layerModes[item.integer] = {Mode::Full};
    else
      reader.error("attn_layer_indices[" + std::to_string(i) + "]", "must be a whole number from 0 to " +
                                                                        std::to_string(config.numLayers - 1) +
                                                                        ", got " + item.describe());
  }
}

void readBambaSsm(ObjectReader &reader, Config &config) {
  SsmConfig &ssm = config.ssm;
  ssm.stateSize = reader.integer("mamba_d_state", 256, 1, largestSize);
  ssm.expand = reader.integer("mamba_expand", 2, 1, largestSize);
  ssm.groups = reader.integer("mamba_n_groups", 1, 1, largestSize);
  ssm.convKernel = reader.integer("mamba_d_conv", 4, 1, 16);
  int64_t heads = reader.integer("mamba_n_heads", 128, 1, largestSize);
  const JsonValue *headDim = reader.find("mamba_d_head");
  if (headDim && !(headDim->kind == JsonValue::Kind::String && headDim->text == "auto"))
    ssm.headDim = reader.integer("mamba_d_head", std::nullopt, 1, largestSize);
  else
    ssm.headDim = std::max<int64_t>(config.ssmInner() / heads, 1);
  requireHeads(reader, "mamba_n_heads", config, heads);
  readTimeStepLimit(reader, "time_step_limit", ssm);
  requireBoolean(reader, "mamba_conv_bias", true);
  requireBoolean(reader, "mamba_proj_bias", false);
}

void readBamba(ObjectReader &reader, Config &config) {
  reader.allowOnly(
      {"model_type",
       "vocab_size",
       "hidden_size",
       "num_hidden_layers",
       "num_attention_heads",
       "num_key_value_heads",
       "head_dim",
       "intermediate_size",
       "hidden_act",
       "rms_norm_eps",
       "rope_theta",
       "rope_scaling",
       "rope_parameters",
       "partial_rotary_factor",
       "attn_rotary_emb",
       "tie_word_embeddings",
       "bos_token_id",
       "eos_token_id",
       "attention_bias",
       "mlp_bias",
       "attn_layer_indices",
       "mamba_n_heads",
       "mamba_d_head",
       "mamba_n_groups",
       "mamba_d_state",
       "mamba_d_conv",
       "mamba_expand",
       "mamba_conv_bias",
       "mamba_proj_bias",
       "time_step_limit"},
      ignoredKeys({"max_position_embeddings", "attention_dropout", "num_logits_to_keep", "mamba_chunk_size",
                   "use_mamba_kernels", "z_loss_coefficient", "time_step_min", "time_step_max"}),
      notSupported);
  readSizes(reader, config);
  readBambaLayers(reader, config);
  config.intermediateSize = reader.integer("intermediate_size", 14336, 1, largestSize);
  config.normEps = reader.number("rms_norm_eps", 1e-5, NumberRange::positive());
  config.tieWordEmbeddings = reader.boolean("tie_word_embeddings", false);
  readAttention(reader, config, 32, 8);
  readRope(reader, config, 0.5); // fixed by the library
  int64_t rotary = reader.integer("attn_rotary_emb", config.rotaryDims(), 1, largestSize);
  if (rotary != config.rotaryDims())
    reader.error("attn_rotary_emb", "must be half the head size (" + std::to_string(config.rotaryDims()) + "), got " +
                                        std::to_string(rotary));
  readBambaSsm(reader, config);
  requireSilu(reader);
  requireBoolean(reader, "mlp_bias", false);
}

/// target_dist: identity, ssm, swa, full.
void readTargetDist(ObjectReader &reader, RouterConfig &router) {
  const JsonValue *list = reader.find("target_dist");
  if (!list)
    return;
  if (list->kind != JsonValue::Kind::Array || list->items.size() != numModes) {
    reader.error("target_dist", "must be a list of four numbers, got " + list->describe());
    return;
  }
  constexpr std::array<Mode, numModes> order = {Mode::Identity, Mode::Ssm, Mode::Swa, Mode::Full};
  double sum = 0.0;
  for (size_t i = 0; i < order.size(); ++i) {
    const JsonValue &item = list->items[i];
    if (!item.isNumber() || item.number < 0.0)
      reader.error("target_dist[" + std::to_string(i) + "]", "must be >= 0, got " + item.describe());
    router.target[static_cast<size_t>(order[i])] = item.number;
    sum += item.number;
  }
  if (std::fabs(sum - 1.0) > 1e-6)
    reader.error("target_dist", "the numbers must sum to 1, got " + std::to_string(sum));
}

void readChimeraLm(ObjectReader &reader, Config &config) {
  reader.allowOnly({"model_type", "vocab_size", "num_layers", "dim", "num_heads", "window", "ssm_state", "target_dist",
                    "ffn_mult", "rope_base", "tie_embeddings"},
                   {"max_seq_len"}, notSupported);
  config.vocabSize = reader.integer("vocab_size", 32000, 1, largestSize);
  config.numLayers = reader.integer("num_layers", 4, 1, mostLayers);
  config.hiddenSize = reader.integer("dim", 256, 1, largestSize);
  config.layerModes.assign(config.numLayers, {allModes.begin(), allModes.end()});
  config.numAttentionHeads = reader.integer("num_heads", 4, 1, largestSize);
  config.numKeyValueHeads = config.numAttentionHeads;
  config.headDim = config.hiddenSize / config.numAttentionHeads;
  if (config.hiddenSize % config.numAttentionHeads != 0 || config.headDim % 2 != 0)
    reader.error("num_heads", "must divide dim (" + std::to_string(config.hiddenSize) + ") into even parts, got " +
                                  std::to_string(config.numAttentionHeads));
  config.window = reader.integer("window", 64, 1, largestWindow);
  config.ropeTheta = reader.number("rope_base", 10000.0, NumberRange::positive());
  config.tieWordEmbeddings = reader.boolean("tie_embeddings", true);
  config.norm = NormKind::Layer;
  config.cacheWrite = CacheWrite::All;
  config.identityOutput = IdentityOutput::NormedInput;

  // The width of the feed-forward network: the whole part of the product, rounded up to a multiple of 64.
  double multiple = reader.number("ffn_mult", 8.0 / 3.0, {0.0, 1024.0, true});
  double width = std::floor(static_cast<double>(config.hiddenSize) * multiple);
  config.intermediateSize = (static_cast<int64_t>(width) + 63) / 64 * 64;
  if (config.intermediateSize < 1 || config.intermediateSize > largestSize)
    reader.error("ffn_mult", "the feed-forward network would be " + std::to_string(config.intermediateSize) +
                                 " wide; it must be 1 to " + std::to_string(largestSize));

  config.ssm.kind = SsmKind::Lti;
  config.ssm.stateSize = reader.integer("ssm_state", 32, 1, largestSize);
  config.router.inputNorm = NormKind::Layer;
  config.router.gate = GateKind::One;
  config.router.biasInGate = true;
  readTargetDist(reader, config.router);
}

} // namespace

void readForeignConfig(ObjectReader &reader, Config &config) {
  switch (config.style) {
  case CheckpointStyle::Llama:
    return readLlama(reader, config);
  case CheckpointStyle::Mamba2:
    return readMamba2(reader, config);
  case CheckpointStyle::Bamba:
    return readBamba(reader, config);
  case CheckpointStyle::ChimeraLm:
    return readChimeraLm(reader, config);
  case CheckpointStyle::Chimera:
    return readChimeraConfig(reader, config);
  }
}

} // namespace chimera
