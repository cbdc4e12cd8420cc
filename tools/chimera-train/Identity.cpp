// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Identity.h"

#include "tools/chimera-train/ConfigText.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace chimera::train {

using nlohmann::json;

namespace {
/// A key of config.json's `training` that the command line may replace.
struct Replaced {
  std::string path; ///< "optimizer.lr"
  std::optional<JsonValue> value;
};
} // namespace

template <typename T, typename Make> static std::optional<JsonValue> made(const std::optional<T> &value, Make make) {
  return value ? std::optional<JsonValue>(make(*value)) : std::nullopt;
}

static std::vector<Replaced> replacedKeys(const Options &options) {
  return {{"routing", made(options.routing, jsonString)},
          {"optimizer.lr", made(options.learningRate, jsonNumber)},
          {"checkpoint.every", made(options.checkpointEvery, jsonInteger)},
          {"checkpoint.keep", made(options.keep, jsonInteger)},
          {"evaluation.every", made(options.evaluateEvery, jsonInteger)},
          {"evaluation.sequences", made(options.evaluateSequences, jsonInteger)}};
}

void applyOptions(const Options &options, JsonValue &config) {
  for (const Replaced &key : replacedKeys(options)) {
    if (!key.value)
      continue;
    size_t dot = key.path.find('.');
    if (dot == std::string::npos)
      setKey(config, {"training", key.path.c_str()}, *key.value);
    else
      setKey(config, {"training", key.path.substr(0, dot).c_str(), key.path.substr(dot + 1).c_str()}, *key.value);
  }
}

static std::string textOf(const json &object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

static const char *const contentKey = "the content of the data", *const weightsKey = "the start weights",
                         *const kernelsKey = "the kernels";

static bool isTemperature(const std::pair<std::string, JsonValue> &member) {
  return member.first == "temperature";
}

/// The sources as they are written: of one, whose weight says nothing, a text.
static json dataOf(const Options &options) {
  if (options.data.size() == 1)
    return options.data[0].spec;
  json sources = json::array();
  for (const SourceSpec &source : options.data)
    sources.push_back(source.text());
  return sources;
}

static json identityOf(const Options &options, const JsonValue &config, const RunSources &sources) {
  json identity = {{"--data", dataOf(options)}, {"--held-out", options.heldOut}, {"--steps", options.steps},
                   {"--batch", options.batch},  {"--seq", options.length},       {"--accumulate", options.accumulate},
                   {"--seed", options.seed},    {"--dtype", options.dtype}};
  for (auto [key, value] : {std::pair("the data", &sources.data), std::pair(contentKey, &sources.content),
                            std::pair("the tokenizer", &sources.tokenizer), std::pair(weightsKey, &sources.weights),
                            std::pair(kernelsKey, &sources.kernels)})
    if (!value->empty())
      identity[key] = *value;
  if (!sources.tokenizer.empty())
    identity["--parse-special"] = options.parseSpecial;
  for (const auto &[key, value] : config.members) {
    if (key != "training") {
      JsonValue setting = value;
      if (key == "router")
        setting.members.erase(std::remove_if(setting.members.begin(), setting.members.end(), isTemperature),
                              setting.members.end());
      if (key != "router" || !setting.members.empty())
        identity["config.json: " + key] = jsonText(setting);
      continue;
    }
    for (const auto &[part, setting] : value.members)
      if (part != "checkpoint")
        identity["config.json: training." + part] = jsonText(setting);
  }
  // The trained model's config.json has the temperature that was reached: a run in its own folder finds it there.
  const JsonValue *router = config.find("router"), *training = config.find("training");
  if (!training || !training->find("temperature")) {
    const JsonValue *temperature = router ? router->find("temperature") : nullptr;
    identity["config.json: router.temperature"] = temperature ? temperature->number : 1.0;
  }
  return identity;
}

std::string runIdentity(const Options &options, const JsonValue &config, const RunSources &sources) {
  return textOf(identityOf(options, config, sources));
}

std::string rankIdentity(const Options &options, const JsonValue &config, const RunSources &sources) {
  json identity = identityOf(options, config, sources);
  identity["--out"] = options.out;
  identity["--resume"] = options.resume;
  identity["--gradients"] = options.gradients;
  identity["--target"] = options.target;
  identity["--mcpu"] = options.mcpu;
  identity["--memory-limit"] = options.memoryLimit;
  const JsonValue *training = config.find("training");
  const JsonValue *checkpoint = training ? training->find("checkpoint") : nullptr;
  if (checkpoint)
    identity["config.json: training.checkpoint"] = jsonText(*checkpoint);
  return textOf(identity);
}

std::optional<std::string> toleratedDifference(const IdentityDifference &difference) {
  const std::string &key = difference.key;
  if (key == "--steps")
    return "the run has " + difference.ours + " steps now, it had " + difference.theirs +
           ": from here on schedules are fractions of the new number; the optimizer goes on";
  bool isNoted = key == contentKey || key == weightsKey || key == kernelsKey;
  if (isNoted && difference.isNew)
    return "the checkpoint is of an older version, which did not note " + key + ": they are taken to be the same";
  if (key == kernelsKey)
    return "the kernels are " + difference.ours + " now, they were " + difference.theirs +
           ": the bits are no longer those of a run that was never interrupted";
  return std::nullopt;
}

/// Appends the values below an object, each under its path.
static void listSettings(const std::vector<Replaced> &replacements, const JsonValue &object, const std::string &prefix,
                         std::string &list) {
  constexpr size_t longest = 60;
  for (const auto &[key, value] : object.members) {
    std::string path = prefix + key;
    bool isReplaced = false;
    for (const Replaced &replaced : replacements)
      isReplaced |= replaced.value && replaced.path == path;
    if (isReplaced)
      continue;
    if (value.kind == JsonValue::Kind::Object) {
      listSettings(replacements, value, path + ".", list);
      continue;
    }
    std::string text = jsonText(value);
    list += (list.empty() ? "" : ", ") + path + " " + (text.size() > longest ? text.substr(0, longest) + "..." : text);
  }
}

std::string settingsOfModel(const Options &options, const JsonValue &config) {
  std::string list;
  if (const JsonValue *training = config.find("training"))
    listSettings(replacedKeys(options), *training, "", list);
  return list;
}

} // namespace chimera::train
