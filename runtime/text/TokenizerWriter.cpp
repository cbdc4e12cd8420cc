// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/TokenizerWriter.h"

#include <algorithm>

namespace chimera::text {

using json = nlohmann::ordered_json;

/// The words of Llama 3: letters with one character before them, up to three digits, signs with line ends behind them.
static constexpr const char *llama3Words = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                                           R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

static json byteLevel(bool space, bool words) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", space}, {"trim_offsets", true}, {"use_regex", words}};
}

json preTokenizerOf(WordStyle words) {
  if (words == WordStyle::Gpt2) // its words are ByteLevel's own
    return byteLevel(false, true);
  json split = {{"type", "Split"}, {"pattern", {{"Regex", llama3Words}}}, {"behavior", "Isolated"}, {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", json::array({split, byteLevel(false, false)})}};
}

static json addedTokens(const TrainingPlan &plan) {
  json tokens = json::array();
  for (size_t id = 0; id < plan.special.size(); ++id)
    tokens.push_back({{"id", id},
                      {"content", plan.special[id]},
                      {"single_word", false},
                      {"lstrip", false},
                      {"rstrip", false},
                      {"normalized", false},
                      {"special", true}});
  return tokens;
}

/// Puts the token that begins a text before it, and before each of two texts.
static json postProcessor(const TrainingPlan &plan) {
  if (!plan.begin)
    return nullptr;
  auto id = std::find(plan.special.begin(), plan.special.end(), *plan.begin) - plan.special.begin();
  auto token = [&](int type) { return json{{"SpecialToken", {{"id", *plan.begin}, {"type_id", type}}}}; };
  auto text = [](const char *name, int type) { return json{{"Sequence", {{"id", name}, {"type_id", type}}}}; };
  return {{"type", "TemplateProcessing"},
          {"single", json::array({token(0), text("A", 0)})},
          {"pair", json::array({token(0), text("A", 0), token(1), text("B", 1)})},
          {"special_tokens",
           {{*plan.begin, {{"id", *plan.begin}, {"ids", json::array({id})}, {"tokens", json::array({*plan.begin})}}}}}};
}

std::string tokenizerText(const TrainingPlan &plan, const std::vector<std::string> &tokens,
                          const std::vector<std::pair<size_t, size_t>> &merges) {
  json vocab = json::object();
  // Behind the others without a search: the tokens differ, and a search for each would take quadratic time.
  auto &entries = static_cast<json::object_t::Container &>(vocab.get_ref<json::object_t &>());
  entries.reserve(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id)
    entries.emplace_back(tokens[id], id);
  json pairs = json::array();
  for (auto [left, right] : merges)
    pairs.push_back(json::array({tokens[left], tokens[right]}));
  json model = {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", nullptr},
                {"continuing_subword_prefix", nullptr},
                {"end_of_word_suffix", nullptr},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"ignore_merges", false},
                {"vocab", std::move(vocab)},
                {"merges", std::move(pairs)}};
  json file = {{"version", "1.0"},
               {"truncation", nullptr},
               {"padding", nullptr},
               {"added_tokens", addedTokens(plan)},
               {"normalizer", nullptr},
               {"pre_tokenizer", preTokenizerOf(plan.words)},
               {"post_processor", postProcessor(plan)},
               {"decoder", byteLevel(true, true)},
               {"model", std::move(model)}};
  return file.dump(1) + "\n";
}

std::string tokenizerConfigText(const TrainingPlan &plan) {
  json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  if (plan.begin)
    config["bos_token"] = *plan.begin;
  if (plan.end)
    config["eos_token"] = *plan.end;
  if (plan.chatTemplate)
    config["chat_template"] = *plan.chatTemplate;
  return config.dump(1) + "\n";
}

} // namespace chimera::text
