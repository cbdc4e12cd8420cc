// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// generation_config.json, as the transformers library writes it beside a config: the tokens that start and end a text,
// and how the next tokens are chosen.
#include "dialect/frontend/ConfigFields.h"

#include <algorithm>

namespace chimera {

namespace {

constexpr std::string_view samplingKeys[] = {"do_sample", "temperature", "top_k", "top_p"};

/// What else the library can do to choose tokens, and the number that means that it does not.
struct Control {
  std::string_view key;
  double neutral;
};
constexpr Control controls[] = {{"min_p", 0},
                                {"typical_p", 1},
                                {"epsilon_cutoff", 0},
                                {"eta_cutoff", 0},
                                {"repetition_penalty", 1},
                                {"encoder_repetition_penalty", 1},
                                {"diversity_penalty", 0},
                                {"length_penalty", 1},
                                {"no_repeat_ngram_size", 0},
                                {"encoder_no_repeat_ngram_size", 0},
                                {"num_beams", 1},
                                {"num_beam_groups", 1},
                                {"num_return_sequences", 1},
                                {"guidance_scale", 1},
                                {"penalty_alpha", 0},
                                {"min_length", 0},
                                {"min_new_tokens", 0},
                                {"max_length", -1},
                                {"max_new_tokens", -1},
                                {"bad_words_ids", -1},
                                {"sequence_bias", -1},
                                {"suppress_tokens", -1},
                                {"begin_suppress_tokens", -1},
                                {"forced_bos_token_id", -1},
                                {"forced_eos_token_id", -1},
                                {"exponential_decay_length_penalty", -1},
                                {"stop_strings", -1}};

bool isSampling(std::string_view key) {
  return std::find(std::begin(samplingKeys), std::end(samplingKeys), key) != std::end(samplingKeys);
}

void noteKey(ObjectReader &reader, std::string_view key, const JsonValue &value) {
  if (value.kind == JsonValue::Kind::Null)
    return reader.note(key, KeyUse::NotSet);
  if (key == "bos_token_id" || key == "eos_token_id" || isSampling(key))
    return reader.note(key, KeyUse::Read);
  for (const Control &control : controls)
    if (key == control.key) {
      bool empty = value.kind == JsonValue::Kind::Array && value.items.empty();
      if (empty || (value.isNumber() && value.number == control.neutral))
        return reader.note(key, KeyUse::Neutral);
      return reader.note(key, KeyUse::Ignored, "a binary's defaults of sampling have no such thing");
    }
  reader.note(key, KeyUse::WithoutEffect, "not about how tokens are chosen");
}

/// do_sample, temperature, top_k and top_p, with the library's defaults; nothing where none is there. Without do_sample
/// the largest logit is taken, as the library does.
void readSampling(ObjectReader &reader, std::optional<abi::SamplingDefaults> &sampling) {
  if (std::none_of(std::begin(samplingKeys), std::end(samplingKeys), [&](auto key) { return reader.has(key); }))
    return;
  bool samples = reader.boolean("do_sample", false);
  abi::SamplingDefaults read;
  // The library filters by 50 unless it is told otherwise; null tells it not to.
  read.topK = reader.integer("top_k", samples && !reader.isNull("top_k") ? 50 : 0, 0, largestCount);
  read.topP = reader.number("top_p", 1.0, {0.0, 1.0, true});
  double temperature = reader.number("temperature", 1.0, {0.0, abi::mostTemperature});
  read.temperature = samples ? temperature : 0.0;
  if (!samples)
    reader.note("temperature", KeyUse::WithoutEffect, "do_sample is not true");
  sampling = read;
}

} // namespace

void readGeneration(ObjectReader &reader, Config &config) {
  for (const auto &[key, value] : reader.members())
    noteKey(reader, key, value);
  Config ids;
  ids.vocabSize = config.vocabSize;
  readTokenIds(reader, ids);
  if (reader.has("bos_token_id"))
    config.bosTokenId = ids.bosTokenId;
  if (reader.has("eos_token_id"))
    config.eosTokenIds = ids.eosTokenIds;
  readSampling(reader, config.sampling);
}

} // namespace chimera
