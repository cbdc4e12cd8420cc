// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/ConfigFile.h"

#include "runtime/io/File.h"
#include "runtime/io/Json.h"

#include <filesystem>

namespace chimera::text {

using nlohmann::json;

io::Result<std::optional<json>> readConfigFile(const std::string &path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    return std::optional<json>();
  io::Result<std::string> file = io::readWhole(path);
  if (!file)
    return file.error();
  io::Result<json> value = io::parseJson(file->data(), file->size());
  if (!value)
    return io::Error{io::quote(path) + ": " + value.error().message};
  if (!value->is_object())
    return io::Error{io::quote(path) + ": must be an object"};
  return std::optional<json>(std::move(*value));
}

io::Result<std::optional<std::string>> tokenIn(const json &object, const std::string &path, const std::string &name) {
  auto field = object.find(name);
  if (field == object.end() || field->is_null())
    return std::optional<std::string>();
  const json &content = field->is_object() && field->contains("content") ? (*field)["content"] : *field;
  if (!content.is_string())
    return io::Error{io::quote(path) + ": " + io::escaped(name) + " must be a token or an object with its content"};
  return std::optional(content.get<std::string>());
}

} // namespace chimera::text
