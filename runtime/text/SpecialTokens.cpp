// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/SpecialTokens.h"

#include "runtime/io/File.h"
#include "runtime/io/Json.h"

#include <filesystem>

namespace chimera::text {

using nlohmann::json;

/// The object in a file, or nothing if there is no such file.
static io::Result<std::optional<json>> readObject(const std::string &path) {
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

/// A token as a string or as an object with its content; null and a missing field give nothing.
static io::Status readToken(const json &object, const std::string &path, const char *name,
                            std::optional<std::string> &token) {
  if (token || !object.contains(name) || object[name].is_null())
    return {};
  const json &value = object[name];
  const json &content = value.is_object() && value.contains("content") ? value["content"] : value;
  if (!content.is_string())
    return io::Error{io::quote(path) + ": " + name + " must be a token or an object with its content"};
  token = content.get<std::string>();
  return {};
}

io::Result<SpecialTokens> SpecialTokens::read(const std::string &folder) {
  SpecialTokens special;
  for (const char *name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    std::string path = folder + "/" + name;
    io::Result<std::optional<json>> object = readObject(path);
    if (!object)
      return object.error();
    if (!*object)
      continue;
    for (auto [field, token] : {std::pair("bos_token", &special.begin), std::pair("eos_token", &special.end)})
      if (io::Status status = readToken(**object, path, field, *token); !status)
        return status.error();
    for (auto [field, flag] :
         {std::pair("add_bos_token", &special.addBegin), std::pair("add_eos_token", &special.addEnd)}) {
      if (*flag || !(*object)->contains(field) || (**object)[field].is_null())
        continue;
      if (!(**object)[field].is_boolean())
        return io::Error{io::quote(path) + ": " + field + " must be true or false"};
      *flag = (**object)[field].get<bool>();
    }
  }
  return special;
}

io::Status SpecialTokens::apply(Frame &frame,
                                const std::function<std::optional<int32_t>(const std::string &)> &idOf) const {
  auto set = [&](std::vector<int32_t> &ids, bool front, const std::optional<bool> &wanted,
                 const std::optional<std::string> &token, const char *name) -> io::Status {
    if (!wanted || (!token && !*wanted))
      return {};
    std::optional<int32_t> id = token ? idOf(*token) : std::nullopt;
    if (*wanted && !id)
      return io::Error{std::string("tokenizer_config.json says add_") + name + ", but " + name +
                       (token ? " " + io::quote(*token) + " is no token" : " is not given")};
    bool there = id && !ids.empty() && (front ? ids.front() : ids.back()) == *id;
    if (*wanted && !there)
      ids.insert(front ? ids.begin() : ids.end(), *id);
    if (!*wanted && there)
      ids.erase(front ? ids.begin() : ids.end() - 1);
    return {};
  };
  if (io::Status status = set(frame.before, true, addBegin, begin, "bos_token"); !status)
    return status;
  return set(frame.behind, false, addEnd, end, "eos_token");
}

} // namespace chimera::text
