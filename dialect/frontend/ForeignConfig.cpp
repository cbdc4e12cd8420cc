// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Configs of checkpoints that other programs wrote: the families of the transformers library, mamba_ssm and
// chimera-lm. Each has its keys that are read; a key that changes nothing, or has its neutral value, passes; any other
// is an error. Defaults are those of the other program.
#include "dialect/frontend/ForeignKeys.h"

#include <algorithm>
#include <cmath>

namespace chimera {

namespace {

/// What differs between the defaults of the families that are llama with something more.
struct DenseDefaults {
  std::optional<int64_t> keyValueHeads; ///< none: as many as there are heads
  int64_t intermediateSize;
  std::optional<int64_t> heads = 32, headDim = std::nullopt; ///< headDim none: hidden_size / num_attention_heads
  bool tiesEmbeddings = false;
  double ropeTheta = 10000.0;
};

/// What llama, gemma and their relatives have in common: all but rotation and activation.
void readTransformer(ObjectReader &reader, Config &config, const DenseDefaults &defaults) {
  readSizes(reader, config);
  config.layerModes.assign(config.numLayers, {Mode::Full});
  config.intermediateSize = reader.integer("intermediate_size", defaults.intermediateSize, 1, largestSize);
  config.normEps = reader.number("rms_norm_eps", 1e-6, NumberRange::positive());
  config.tieWordEmbeddings = reader.boolean("tie_word_embeddings", defaults.tiesEmbeddings);
  readAttention(reader, config, defaults.heads, defaults.keyValueHeads, defaults.headDim);
}

/// What llama and its relatives have in common.
void readDense(ObjectReader &reader, Config &config, const DenseDefaults &defaults) {
  readTransformer(reader, config, defaults);
  readRope(reader, config, 1.0, defaults.ropeTheta);
  requireSilu(reader);
  config.mlpBias = reader.boolean("mlp_bias", false);
}

/// The keys that readDense reads, and `others`.
std::vector<std::string_view> denseKeys(std::initializer_list<std::string_view> others) {
  std::vector<std::string_view> keys = attentionKeys({"intermediate_size", "mlp_bias"});
  keys.insert(keys.end(), others);
  return keys;
}

void readLlama(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, denseKeys({}), {});
  readDense(reader, config, {std::nullopt, 11008});
}

/// All layers look back at the last sliding_window tokens, the current one included.
void readWindow(ObjectReader &reader, Config &config) {
  config.window = reader.integer("sliding_window", 4096, 1, largestWindow);
  config.layerModes.assign(config.numLayers, {Mode::Swa});
}

/// llama with a window; null: without.
void readMistral(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, denseKeys({"sliding_window"}), {});
  readDense(reader, config, {8, 14336});
  if (!reader.isNull("sliding_window"))
    readWindow(reader, config);
}

/// Which layers look back through a window: those that layer_types says, or, where use_sliding_window is true, those
/// from max_window_layers on. Without a window all look back at everything.
void readWindowLayers(ObjectReader &reader, Config &config, int64_t windowByDefault, int64_t firstByDefault) {
  bool used = reader.boolean("use_sliding_window", false);
  int64_t first = reader.integer("max_window_layers", firstByDefault, 0, largestCount);
  if (used) {
    config.window = reader.integer("sliding_window", windowByDefault, 1, largestWindow);
    for (int64_t layer = first; layer < config.numLayers; ++layer)
      config.layerModes[layer] = {Mode::Swa};
  }
  readPerLayer(reader, "layer_types", config, "\"full_attention\" or, with use_sliding_window, \"sliding_attention\"",
               [&](size_t layer, const JsonValue &entry) {
                 bool slides = used && isText(entry, "sliding_attention");
                 config.layerModes[layer] = {slides ? Mode::Swa : Mode::Full};
                 return slides || isText(entry, "full_attention");
               });
}

/// llama with biases of q, k and v (Qwen2 technical report).
void readQwen2(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, denseKeys({"use_sliding_window", "sliding_window", "max_window_layers", "layer_types"}), {});
  requireBoolean(reader, "attention_bias", true);
  readDense(reader, config, {32, 22016});
  readWindowLayers(reader, config, 4096, 28);
  config.qkvBias = true;
  config.attentionOutBias = false;
}

/// llama whose heads of queries and keys are normalised (Qwen3 technical report).
void readQwen3(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, denseKeys({"use_sliding_window", "sliding_window", "max_window_layers", "layer_types"}), {});
  readDense(reader, config, {32, 22016, 32, 128});
  readWindowLayers(reader, config, 4096, 28);
  config.qkNorm = true;
}

/// llama with four multipliers (Granite 3.0 language models).
void readGranite(ObjectReader &reader, Config &config) {
  checkForeignKeys(
      reader, denseKeys({"embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling"}), {});
  readDense(reader, config, {std::nullopt, 11008});
  readGraniteMultipliers(reader, config);
}

/// The keys of families with experts besides `others`, and those of them that only training reads.
std::vector<std::string_view> expertKeys(std::initializer_list<std::string_view> others) {
  std::vector<std::string_view> keys = denseKeys({"num_experts", "num_local_experts", "num_experts_per_tok"});
  keys.insert(keys.end(), others);
  return keys;
}
const std::vector<std::string_view> expertTraining = {"output_router_logits", "router_aux_loss_coef",
                                                      "router_jitter_noise"};

/// Experts in the layers that decoder_sparse_step counts, but those that mlp_only_layers lists. Their weights are the
/// softmax over all, divided by the sum of the chosen ones' where norm_topk_prob is true.
void readQwenExperts(ObjectReader &reader, Config &config, int64_t count, int64_t active, int64_t size) {
  ExpertConfig &experts = config.experts;
  readExperts(reader, config, readExpertCount(reader, count, 0), active);
  experts.intermediateSize = reader.integer("moe_intermediate_size", size, 1, largestSize);
  experts.normalized = reader.boolean("norm_topk_prob", false);
  int64_t step = reader.integer("decoder_sparse_step", 1, 1, largestCount);
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    experts.layers.push_back((layer + 1) % step == 0);
  for (int64_t layer : readLayerList(reader, "mlp_only_layers", config))
    experts.layers[static_cast<size_t>(layer)] = false;
}

/// qwen2 with experts, and beside them a network that all tokens take, times the sigmoid of a product.
void readQwen2Moe(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader,
                   expertKeys({"qkv_bias", "moe_intermediate_size", "shared_expert_intermediate_size", "norm_topk_prob",
                               "decoder_sparse_step", "mlp_only_layers"}),
                   expertTraining);
  readDense(reader, config, {16, 5632, 16});
  requireBoolean(reader, "attention_bias", true);
  requireBoolean(reader, "mlp_bias", false);
  config.qkvBias = reader.boolean("qkv_bias", true);
  config.attentionOutBias = false;
  readQwenExperts(reader, config, 60, 4, 1408);
  config.experts.sharedIntermediateSize = reader.integer("shared_expert_intermediate_size", 5632, 1, largestSize);
  config.experts.sharedGate = true;
}

/// qwen3 with experts.
void readQwen3Moe(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader,
                   expertKeys({"moe_intermediate_size", "norm_topk_prob", "decoder_sparse_step", "mlp_only_layers"}),
                   expertTraining);
  readDense(reader, config, {4, 6144});
  requireBoolean(reader, "mlp_bias", false);
  config.qkNorm = true;
  readQwenExperts(reader, config, 128, 8, 768);
}

/// Experts in every layer, all of the size that the config calls intermediate_size, weighted by the softmax over the
/// chosen ones.
void readPlainExperts(ObjectReader &reader, Config &config) {
  requireBoolean(reader, "mlp_bias", false);
  readExperts(reader, config, readExpertCount(reader, 8, 1), 2);
  config.experts.normalized = true;
  config.experts.intermediateSize = config.intermediateSize;
  config.intermediateSize = 0;
}

/// mistral with experts, and without a window unless there is a number (Jiang et al. 2024, "Mixtral of experts").
void readMixtral(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, expertKeys({"sliding_window"}), expertTraining);
  DenseDefaults defaults{8, 14336};
  defaults.ropeTheta = 1000000.0;
  readDense(reader, config, defaults);
  config.normEps = reader.number("rms_norm_eps", 1e-5, NumberRange::positive());
  if (reader.hasValue("sliding_window"))
    readWindow(reader, config);
  readPlainExperts(reader, config);
}

/// granite with experts; granitemoeshared has a network beside them that all tokens take.
void readGraniteMoe(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader,
                   expertKeys({"embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling",
                               "shared_intermediate_size"}),
                   expertTraining);
  readDense(reader, config, {std::nullopt, 11008});
  readGraniteMultipliers(reader, config);
  readPlainExperts(reader, config);
  config.experts.sharedIntermediateSize = reader.integer("shared_intermediate_size", 0, 0, largestSize);
}

/// llama of which some layers do not rotate (Yang et al. 2025, "Rope to Nope and back again"). In no_rope_layers 1
/// stands for a layer that rotates; without it every layer but each no_rope_layer_interval-th does.
void readSmolLM3(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader,
                   denseKeys({"use_sliding_window", "sliding_window", "max_window_layers", "layer_types",
                              "no_rope_layers", "no_rope_layer_interval"}),
                   {});
  readDense(reader, config, {4, 11008, 16, std::nullopt, true, 2000000.0});
  readWindowLayers(reader, config, 4096, 0);
  int64_t interval = reader.integer("no_rope_layer_interval", 4, 1, largestCount);
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    config.ropeLayers.push_back((layer + 1) % interval != 0);
  readPerLayer(reader, "no_rope_layers", config, "0 or 1", [&](size_t layer, const JsonValue &entry) {
    config.ropeLayers[layer] = entry.number != 0.0;
    return entry.kind == JsonValue::Kind::Integer && (entry.integer == 0 || entry.integer == 1);
  });
}

/// What the three generations of gemma have in common: norms that multiply by 1 + weight, a gated network with the tanh
/// form of GELU, embeddings times the root of their width. The config of the first calls the activation "gelu", which
/// its authors' own code, too, computes by tanh. (Gemma Team 2024.)
void readGemmaParts(ObjectReader &reader, Config &config, const DenseDefaults &defaults) {
  readTransformer(reader, config, defaults);
  for (std::string_view key : {"hidden_act", "hidden_activation"})
    if (config.style == CheckpointStyle::Gemma)
      reader.choice<bool>(key, true, {{"gelu_pytorch_tanh", true}, {"gelu", true}});
    else
      reader.choice<bool>(key, true, {{"gelu_pytorch_tanh", true}});
  config.normUnitOffset = true;
  config.mlpActivation = ActivationKind::GeluTanh;
  config.embeddingMultiplier = std::sqrt(static_cast<double>(config.hiddenSize));
}

void readGemma(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, attentionKeys({"intermediate_size", "hidden_activation"}), {});
  readGemmaParts(reader, config, {16, 24576, 16, 256, true});
  readRope(reader, config, 1.0);
}

/// What gemma 2 and 3 have in common: norms before and after, a scale of the scores of its own, layers that look back
/// through a window between those that look back at everything, of which each `interval`-th is one (Gemma Team 2024,
/// "Gemma 2"; 2025, "Gemma 3").
void readGemma2Parts(ObjectReader &reader, Config &config, const DenseDefaults &defaults, int64_t interval) {
  readGemmaParts(reader, config, defaults);
  config.postNorms = true;
  double scalar = reader.number("query_pre_attn_scalar", 256.0, NumberRange::positive());
  config.attentionMultiplier = 1.0 / std::sqrt(scalar);
  config.window = reader.integer("sliding_window", 4096, 1, largestWindow);
  for (int64_t layer = 0; layer < config.numLayers; ++layer)
    config.layerModes[layer] = {(layer + 1) % interval == 0 ? Mode::Full : Mode::Swa};
  readPerLayer(reader, "layer_types", config, "\"full_attention\" or \"sliding_attention\"",
               [&](size_t layer, const JsonValue &entry) {
                 bool slides = isText(entry, "sliding_attention");
                 config.layerModes[layer] = {slides ? Mode::Swa : Mode::Full};
                 return slides || isText(entry, "full_attention");
               });
}

/// The keys that readGemma2Parts reads, and `others`.
std::vector<std::string_view> gemma2Keys(std::initializer_list<std::string_view> others) {
  std::vector<std::string_view> keys = attentionKeys(
      {"intermediate_size", "hidden_activation", "query_pre_attn_scalar", "sliding_window", "layer_types"});
  keys.insert(keys.end(), others);
  return keys;
}

/// Soft caps of scores and logits; null says that there is none, which is not the default.
void readGemma2(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, gemma2Keys({"attn_logit_softcapping", "final_logit_softcapping"}), {"cache_implementation"});
  readGemma2Parts(reader, config, {4, 9216, 8, 256, true}, 2);
  config.attentionSoftCap = readSoftCap(reader, "attn_logit_softcapping", 50.0);
  config.logitsSoftCap = readSoftCap(reader, "final_logit_softcapping", 30.0);
  readRope(reader, config, 1.0);
}

/// The rotation of gemma 3: layers with a window have a theta of their own and are not scaled. The library's fifth
/// version has an object for each kind of layer.
void readGemma3Rope(ObjectReader &reader, Config &config) {
  const JsonValue *parameters = reader.find("rope_parameters");
  if (!parameters || !parameters->find("full_attention")) {
    readRope(reader, config, 1.0, 1000000.0);
    config.swaRopeTheta = reader.number("rope_local_base_freq", 10000.0, NumberRange::positive());
    return;
  }
  ObjectReader kinds = reader.child("rope_parameters");
  kinds.allowOnly({"full_attention", "sliding_attention"});
  config.ropeTheta = kinds.child("full_attention").number("rope_theta", 1000000.0, NumberRange::positive());
  readRopeScaling(kinds, "full_attention", config.ropeScaling, {"rope_theta"}, /*typeIsNeeded=*/false);
  config.swaRopeTheta = kinds.child("sliding_attention").number("rope_theta", 10000.0, NumberRange::positive());
  RopeScaling sliding;
  readRopeScaling(kinds, "sliding_attention", sliding, {"rope_theta"}, /*typeIsNeeded=*/false);
  if (sliding.kind != RopeScalingKind::None)
    kinds.error("sliding_attention", "only layers that look back at everything can be scaled");
}

/// As gemma 2, with normalised heads of queries and keys in the place of the caps.
void readGemma3(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, gemma2Keys({"rope_local_base_freq", "sliding_window_pattern", "_sliding_window_pattern"}),
                   {"cache_implementation"});
  int64_t interval = reader.integer("_sliding_window_pattern", 6, 1, largestCount);
  interval = reader.integer("sliding_window_pattern", interval, 1, largestCount);
  readGemma2Parts(reader, config, {4, 9216, 8, 256, true}, interval);
  config.qkNorm = true;
  readGemma3Rope(reader, config);
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
  checkForeignKeys(reader,
                   {"model_type", "vocab_size", "num_layers", "dim", "num_heads", "window", "ssm_state", "target_dist",
                    "ffn_mult", "rope_base", "tie_embeddings"},
                   {"max_seq_len"});
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
  case CheckpointStyle::Mistral:
    return readMistral(reader, config);
  case CheckpointStyle::Qwen2:
    return readQwen2(reader, config);
  case CheckpointStyle::Qwen3:
    return readQwen3(reader, config);
  case CheckpointStyle::Granite:
    return readGranite(reader, config);
  case CheckpointStyle::SmolLM3:
    return readSmolLM3(reader, config);
  case CheckpointStyle::Gemma:
    return readGemma(reader, config);
  case CheckpointStyle::Gemma2:
    return readGemma2(reader, config);
  case CheckpointStyle::Gemma3:
    return readGemma3(reader, config);
  case CheckpointStyle::NemotronH:
    return readNemotronH(reader, config);
  case CheckpointStyle::MambaSsm:
    return readMambaSsm(reader, config);
  case CheckpointStyle::Mamba2:
    return readMamba2(reader, config);
  case CheckpointStyle::Bamba:
    return readBamba(reader, config);
  case CheckpointStyle::FalconH1:
    return readFalconH1(reader, config);
  case CheckpointStyle::GraniteMoeHybrid:
    return readGraniteMoeHybrid(reader, config);
  case CheckpointStyle::Qwen2Moe:
    return readQwen2Moe(reader, config);
  case CheckpointStyle::Qwen3Moe:
    return readQwen3Moe(reader, config);
  case CheckpointStyle::Mixtral:
    return readMixtral(reader, config);
  case CheckpointStyle::GraniteMoe:
    return readGraniteMoe(reader, config);
  case CheckpointStyle::ChimeraLm:
    return readChimeraLm(reader, config);
  case CheckpointStyle::Chimera:
    return readChimeraConfig(reader, config);
  }
}

} // namespace chimera
