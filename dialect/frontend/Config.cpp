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

bool Config::layerHas(int64_t layer, Mode mode) const {
  const std::vector<Mode> &modes = layerModes[layer];
  return std::find(modes.begin(), modes.end(), mode) != modes.end();
}

int64_t Config::rotaryDims() const {
  return std::llround(partialRotaryFactor * static_cast<double>(headDim));
}

ConfigOrError parseConfig(std::string_view text, std::string_view fileName) {
  std::string prefix = std::string(fileName) + ": ";
  std::variant<JsonValue, std::string> json = parseJson(text);
  if (auto *error = std::get_if<std::string>(&json))
    return prefix + *error;

  ErrorSink errors;
  ObjectReader reader(&std::get<JsonValue>(json), "", errors);
  Config config;
  if (!errors.failed() && !reader.has("model_type"))
    reader.error("model_type", "missing");
  config.style = reader.choice<CheckpointStyle>("model_type", CheckpointStyle::Chimera,
                                                {{"chimera", CheckpointStyle::Chimera},
                                                 {"llama", CheckpointStyle::Llama},
                                                 {"mamba2", CheckpointStyle::Mamba2},
                                                 {"bamba", CheckpointStyle::Bamba},
                                                 {"chimera-lm", CheckpointStyle::ChimeraLm}});
  if (errors.failed())
    return prefix + errors.message();
  if (config.style == CheckpointStyle::Chimera)
    readChimeraConfig(reader, config);
  else
    readForeignConfig(reader, config);
  if (!errors.failed())
    checkConfig(config, errors);
  if (errors.failed())
    return prefix + errors.message();
  return config;
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
  io::Result<ConfigText> config = readConfigText(path);
  if (!config)
    return config.error().message;
  return parseConfig(config->text, config->path);
}

} // namespace chimera
