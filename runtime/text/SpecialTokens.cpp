// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/SpecialTokens.h"

#include "runtime/text/ConfigFile.h"

namespace chimera::text {

using nlohmann::json;

io::Result<SpecialTokens> SpecialTokens::read(const std::string &folder) {
  SpecialTokens special;
  for (const char *name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    std::string path = folder + "/" + name;
    io::Result<std::optional<json>> object = readConfigFile(path);
    if (!object)
      return object.error();
    if (!*object)
      continue;
    for (auto [field, token] : {std::pair("bos_token", &special.begin), std::pair("eos_token", &special.end)}) {
      if (*token)
        continue;
      io::Result<std::optional<std::string>> found = tokenIn(**object, path, field);
      if (!found)
        return found.error();
      *token = std::move(*found);
    }
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
