// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/ConfigFields.h"

#include <algorithm>
#include <cmath>

namespace chimera {

namespace {

/// An optional id of the vocabulary.
std::optional<int64_t> readTokenId(ObjectReader &reader, std::string_view key, int64_t vocabSize) {
  if (!reader.hasValue(key))
    return std::nullopt;
  return reader.integer(key, std::nullopt, 0, vocabSize - 1);
}

/// The keys of llama3 besides type and factor.
void readLlama3(ObjectReader &reader, RopeScaling &scaling, const std::vector<std::string_view> &others) {
  reader.allowOnly(
      {"type", "rope_type", "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"},
      others);
  scaling.lowFreqFactor = reader.number("low_freq_factor", std::nullopt, NumberRange::positive());
  scaling.highFreqFactor = reader.number("high_freq_factor", std::nullopt, NumberRange::positive());
  scaling.originalMaxPositionEmbeddings =
      reader.integer("original_max_position_embeddings", std::nullopt, 1, largestCount);
  if (scaling.highFreqFactor <= scaling.lowFreqFactor)
    reader.error("high_freq_factor", "must be above low_freq_factor");
}

/// YaRN's factor of queries and keys for a context that is `factor` times as long (Peng et al. 2023, section 3.4).
double yarnAttentionFactor(double factor, double scale) {
  return 0.1 * scale * std::log(factor) + 1.0;
}

/// The keys of yarn besides type and factor. Without original_max_position_embeddings the model was made for the
/// max_position_embeddings of `config`.
void readYarn(ObjectReader &reader, RopeScaling &scaling, const std::vector<std::string_view> &others,
              ObjectReader &config) {
  reader.allowOnly({"type", "rope_type", "factor", "original_max_position_embeddings", "beta_fast", "beta_slow",
                    "attention_factor", "mscale", "mscale_all_dim", "truncate"},
                   others);
  std::optional<int64_t> original;
  if (!reader.hasValue("original_max_position_embeddings") && config.hasValue("max_position_embeddings"))
    original = config.integer("max_position_embeddings", std::nullopt, 1, largestCount);
  scaling.originalMaxPositionEmbeddings = reader.integer("original_max_position_embeddings", original, 1, largestCount);
  scaling.betaFast = reader.number("beta_fast", 32.0, NumberRange::positive());
  scaling.betaSlow = reader.number("beta_slow", 1.0, NumberRange::positive());
  if (scaling.betaFast < scaling.betaSlow)
    reader.error("beta_fast", "must be at least beta_slow");
  scaling.truncate = reader.boolean("truncate", true);
  double scale = reader.number("mscale", 0.0, NumberRange::atLeast(0.0));
  double ofAllDimensions = reader.number("mscale_all_dim", 0.0, NumberRange::atLeast(0.0));
  double factor = scale > 0.0 && ofAllDimensions > 0.0 ? yarnAttentionFactor(scaling.factor, scale) /
                                                             yarnAttentionFactor(scaling.factor, ofAllDimensions)
                                                       : yarnAttentionFactor(scaling.factor, 1.0);
  scaling.attentionFactor = reader.number("attention_factor", factor, NumberRange::positive());
}

bool isInfinity(const JsonValue &value) {
  if (value.kind == JsonValue::Kind::Null || value.kind == JsonValue::Kind::Infinity)
    return true;
  const JsonValue *wrapped = value.find("__float__");
  return wrapped && value.members.size() == 1 && wrapped->kind == JsonValue::Kind::String &&
         wrapped->text == "Infinity";
}

} // namespace

void readTokenIds(ObjectReader &reader, Config &config) {
  config.bosTokenId = readTokenId(reader, "bos_token_id", config.vocabSize);
  const JsonValue *eos = reader.find("eos_token_id");
  if (!eos || eos->kind != JsonValue::Kind::Array) {
    if (std::optional<int64_t> id = readTokenId(reader, "eos_token_id", config.vocabSize))
      config.eosTokenIds.push_back(*id);
    return;
  }
  for (size_t i = 0; i < eos->items.size(); ++i) {
    const JsonValue &item = eos->items[i];
    if (item.kind != JsonValue::Kind::Integer || item.integer < 0 || item.integer >= config.vocabSize)
      reader.error("eos_token_id[" + std::to_string(i) + "]", "must be a whole number from 0 to " +
                                                                  std::to_string(config.vocabSize - 1) + ", got " +
                                                                  item.describe());
    config.eosTokenIds.push_back(item.integer);
  }
}

void readMaxPositions(ObjectReader &reader, Config &config) {
  if (reader.hasValue("max_position_embeddings"))
    config.maxPositionEmbeddings = reader.integer("max_position_embeddings", std::nullopt, 1, abi::mostPositions);
}

void readSizes(ObjectReader &reader, Config &config) {
  config.vocabSize = reader.integer("vocab_size", std::nullopt, 1, largestSize);
  config.hiddenSize = reader.integer("hidden_size", std::nullopt, 1, largestSize);
  config.numLayers = reader.integer("num_hidden_layers", std::nullopt, 1, mostLayers);
  readTokenIds(reader, config);
}

void readRopeScaling(ObjectReader &parent, std::string_view key, RopeScaling &scaling,
                     const std::vector<std::string_view> &others, bool typeIsNeeded) {
  if (!parent.hasValue(key))
    return;
  ObjectReader reader = parent.child(key);
  std::string_view typeKey = reader.has("rope_type") ? "rope_type" : "type";
  if (!reader.has(typeKey) && typeIsNeeded)
    reader.error(typeKey, "missing");
  else if (reader.has("rope_type") && reader.has("type") &&
           reader.find("type")->describe() != reader.find("rope_type")->describe())
    reader.error("type", "differs from 'rope_type'");
  scaling.kind = reader.choice<RopeScalingKind>(typeKey, RopeScalingKind::None,
                                                {{"none", RopeScalingKind::None},
                                                 {"default", RopeScalingKind::None},
                                                 {"linear", RopeScalingKind::Linear},
                                                 {"llama3", RopeScalingKind::Llama3},
                                                 {"yarn", RopeScalingKind::Yarn}});
  if (scaling.kind == RopeScalingKind::None) {
    reader.allowOnly({"type", "rope_type"}, others);
    return;
  }
  scaling.factor = reader.number("factor", std::nullopt, NumberRange::atLeast(1.0));
  switch (scaling.kind) {
  case RopeScalingKind::None:
    break;
  case RopeScalingKind::Linear:
    reader.allowOnly({"type", "rope_type", "factor"}, others);
    break;
  case RopeScalingKind::Llama3:
    readLlama3(reader, scaling, others);
    break;
  case RopeScalingKind::Yarn:
    readYarn(reader, scaling, others, parent);
    break;
  }
}

bool readPerLayer(ObjectReader &reader, std::string_view key, const Config &config, std::string_view what,
                  const std::function<bool(size_t layer, const JsonValue &entry)> &take) {
  const JsonValue *list = reader.find(key);
  if (!list)
    return false;
  if (list->kind != JsonValue::Kind::Array || static_cast<int64_t>(list->items.size()) != config.numLayers) {
    bool isList = list->kind == JsonValue::Kind::Array;
    reader.error(key, "must be a list with an entry for each of the " + std::to_string(config.numLayers) +
                          " layers, got " + (isList ? std::to_string(list->items.size()) : list->describe()));
    return true;
  }
  for (size_t layer = 0; layer < list->items.size(); ++layer)
    if (!take(layer, list->items[layer]))
      reader.error(std::string(key) + "[" + std::to_string(layer) + "]",
                   "must be " + std::string(what) + ", got " + list->items[layer].describe());
  return true;
}

std::vector<int64_t> readLayerList(ObjectReader &reader, std::string_view key, const Config &config) {
  const JsonValue *indices = reader.find(key);
  if (!indices)
    return {};
  if (indices->kind != JsonValue::Kind::Array)
    reader.error(key, "must be a list of layers, got " + indices->describe());
  std::vector<int64_t> layers;
  for (size_t i = 0; i < indices->items.size(); ++i) {
    const JsonValue &item = indices->items[i];
    if (item.kind == JsonValue::Kind::Integer && item.integer >= 0 && item.integer < config.numLayers)
      layers.push_back(item.integer);
    else
      reader.error(std::string(key) + "[" + std::to_string(i) + "]", "must be a whole number from 0 to " +
                                                                         std::to_string(config.numLayers - 1) +
                                                                         ", got " + item.describe());
  }
  return layers;
}

bool isText(const JsonValue &entry, std::string_view text) {
  return entry.kind == JsonValue::Kind::String && entry.text == text;
}

double readMultiplier(ObjectReader &reader, std::string_view key) {
  return reader.number(key, 1.0, NumberRange::positive());
}

void readMultiplierList(ObjectReader &reader, std::string_view key, double *values, size_t count) {
  std::fill_n(values, count, 1.0);
  const JsonValue *list = reader.find(key);
  if (!list)
    return;
  if (list->kind != JsonValue::Kind::Array || list->items.size() != count) {
    reader.error(key, "must be a list of " + std::to_string(count) + " numbers, got " + list->describe());
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    const JsonValue &item = list->items[i];
    if (!item.isNumber() || !std::isfinite(item.number) || item.number <= 0.0)
      reader.error(std::string(key) + "[" + std::to_string(i) + "]",
                   "must be a finite number above 0, got " + item.describe());
    else
      values[i] = item.number;
  }
}

void readMultipliers(ObjectReader &reader, Config &config) {
  config.embeddingMultiplier = readMultiplier(reader, "embedding_multiplier");
  config.residualMultiplier = readMultiplier(reader, "residual_multiplier");
  config.logitsScaling = readMultiplier(reader, "logits_scaling");
}

std::optional<double> readSoftCap(ObjectReader &reader, std::string_view key, std::optional<double> byDefault) {
  if (reader.isNull(key))
    return std::nullopt;
  return reader.has(key) ? reader.number(key, std::nullopt, NumberRange::positive()) : byDefault;
}

void readTimeStepLimit(ObjectReader &reader, std::string_view key, SsmConfig &ssm) {
  ssm.timeStepMin = 0.0;
  ssm.timeStepMax = std::numeric_limits<double>::infinity();
  const JsonValue *limit = reader.find(key);
  if (!limit)
    return;
  if (limit->kind != JsonValue::Kind::Array || limit->items.size() != 2) {
    reader.error(key, "must be a list of two numbers, got " + limit->describe());
    return;
  }
  const JsonValue &low = limit->items[0], &high = limit->items[1];
  if (!low.isNumber() || low.number < 0.0)
    reader.error(std::string(key) + "[0]", "must be >= 0, got " + low.describe());
  else
    ssm.timeStepMin = low.number;
  if (high.isNumber() && high.number >= ssm.timeStepMin)
    ssm.timeStepMax = high.number;
  else if (!isInfinity(high))
    reader.error(std::string(key) + "[1]",
                 "must be infinity or a number that is not below the first, got " + high.describe());
}

} // namespace chimera
