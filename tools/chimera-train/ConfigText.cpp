// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/ConfigText.h"

#include <nlohmann/json.hpp>

namespace chimera::train {

static std::string quoted(const std::string &text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The parts of a list or an object between its brackets. Lists of plain values stay in one line.
static std::string joined(const std::vector<std::string> &parts, char open, char close, int indent, int level,
                          bool inLine) {
  if (parts.empty() || indent < 0 || inLine) {
    std::string line(1, open);
    for (size_t i = 0; i < parts.size(); ++i)
      line += (i ? ", " : "") + parts[i];
    return line + close;
  }
  std::string margin = "\n" + std::string(size_t(indent * level), ' '), lines(1, open);
  for (size_t i = 0; i < parts.size(); ++i)
    lines += (i ? "," : "") + margin + std::string(size_t(indent), ' ') + parts[i];
  return lines + margin + close;
}

static std::string render(const JsonValue &value, int indent, int level) {
  std::vector<std::string> parts;
  bool nested = false;
  switch (value.kind) {
  case JsonValue::Kind::Null:
    return "null";
  case JsonValue::Kind::Bool:
    return value.boolean ? "true" : "false";
  case JsonValue::Kind::Integer:
  case JsonValue::Kind::Number:
    return value.text;
  case JsonValue::Kind::Infinity:
    return value.number < 0 ? "-Infinity" : "Infinity";
  case JsonValue::Kind::String:
    return quoted(value.text);
  case JsonValue::Kind::Array:
    for (const JsonValue &item : value.items) {
      nested |= item.kind == JsonValue::Kind::Object;
      parts.push_back(render(item, indent, level + 1));
    }
    return joined(parts, '[', ']', indent, level, !nested);
  case JsonValue::Kind::Object:
    for (const auto &[key, member] : value.members)
      parts.push_back(quoted(key) + ": " + render(member, indent, level + 1));
    return joined(parts, '{', '}', indent, level, false);
  }
  return "null";
}

std::string jsonText(const JsonValue &value, int indent) {
  return render(value, indent, 0);
}

JsonValue jsonNumber(double value) {
  JsonValue number;
  number.kind = JsonValue::Kind::Number;
  number.number = value;
  number.text = nlohmann::json(value).dump();
  return number;
}

JsonValue jsonInteger(int64_t value) {
  JsonValue number;
  number.kind = JsonValue::Kind::Integer;
  number.integer = value;
  number.number = double(value);
  number.text = std::to_string(value);
  return number;
}

JsonValue jsonString(const std::string &text) {
  JsonValue string;
  string.kind = JsonValue::Kind::String;
  string.text = text;
  return string;
}

void setKey(JsonValue &object, std::initializer_list<const char *> path, JsonValue value) {
  JsonValue *at = &object;
  for (const char *key : path) {
    if (at->kind == JsonValue::Kind::Null)
      at->kind = JsonValue::Kind::Object; // one that was just made
    if (at->kind != JsonValue::Kind::Object)
      return;
    JsonValue *next = const_cast<JsonValue *>(at->find(key));
    if (!next)
      next = &at->members.emplace_back(key, JsonValue()).second;
    at = next;
  }
  *at = std::move(value);
}

} // namespace chimera::train
