// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/DataSpec.h"

#include "runtime/io/Numbers.h"

namespace chimera::train {

io::Result<DataSpec> DataSpec::parse(const std::string &text) {
  DataSpec spec;
  size_t colon = text.find(':');
  spec.what = text.substr(0, colon);
  for (size_t at = colon; at != std::string::npos && at + 1 < text.size();) {
    size_t end = text.find(',', at + 1);
    std::string part = text.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0)
      return io::Error{"--data: " + io::quote(part) + ": options are written KEY=VALUE"};
    if (!spec.options.emplace(part.substr(0, equals), Option{part.substr(equals + 1)}).second)
      return io::Error{"--data: option " + io::quote(part.substr(0, equals)) + " is given twice"};
    at = end;
  }
  return spec;
}

void DataSpec::fail(const std::string &text) {
  if (error.empty())
    error = "--data: " + what + ": " + text;
}

int64_t DataSpec::integer(const std::string &key, int64_t byDefault, int64_t low, int64_t high) {
  auto found = options.find(key);
  if (found == options.end())
    return byDefault;
  found->second.read = true;
  const std::string &text = found->second.text;
  if (std::optional<int64_t> value = io::parseWhole(text); value && *value >= low && *value <= high)
    return *value;
  fail(key + "=" + io::escaped(text.substr(0, 60)) + " must be a whole number from " + std::to_string(low) + " to " +
       std::to_string(high));
  return byDefault;
}

int DataSpec::choice(const std::string &key, int byDefault, std::initializer_list<const char *> names) {
  auto found = options.find(key);
  if (found == options.end())
    return byDefault;
  found->second.read = true;
  std::string list;
  int index = 0;
  for (const char *name : names) {
    if (found->second.text == name)
      return index;
    list += (index++ ? ", " : "") + std::string(name);
  }
  fail(key + "=" + io::escaped(found->second.text.substr(0, 60)) + " must be one of " + list);
  return byDefault;
}

io::Status DataSpec::finish() const {
  if (!error.empty())
    return io::Error{error};
  for (const auto &[key, option] : options)
    if (!option.read)
      return io::Error{"--data: " + what + " has no option " + io::quote(key)};
  return {};
}

} // namespace chimera::train
