// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/Config.h"

#include "dialect/frontend/ConfigFields.h"
#include "runtime/io/FileKind.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace chimera {

std::string_view modeName(Mode mode) {
  static constexpr std::array<std::string_view, numModes> names = {"ssm", "swa", "full", "identity"};
  return names[static_cast<size_t>(mode)];
}

std::optional<Mode> modeFromName(std::string_view name) {
  for (Mode mode : allModes)
    if (modeName(mode) == name)
      return mode;
  return std::nullopt;
}

bool Config::uses(Mode mode) const {
  for (size_t layer = 0; layer < layerModes.size(); ++layer)
    if (layerHas(static_cast<int64_t>(layer), mode))
      return true;
  return false;
}

static bool contains(const std::vector<Mode> &modes, Mode mode) {
  return std::find(modes.begin(), modes.end(), mode) != modes.end();
}

bool Config::layerHas(int64_t layer, Mode mode) const {
  auto index = static_cast<size_t>(layer);
  bool isDropped = !droppedModes.empty() && contains(droppedModes[index], mode);
  return (contains(layerModes[index], mode) && !isDropped) || parallelMode(layer) == mode;
}

std::vector<Mode> Config::mixersOf(int64_t layer) const {
  std::vector<Mode> kept;
  for (Mode mode : layerModes[static_cast<size_t>(layer)])
    if (layerHas(layer, mode))
      kept.push_back(mode);
  return kept;
}

const RopeScaling &Config::scalingOf(Mode mode) const {
  static const RopeScaling none;
  return mode == Mode::Swa && swaRopeTheta ? none : ropeScaling;
}

double Config::attentionScale(int64_t layer, Mode mode) const {
  double scale = attentionMultiplier.value_or(1.0 / std::sqrt(static_cast<double>(headDim)));
  double factor = rotates(layer) ? scalingOf(mode).attentionFactor : 1.0;
  return scale * factor * factor; // of queries and of keys
}

bool Config::hasMixer(int64_t layer) const {
  return layerModes[layer] != std::vector<Mode>{Mode::Identity} || identityOutput != IdentityOutput::Zero ||
         parallelMode(layer);
}

int64_t Config::rotaryDims() const {
  return std::llround(partialRotaryFactor * static_cast<double>(headDim));
}

namespace {

/// Whose config it is. That of mamba_ssm has no model_type and is told by the arguments of its state space layer.
CheckpointStyle readStyle(ObjectReader &reader) {
  if (!reader.has("model_type") && reader.has("ssm_cfg"))
    return CheckpointStyle::MambaSsm;
  if (!reader.has("model_type"))
    reader.error("model_type", "missing");
  return reader.choice<CheckpointStyle>("model_type", CheckpointStyle::Chimera,
                                        {{"chimera", CheckpointStyle::Chimera},
                                         {"llama", CheckpointStyle::Llama},
                                         {"mistral", CheckpointStyle::Mistral},
                                         {"qwen2", CheckpointStyle::Qwen2},
                                         {"qwen3", CheckpointStyle::Qwen3},
                                         {"granite", CheckpointStyle::Granite},
                                         {"smollm3", CheckpointStyle::SmolLM3},
                                         {"gemma", CheckpointStyle::Gemma},
                                         {"gemma2", CheckpointStyle::Gemma2},
                                         {"gemma3_text", CheckpointStyle::Gemma3},
                                         {"nemotron_h", CheckpointStyle::NemotronH},
                                         {"mamba2", CheckpointStyle::Mamba2},
                                         {"bamba", CheckpointStyle::Bamba},
                                         {"falcon_h1", CheckpointStyle::FalconH1},
                                         {"granitemoehybrid", CheckpointStyle::GraniteMoeHybrid},
                                         {"qwen2_moe", CheckpointStyle::Qwen2Moe},
                                         {"qwen3_moe", CheckpointStyle::Qwen3Moe},
                                         {"mixtral", CheckpointStyle::Mixtral},
                                         {"granitemoe", CheckpointStyle::GraniteMoe},
                                         {"granitemoeshared", CheckpointStyle::GraniteMoe},
                                         {"chimera-lm", CheckpointStyle::ChimeraLm}});
}

/// Reads the object in `text` by `read`, which gets a reader of it; what is wrong, or nothing.
template <typename Read>
std::string readObject(std::string_view text, std::string_view fileName, KeyLog *log, Read read) {
  std::string prefix = std::string(fileName) + ": ";
  std::variant<JsonValue, std::string> json = parseJson(text);
  if (auto *error = std::get_if<std::string>(&json))
    return prefix + *error;
  if (log)
    log->begin(std::get<JsonValue>(json));
  ErrorSink errors(log);
  read(std::get<JsonValue>(json), errors);
  return errors.failed() ? prefix + errors.message() : std::string();
}

} // namespace

ConfigOrError parseConfig(std::string_view text, std::string_view fileName, KeyLog *log) {
  Config config;
  std::string error = readObject(text, fileName, log, [&](const JsonValue &json, ErrorSink &errors) {
    ObjectReader reader(&json, "", errors);
    if (!errors.failed())
      config.style = readStyle(reader);
    if (errors.failed())
      return;
    if (config.style == CheckpointStyle::Chimera) {
      readChimeraConfig(reader, config);
    } else {
      ObjectReader foreign(&json, "", errors, ObjectReader::Nulls::AreAbsent);
      readForeignConfig(foreign, config);
      readMaxPositions(foreign, config);
    }
    if (!errors.failed())
      checkConfig(config, errors);
  });
  if (!error.empty())
    return error;
  return config;
}

std::string readGenerationConfig(std::string_view text, std::string_view fileName, Config &config, KeyLog *log) {
  return readObject(text, fileName, log, [&](const JsonValue &json, ErrorSink &errors) {
    ObjectReader reader(&json, "", errors, ObjectReader::Nulls::AreAbsent);
    readGeneration(reader, config);
  });
}

io::Result<ConfigText> readConfigText(const std::string &path) {
  std::error_code ignored;
  std::filesystem::path file(path);
  if (std::filesystem::is_directory(file, ignored))
    file /= "config.json";
  constexpr uint64_t most = uint64_t{8} << 20; // The parser names its own, lower limit.
  io::Result<std::string> text = io::readWhole(file.string(), most);
  if (!text)
    return text.error();
  if (std::string kind = io::mistakenFile(io::Wanted::Config, text->data(), text->size()); !kind.empty())
    return io::Error{io::quote(file.string()) + ": " + kind};
  return ConfigText{file.string(), std::move(*text)};
}

ConfigOrError readConfig(const std::string &path) {
  io::Result<ConfigText> read = readConfigText(path);
  if (!read)
    return read.error().message;
  ConfigOrError config = parseConfig(read->text, read->path);
  std::error_code ignored;
  std::string beside = std::filesystem::path(read->path).replace_filename("generation_config.json").string();
  if (std::holds_alternative<std::string>(config) || !std::filesystem::exists(beside, ignored))
    return config;
  read = readConfigText(beside);
  std::string error =
      read ? readGenerationConfig(read->text, read->path, std::get<Config>(config)) : read.error().message;
  if (!error.empty())
    return error;
  return config;
}

} // namespace chimera
