// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/JsonFields.h"

#include "runtime/text/Utf8.h"

namespace chimera::text {

Fields::Fields(const nlohmann::json &object, std::string where) : source(object), place(std::move(where)) {
  if (!object.is_object())
    fail("must be an object");
}

void Fields::fail(const std::string &what, const char *field) {
  if (!error)
    error = io::Error{(field ? (place.empty() ? "" : place + ".") + field : place) + ": " + what};
}

bool Fields::has(const char *name) const {
  return source.is_object() && source.contains(name) && !source[name].is_null();
}

const nlohmann::json *Fields::find(const char *name, bool required) {
  asked.insert(name);
  if (error)
    return nullptr;
  if (!has(name)) {
    if (required)
      fail("is missing", name);
    return nullptr;
  }
  return &source[name];
}

std::string Fields::string(const char *name) {
  const nlohmann::json *value = find(name, true);
  if (value && value->is_string())
    return value->get<std::string>();
  fail("must be a string", name);
  return {};
}

std::optional<std::string> Fields::optionalString(const char *name) {
  if (!find(name, false))
    return std::nullopt;
  return string(name);
}

bool Fields::boolean(const char *name, std::optional<bool> otherwise) {
  const nlohmann::json *value = find(name, !otherwise);
  if (!value)
    return otherwise.value_or(false);
  if (!value->is_boolean())
    fail("must be true or false", name);
  return value->is_boolean() && value->get<bool>();
}

int64_t Fields::integer(const char *name, int64_t most) {
  const nlohmann::json *value = find(name, true);
  if (!value)
    return 0;
  if (!value->is_number_unsigned() || value->get<uint64_t>() > uint64_t(most)) {
    fail("must be an integer from 0 to " + std::to_string(most), name);
    return 0;
  }
  return int64_t(value->get<uint64_t>());
}

uint32_t Fields::character(const char *name) {
  std::string text = string(name);
  std::vector<uint32_t> points = pointsOf(text);
  if (points.size() == 1)
    return points[0];
  fail("must be one character", name);
  return ' ';
}

const nlohmann::json &Fields::array(const char *name) {
  static const nlohmann::json none = nlohmann::json::array();
  const nlohmann::json *value = find(name, true);
  if (value && value->is_array())
    return *value;
  fail("must be an array", name);
  return none;
}

const nlohmann::json &Fields::object(const char *name) {
  static const nlohmann::json none = nlohmann::json::object();
  const nlohmann::json *value = find(name, true);
  if (value && value->is_object())
    return *value;
  fail("must be an object", name);
  return none;
}

size_t Fields::choice(const char *name, const std::vector<const char *> &names, std::optional<size_t> otherwise) {
  if (otherwise && !find(name, false))
    return *otherwise;
  std::string value = string(name);
  std::string known;
  for (size_t i = 0; i < names.size(); ++i) {
    if (value == names[i])
      return i;
    known += std::string(i ? ", " : "") + names[i];
  }
  fail(io::quote(value) + " is none of " + known, name);
  return 0;
}

io::Status Fields::finish() {
  if (error)
    return *error;
  for (const auto &[name, value] : source.items())
    if (!asked.count(name)) {
      std::string where = place.empty() ? "" : place + ": ";
      return io::Error{where + "the field " + io::quote(name) + " is not known, and it may change the tokens"};
    }
  return {};
}

} // namespace chimera::text
