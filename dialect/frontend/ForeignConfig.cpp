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

/// What llama and mistral have in common.
void readDense(ObjectReader &reader, Config &config, std::optional<int64_t> keyValueHeads, int64_t intermediateSize) {
  readSizes(reader, config);
  config.layerModes.assign(config.numLayers, {Mode::Full});
  config.intermediateSize = reader.integer("intermediate_size", intermediateSize, 1, largestSize);
  config.normEps = reader.number("rms_norm_eps", 1e-6, NumberRange::positive());
  config.tieWordEmbeddings = reader.boolean("tie_word_embeddings", false);
  readAttention(reader, config, 32, keyValueHeads);
  readRope(reader, config, 1.0);
  requireSilu(reader);
  requireBoolean(reader, "mlp_bias", false);
}

/// The keys that readDense reads, and `others`.
std::vector<std::string_view> denseKeys(std::initializer_list<std::string_view> others) {
  std::vector<std::string_view> keys = {"model_type",
                                        "vocab_size",
                                        "hidden_size",
                                        "num_hidden_layers",
                                        "num_attention_heads",
                                        "head_dim",
                                        "num_key_value_heads",
                                        "intermediate_size",
                                        "hidden_act",
                                        "rms_norm_eps",
                                        "rope_theta",
                                        "rope_scaling",
                                        "partial_rotary_factor",
                                        "tie_word_embeddings",
                                        "bos_token_id",
                                        "rope_parameters",
                                        "eos_token_id",
                                        "attention_bias",
                                        "mlp_bias"};
  keys.insert(keys.end(), others);
  return keys;
}

void readLlama(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, denseKeys({}), {});
  readDense(reader, config, std::nullopt, 11008);
}

/// llama whose layers all look back at the last sliding_window tokens, the current one included; null: at all.
void readMistral(ObjectReader &reader, Config &config) {
  checkForeignKeys(reader, denseKeys({"sliding_window"}), {});
  readDense(reader, config, 8, 14336);
  if (reader.isNull("sliding_window"))
    return;
  config.window = reader.integer("sliding_window", 4096, 1, largestWindow);
  config.layerModes.assign(config.numLayers, {Mode::Swa});
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
  case CheckpointStyle::MambaSsm:
    return readMambaSsm(reader, config);
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
