// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Configs of checkpoints with Mamba-2 that other programs wrote: mamba2, bamba, falcon_h1, granitemoehybrid and
// nemotron_h of the transformers library, and those of mamba_ssm, the package of Mamba's authors, which have no
// model_type.
#include "dialect/frontend/ForeignKeys.h"

#include <algorithm>
#include <cmath>

namespace chimera {

namespace {

/// That heads * head size = inner, which the other program's config says thrice.
void requireHeads(ObjectReader &reader, std::string_view key, const SsmConfig &ssm, int64_t heads, int64_t inner) {
  if (heads * ssm.headDim != inner)
    reader.error(key, "times the head size (" + std::to_string(ssm.headDim) + ") must be the inner size (" +
                          std::to_string(inner) + "), got " + std::to_string(heads));
}

} // namespace

void readMamba2(ObjectReader &reader, Config &config) {
  // norm_before_gate and the time_step keys besides the limit are written by conversions and have no effect on the
  // output.
  checkForeignKeys(
      reader,
      {"model_type",   "vocab_size",  "hidden_size",   "num_hidden_layers", "state_size",        "head_dim",
       "num_heads",    "expand",      "n_groups",      "conv_kernel",       "time_step_limit",   "layer_norm_epsilon",
       "hidden_act",   "use_bias",    "use_conv_bias", "rms_norm",          "intermediate_size", "tie_word_embeddings",
       "bos_token_id", "eos_token_id"},
      {"chunk_size", "residual_in_fp32", "rescale_prenorm_residual", "time_step_rank", "time_step_min", "time_step_max",
       "time_step_floor", "time_step_init_scheme", "time_step_scale", "norm_before_gate"});
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
  requireHeads(reader, "num_heads", ssm, reader.integer("num_heads", 128, 1, largestSize), config.ssmInner());
  if (reader.has("intermediate_size") &&
      reader.integer("intermediate_size", std::nullopt, 1, int64_t{1} << 40) != config.ssmInner())
    reader.error("intermediate_size", "must be expand * hidden_size (" + std::to_string(config.ssmInner()) + ")");
  requireSilu(reader);
  ssm.projBias = reader.boolean("use_bias", false);
  ssm.convBias = reader.boolean("use_conv_bias", true);
  requireBoolean(reader, "rms_norm", true);
}

namespace {

/// The layers listed at `key` attend, the others are Mamba-2.
void readAttentionLayers(ObjectReader &reader, std::string_view key, Config &config) {
  config.layerModes.assign(config.numLayers, {Mode::Ssm});
  for (int64_t layer : readLayerList(reader, key, config))
    config.layerModes[layer] = {Mode::Full};
}

/// The keys of Mamba-2 that bamba and its relatives have. `width`: that of x and z; without it mamba_expand says it.
void readBambaSsm(ObjectReader &reader, Config &config, std::optional<int64_t> width = std::nullopt) {
  SsmConfig &ssm = config.ssm;
  ssm.stateSize = reader.integer("mamba_d_state", 256, 1, largestSize);
  ssm.expand = reader.integer("mamba_expand", 2, 1, largestSize);
  ssm.groups = reader.integer("mamba_n_groups", 1, 1, largestSize);
  ssm.convKernel = reader.integer("mamba_d_conv", 4, 1, 16);
  int64_t heads = reader.integer("mamba_n_heads", 128, 1, largestSize), inner = width.value_or(config.ssmInner());
  const JsonValue *headDim = reader.find("mamba_d_head");
  if (headDim && !isText(*headDim, "auto"))
    ssm.headDim = reader.integer("mamba_d_head", std::nullopt, 1, largestSize);
  else
    ssm.headDim = std::max<int64_t>(inner / heads, 1);
  requireHeads(reader, "mamba_n_heads", ssm, heads, inner);
  if (width)
    ssm.heads = heads;
  readTimeStepLimit(reader, "time_step_limit", ssm);
  ssm.convBias = reader.boolean("mamba_conv_bias", true);
  ssm.projBias = reader.boolean("mamba_proj_bias", false);
}

/// The keys that readHybrid reads, and `others`.
std::vector<std::string_view> hybridKeys(std::initializer_list<std::string_view> others) {
  std::vector<std::string_view> keys =
      attentionKeys({"mamba_n_heads", "mamba_d_head", "mamba_n_groups", "mamba_d_state", "mamba_d_conv", "mamba_expand",
                     "mamba_conv_bias", "mamba_proj_bias", "time_step_limit"});
  keys.insert(keys.end(), others);
  return keys;
}

/// What bamba and granitemoehybrid have in common, whose sizes and layers are known. `factor`: of rotation.
void readHybrid(ObjectReader &reader, Config &config, std::optional<int64_t> keyValueHeads, double factor) {
  config.tieWordEmbeddings = reader.boolean("tie_word_embeddings", false);
  readAttention(reader, config, 32, keyValueHeads);
  readRope(reader, config, factor);
  readBambaSsm(reader, config);
  requireSilu(reader);
}

} // namespace

void readBamba(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, hybridKeys({"intermediate_size", "attn_rotary_emb", "mlp_bias", "attn_layer_indices"}),
                   {"mamba_chunk_size", "use_mamba_kernels", "time_step_min", "time_step_max"});
  readSizes(reader, config);
  readAttentionLayers(reader, "attn_layer_indices", config);
  config.intermediateSize = reader.integer("intermediate_size", 14336, 1, largestSize);
  config.normEps = reader.number("rms_norm_eps", 1e-5, NumberRange::positive());
  readHybrid(reader, config, 8, 0.5); // the factor is fixed by the library
  int64_t rotary = reader.integer("attn_rotary_emb", config.rotaryDims(), 1, largestSize);
  if (rotary != config.rotaryDims())
    reader.error("attn_rotary_emb", "must be half the head size (" + std::to_string(config.rotaryDims()) + "), got " +
                                        std::to_string(rotary));
  config.mlpBias = reader.boolean("mlp_bias", false);
}

namespace {

/// As bamba, but the width of x and z is mamba_d_ssm, where that is not null.
void readFalconSsm(ObjectReader &reader, Config &config) {
  std::optional<int64_t> width;
  if (!reader.isNull("mamba_d_ssm"))
    width = reader.integer("mamba_d_ssm", 1024, 1, int64_t{1} << 40);
  readBambaSsm(reader, config, width);
  SsmConfig &ssm = config.ssm;
  if (reader.boolean("projectors_bias", false) != ssm.projBias)
    reader.error("projectors_bias", "must be the same as 'mamba_proj_bias'");
  ssm.gatedNorm = reader.boolean("mamba_rms_norm", false);
  if (ssm.gatedNorm)
    requireBoolean(reader, "mamba_norm_before_gate", false);
}

/// Multipliers of the input, the parts and the output of each block.
void readFalconMultipliers(ObjectReader &reader, Config &config) {
  config.embeddingMultiplier = readMultiplier(reader, "embedding_multiplier");
  config.logitsScaling = 1.0 / readMultiplier(reader, "lm_head_multiplier");
  config.attentionInputMultiplier = readMultiplier(reader, "attention_in_multiplier");
  config.attentionOutputMultiplier = readMultiplier(reader, "attention_out_multiplier");
  config.attentionMultiplier =
      readMultiplier(reader, "key_multiplier") / std::sqrt(static_cast<double>(config.headDim));
  config.ssm.inputMultiplier = readMultiplier(reader, "ssm_in_multiplier");
  config.ssm.outputMultiplier = readMultiplier(reader, "ssm_out_multiplier");
  readMultiplierList(reader, "ssm_multipliers", config.ssm.projectionMultipliers.data(),
                     config.ssm.projectionMultipliers.size());
  double network[2];
  readMultiplierList(reader, "mlp_multipliers", network, 2);
  config.mlpGateMultiplier = network[0];
  config.mlpOutputMultiplier = network[1];
}

} // namespace

/// Attention and Mamba-2 side by side in every layer, with multipliers nearly everywhere (Zuo et al. 2025,
/// "Falcon-H1").
void readFalconH1(ObjectReader &reader, Config &config) {
  checkForeignKeys(
      reader,
      hybridKeys({"intermediate_size", "mlp_bias", "mamba_d_ssm", "mamba_rms_norm", "mamba_norm_before_gate",
                  "projectors_bias", "embedding_multiplier", "lm_head_multiplier", "attention_in_multiplier",
                  "attention_out_multiplier", "key_multiplier", "ssm_in_multiplier", "ssm_out_multiplier",
                  "ssm_multipliers", "mlp_multipliers"}),
      {"mamba_chunk_size", "mamba_use_mlp", "mlp_expansion_factor", "time_step_min", "time_step_max",
       "time_step_floor"});
  readSizes(reader, config);
  config.layerModes.assign(static_cast<size_t>(config.numLayers), {Mode::Full});
  config.parallelModes.assign(static_cast<size_t>(config.numLayers), Mode::Ssm);
  config.intermediateSize = reader.integer("intermediate_size", 14336, 1, largestSize);
  config.normEps = reader.number("rms_norm_eps", 1e-5, NumberRange::positive());
  config.tieWordEmbeddings = reader.boolean("tie_word_embeddings", false);
  readAttention(reader, config, 32, 8);
  readRope(reader, config, 1.0, 100000.0);
  readFalconSsm(reader, config);
  requireSilu(reader);
  config.mlpBias = reader.boolean("mlp_bias", false);
  readFalconMultipliers(reader, config);
}

namespace {

/// The network that all tokens take, whose first two matrices are one, and the experts beside it, if there are any.
void readGraniteNetworks(ObjectReader &reader, Config &config, int64_t experts) {
  config.intermediateSize = reader.integer("shared_intermediate_size", 1024, 1, largestSize);
  if (experts == 0)
    return;
  readExperts(reader, config, experts, 2);
  config.experts.normalized = true;
  config.experts.sharedIntermediateSize = config.intermediateSize;
  config.experts.intermediateSize = reader.integer("intermediate_size", 11008, 1, largestSize);
}

} // namespace

/// Granite 4.0 H: Mamba-2 in most layers, attention without rotation in some, the multipliers of granite.
void readGraniteMoeHybrid(ObjectReader &reader, Config &config) {
  int64_t experts = readExpertCount(reader, 8, 0);
  std::vector<std::string_view> keys =
      hybridKeys({"shared_intermediate_size", "embedding_multiplier", "residual_multiplier", "attention_multiplier",
                  "logits_scaling", "position_embedding_type", "layer_types", "num_local_experts", "num_experts"});
  std::vector<std::string_view> others = {"mamba_chunk_size",    "time_step_min",          "time_step_max",
                                          "init_method",         "normalization_function", "output_router_logits",
                                          "router_aux_loss_coef"};
  // Of the experts, which may not be there.
  std::vector<std::string_view> &list = experts > 0 ? keys : others;
  list.insert(list.end(), {"intermediate_size", "num_experts_per_tok"});
  checkForeignKeys(reader, keys, others);
  readSizes(reader, config);
  config.layerModes.assign(config.numLayers, {Mode::Ssm});
  readPerLayer(reader, "layer_types", config, "\"mamba\" or \"attention\"", [&](size_t layer, const JsonValue &entry) {
    bool attends = isText(entry, "attention");
    config.layerModes[layer] = {attends ? Mode::Full : Mode::Ssm};
    return attends || isText(entry, "mamba");
  });
  readGraniteNetworks(reader, config, experts);
  config.normEps = reader.number("rms_norm_eps", 1e-6, NumberRange::positive());
  readHybrid(reader, config, std::nullopt, 1.0);
  bool rotates = reader.choice<bool>("position_embedding_type", false, {{"nope", false}, {"rope", true}});
  config.ropeLayers.assign(static_cast<size_t>(config.numLayers), rotates);
  readGraniteMultipliers(reader, config);
}

namespace {

/// The one part that a layer of nemotron_h has. `kind`: its letter in hybrid_override_pattern; false: there is none.
bool setNemotronLayer(Config &config, size_t layer, char kind) {
  config.layerModes[layer] = {kind == 'M' ? Mode::Ssm : kind == '*' ? Mode::Full : Mode::Identity};
  config.ffnLayers[layer] = kind == '-';
  return kind == 'M' || kind == '*' || kind == '-';
}

/// hybrid_override_pattern, a letter for each layer, or layers_block_type, a word for each.
void readNemotronLayers(ObjectReader &reader, Config &config) {
  config.layerModes.assign(static_cast<size_t>(config.numLayers), {Mode::Ssm});
  config.ffnLayers.assign(static_cast<size_t>(config.numLayers), false);
  bool listed = readPerLayer(
      reader, "layers_block_type", config, R"("mamba", "attention" or "mlp")",
      [&](size_t layer, const JsonValue &entry) {
        char kind = isText(entry, "mamba") ? 'M' : isText(entry, "attention") ? '*' : isText(entry, "mlp") ? '-' : '?';
        return setNemotronLayer(config, layer, kind);
      });
  const JsonValue *pattern = reader.find("hybrid_override_pattern");
  if (!pattern && !listed)
    reader.error("hybrid_override_pattern", "missing");
  if (!pattern)
    return;
  if (pattern->kind != JsonValue::Kind::String || static_cast<int64_t>(pattern->text.size()) != config.numLayers) {
    reader.error("hybrid_override_pattern", "must have a letter for each of the " + std::to_string(config.numLayers) +
                                                " layers, got " + pattern->describe());
    return;
  }
  for (size_t layer = 0; layer < pattern->text.size(); ++layer) {
    std::vector<Mode> modes = config.layerModes[layer];
    bool network = config.ffnLayers[layer];
    if (!setNemotronLayer(config, layer, pattern->text[layer]))
      reader.error("hybrid_override_pattern", "layer " + std::to_string(layer) +
                                                  " must be M (Mamba-2), * (attention) or - (network), got '" +
                                                  printable(pattern->text.substr(layer, 1)) + "'" +
                                                  (pattern->text[layer] == 'E' ? ", a mixture of experts" : ""));
    if (listed && (config.layerModes[layer] != modes || config.ffnLayers[layer] != network))
      reader.error("hybrid_override_pattern", "differs from 'layers_block_type' in layer " + std::to_string(layer));
  }
}

/// head_dim, which older configs call attention_head_dim. No layer rotates.
void readNemotronAttention(ObjectReader &reader, Config &config) {
  int64_t older = reader.integer("attention_head_dim", 128, 1, largestSize);
  readAttention(reader, config, 32, 8, older);
  if (reader.has("attention_head_dim") && config.headDim != older)
    reader.error("head_dim", "differs from 'attention_head_dim'");
  config.ropeLayers.assign(static_cast<size_t>(config.numLayers), false);
}

} // namespace

/// Layers with a single part each: Mamba-2, attention without rotation, or a network of two matrices with a squared
/// ReLU between them (NVIDIA 2025, "Nemotron-H").
void readNemotronH(ObjectReader &reader, Config &config) {
  checkForeignKeys(
      reader,
      attentionKeys({"intermediate_size", "hybrid_override_pattern", "layers_block_type", "attention_head_dim",
                     "mlp_hidden_act", "mlp_bias", "mamba_hidden_act", "use_bias", "mamba_proj_bias", "use_conv_bias",
                     "layer_norm_epsilon", "norm_eps", "ssm_state_size", "mamba_num_heads", "mamba_head_dim",
                     "n_groups", "conv_kernel", "time_step_limit"}),
      {"rope_theta", "partial_rotary_factor", "expand", "chunk_size", "residual_in_fp32", "rescale_prenorm_residual",
       "use_mamba_kernels", "mamba_ssm_cache_dtype", "time_step_rank", "time_step_min", "time_step_max",
       "time_step_floor"});
  readSizes(reader, config);
  readNemotronLayers(reader, config);
  readNemotronAttention(reader, config);
  config.intermediateSize = reader.integer("intermediate_size", 21504, 1, largestSize);
  config.mlpGated = false;
  config.mlpActivation =
      reader.choice<ActivationKind>("mlp_hidden_act", ActivationKind::Relu2, {{"relu2", ActivationKind::Relu2}});
  config.mlpBias = reader.boolean("mlp_bias", false);
  config.tieWordEmbeddings = reader.boolean("tie_word_embeddings", false);
  config.normEps = reader.number("layer_norm_epsilon", 1e-5, NumberRange::positive());
  for (std::string_view key : {"norm_eps", "rms_norm_eps"})
    if (reader.number(key, config.normEps, NumberRange::positive()) != config.normEps)
      reader.error(key, "differs from 'layer_norm_epsilon'");
  SsmConfig &ssm = config.ssm;
  ssm.stateSize = reader.integer("ssm_state_size", 128, 1, largestSize);
  ssm.heads = reader.integer("mamba_num_heads", 128, 1, largestSize);
  ssm.headDim = reader.integer("mamba_head_dim", 64, 1, largestSize);
  ssm.groups = reader.integer("n_groups", 8, 1, largestSize);
  ssm.convKernel = reader.integer("conv_kernel", 4, 1, 16);
  readTimeStepLimit(reader, "time_step_limit", ssm);
  reader.choice<bool>("mamba_hidden_act", true, {{"silu", true}});
  ssm.convBias = reader.boolean("use_conv_bias", true);
  ssm.projBias = reader.boolean("use_bias", false);
  requireBoolean(reader, "mamba_proj_bias", ssm.projBias);
}

namespace {

/// The object ssm_cfg: arguments of mamba_ssm's class Mamba2, with its defaults.
void readSsmArguments(ObjectReader &reader, Config &config) {
  ObjectReader arguments = reader.child("ssm_cfg");
  arguments.allowOnly({"layer", "d_state", "d_conv", "expand", "headdim", "ngroups", "d_ssm", "D_has_hdim", "rmsnorm",
                       "norm_before_gate", "dt_limit", "bias", "conv_bias"},
                      {"A_init_range", "conv_init", "dt_min", "dt_max", "dt_init_floor", "chunk_size",
                       "use_mem_eff_path", "process_group", "sequence_parallel"},
                      "not supported");
  if (!arguments.has("layer"))
    arguments.error("layer", "missing, which stands for Mamba-1; only \"Mamba2\" is supported");
  arguments.choice<bool>("layer", true, {{"Mamba2", true}});
  SsmConfig &ssm = config.ssm;
  ssm.stateSize = arguments.integer("d_state", 128, 1, largestSize);
  ssm.headDim = arguments.integer("headdim", 64, 1, largestSize);
  ssm.expand = arguments.integer("expand", 2, 1, largestSize);
  ssm.groups = arguments.integer("ngroups", 1, 1, largestSize);
  ssm.convKernel = arguments.integer("d_conv", 4, 1, 16);
  readTimeStepLimit(arguments, "dt_limit", ssm);
  if (arguments.integer("d_ssm", config.ssmInner(), 1, int64_t{1} << 40) != config.ssmInner())
    arguments.error("d_ssm", "must be expand * d_model (" + std::to_string(config.ssmInner()) + ")");
  requireBoolean(arguments, "D_has_hdim", false);
  requireBoolean(arguments, "rmsnorm", true);
  requireBoolean(arguments, "norm_before_gate", false);
  requireBoolean(arguments, "bias", false);
  ssm.convBias = arguments.boolean("conv_bias", true);
}

/// The object attn_cfg: arguments of mamba_ssm's class MHA, with its defaults. One matrix makes queries, keys and
/// values, one convolution may follow it.
void readAttentionArguments(ObjectReader &reader, Config &config) {
  ObjectReader arguments = reader.child("attn_cfg");
  arguments.allowOnly({"num_heads", "num_heads_kv", "head_dim", "mlp_dim", "qkv_proj_bias", "out_proj_bias",
                       "softmax_scale", "causal", "d_conv", "rotary_emb_dim", "rotary_emb_base",
                       "rotary_emb_interleaved"},
                      {}, "not supported");
  config.numAttentionHeads = arguments.integer("num_heads", std::nullopt, 1, largestSize);
  config.numKeyValueHeads = arguments.hasValue("num_heads_kv")
                                ? arguments.integer("num_heads_kv", std::nullopt, 1, largestSize)
                                : config.numAttentionHeads;
  if (arguments.hasValue("head_dim"))
    config.headDim = arguments.integer("head_dim", std::nullopt, 1, largestSize);
  else if (config.hiddenSize % config.numAttentionHeads == 0)
    config.headDim = config.hiddenSize / config.numAttentionHeads;
  else
    arguments.error("num_heads", "must divide d_model (" + std::to_string(config.hiddenSize) + "), got " +
                                     std::to_string(config.numAttentionHeads));
  if (config.headDim % 2 != 0)
    arguments.error("head_dim", "must be even, got " + std::to_string(config.headDim));
  if (arguments.integer("mlp_dim", 0, 0, largestSize) != 0)
    arguments.error("mlp_dim", "only 0 is supported");
  if (!arguments.boolean("causal", false))
    arguments.error("causal", "only true is supported");
  config.qkvBias = arguments.boolean("qkv_proj_bias", true);
  config.attentionOutBias = arguments.boolean("out_proj_bias", true);
  if (arguments.hasValue("softmax_scale"))
    config.attentionMultiplier = arguments.number("softmax_scale", std::nullopt, NumberRange::positive());
  config.attentionConvKernel = arguments.integer("d_conv", 0, 0, 16);
  int64_t rotated = arguments.integer("rotary_emb_dim", 0, 0, config.headDim);
  if (rotated % 2 != 0)
    arguments.error("rotary_emb_dim", "must be even, got " + std::to_string(rotated));
  if (rotated > 0)
    config.partialRotaryFactor = static_cast<double>(rotated) / static_cast<double>(config.headDim);
  config.ropeLayers.assign(static_cast<size_t>(config.numLayers), rotated > 0);
  config.ropeTheta = arguments.number("rotary_emb_base", 10000.0, NumberRange::positive());
  requireBoolean(arguments, "rotary_emb_interleaved", false);
}

} // namespace

void readMambaSsm(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader,
                   {"vocab_size", "d_model", "n_layer", "d_intermediate", "ssm_cfg", "attn_layer_idx", "attn_cfg",
                    "rms_norm", "tie_embeddings", "pad_vocab_size_multiple", "bos_token_id", "eos_token_id"},
                   {"residual_in_fp32", "fused_add_norm"});
  config.vocabSize = reader.integer("vocab_size", 50277, 1, largestSize);
  int64_t multiple = reader.integer("pad_vocab_size_multiple", 8, 1, largestSize);
  config.vocabSize = std::min((config.vocabSize + multiple - 1) / multiple * multiple, largestSize);
  config.hiddenSize = reader.integer("d_model", 2560, 1, largestSize);
  config.numLayers = reader.integer("n_layer", 64, 1, mostLayers);
  readTokenIds(reader, config);
  readAttentionLayers(reader, "attn_layer_idx", config);
  config.norm = reader.boolean("rms_norm", true) ? NormKind::Rms : NormKind::Layer;
  config.tieWordEmbeddings = reader.boolean("tie_embeddings", true);
  // The package rounds the width of a gated network up.
  constexpr int64_t wholeWidth = 128;
  config.intermediateSize =
      (reader.integer("d_intermediate", 0, 0, largestSize) + wholeWidth - 1) / wholeWidth * wholeWidth;
  if (config.usesAttention())
    readAttentionArguments(reader, config);
  readSsmArguments(reader, config);
}

} // namespace chimera
