// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Fields.h"

#include "runtime/io/Result.h"

namespace chimera::serve {

using nlohmann::json;

const json *Fields::find(const char *name) {
  known.insert(name);
  auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

bool Fields::boolean(const char *name) {
  const json *value = find(name);
  if (!value)
    return false;
  if (!value->is_boolean())
    fail(name, "must be true or false");
  return value->is_boolean() && value->get<bool>();
}

std::optional<int64_t> Fields::integer(const char *name, int64_t low, int64_t high) {
  const json *value = find(name);
  if (!value)
    return std::nullopt;
  // An unsigned number may be larger than any signed one.
  bool fits = value->is_number_integer() && !(value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX);
  if (fits && value->get<int64_t>() >= low && value->get<int64_t>() <= high)
    return value->get<int64_t>();
  fail(name, "must be an integer in " + std::to_string(low) + " .. " + std::to_string(high));
  return std::nullopt;
}

std::optional<double> Fields::number(const char *name) {
  const json *value = find(name);
  if (!value)
    return std::nullopt;
  if (value->is_number())
    return value->get<double>();
  fail(name, "must be a number");
  return std::nullopt;
}

std::optional<std::string> Fields::string(const char *name) {
  const json *value = find(name);
  if (!value)
    return std::nullopt;
  if (value->is_string())
    return value->get<std::string>();
  fail(name, "must be a string");
  return std::nullopt;
}

void Fields::neutral(const char *name, const json &value) {
  const json *given = find(name);
  if (given && *given != value)
    fail(name, "is not supported; only " + value.dump() + ", with which it changes nothing, is accepted");
}

void Fields::fail(const std::string &name, const std::string &message) {
  fail(wrongField(prefix + name, message));
}

void Fields::fail(ApiError error) {
  if (!first)
    first = std::move(error);
}

std::optional<ApiError> Fields::finish() {
  for (const auto &[name, value] : object.items())
    if (!value.is_null() && !known.count(name)) {
      std::string shown = io::escaped(name.substr(0, 100));
      fail(wrongField(prefix + shown, "is not a field that is supported"));
    }
  return first;
}

} // namespace chimera::serve
