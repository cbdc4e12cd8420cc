// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/ObjectReader.h"

#include <algorithm>

namespace chimera {

namespace {

const JsonValue emptyObject = [] {
  JsonValue value;
  value.kind = JsonValue::Kind::Object;
  return value;
}();

bool contains(const std::vector<std::string_view> &list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

} // namespace

void ErrorSink::atKey(std::string_view key, std::string_view text) {
  // Later errors may be about the harmless value that stands in for the first.
  if (log && first.empty())
    log->refuse(key, text);
  plain("key '" + std::string(key) + "': " + std::string(text));
}

void ErrorSink::plain(std::string_view text) {
  if (first.empty())
    first = text;
}

ObjectReader::ObjectReader(const JsonValue *object, std::string prefix, ErrorSink &errors, Nulls nulls)
    : object(object), prefix(std::move(prefix)), errors(errors), nulls(nulls) {
  if (object->kind == JsonValue::Kind::Object)
    return;
  if (this->prefix.empty())
    errors.plain("must be a JSON object, got " + object->describe());
  else
    errors.atKey(this->prefix, "must be an object, got " + object->describe());
  this->object = &emptyObject;
}

void ObjectReader::allowOnly(const std::vector<std::string_view> &known, const std::vector<std::string_view> &ignored,
                             std::string_view text) {
  for (const auto &[key, value] : object->members) {
    if (contains(known, key)) {
      note(key, KeyUse::Read);
    } else if (contains(ignored, key)) {
      note(key, KeyUse::WithoutEffect, "not for the compiler");
    } else if (find(key)) {
      note(key, KeyUse::Refused, text);
      error(key, text);
    }
  }
}

bool ObjectReader::isNull(std::string_view key) const {
  const JsonValue *value = object->find(key);
  return value && value->kind == JsonValue::Kind::Null;
}

const JsonValue *ObjectReader::find(std::string_view key) const {
  return nulls == Nulls::AreAbsent && isNull(key) ? nullptr : object->find(key);
}

bool ObjectReader::hasValue(std::string_view key) const {
  const JsonValue *value = find(key);
  return value && value->kind != JsonValue::Kind::Null;
}

std::string ObjectReader::path(std::string_view key) const {
  std::string name = printable(key);
  return prefix.empty() ? name : prefix + "." + name;
}

int64_t ObjectReader::integer(std::string_view key, std::optional<int64_t> byDefault, int64_t low, int64_t high) {
  const JsonValue *value = find(key);
  if (!value) {
    if (!byDefault)
      error(key, "missing");
    return byDefault.value_or(low);
  }
  if (value->kind == JsonValue::Kind::Integer && value->integer >= low && value->integer <= high)
    return value->integer;
  error(key, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high) + ", got " +
                 value->describe());
  return byDefault.value_or(low);
}

double ObjectReader::number(std::string_view key, std::optional<double> byDefault, NumberRange range) {
  const JsonValue *value = find(key);
  if (!value) {
    if (!byDefault)
      error(key, "missing");
    return byDefault.value_or(1.0);
  }
  if (value->isNumber() && range.has(value->number))
    return value->number;
  std::string bounds = range.text();
  error(key, "must be " + (bounds.empty() ? "a finite number" : bounds) + ", got " + value->describe());
  return byDefault.value_or(1.0);
}

bool ObjectReader::boolean(std::string_view key, bool byDefault) {
  const JsonValue *value = find(key);
  if (!value)
    return byDefault;
  if (value->kind == JsonValue::Kind::Bool)
    return value->boolean;
  error(key, "must be true or false, got " + value->describe());
  return byDefault;
}

ObjectReader ObjectReader::child(std::string_view key) {
  const JsonValue *value = find(key);
  return ObjectReader(value ? value : &emptyObject, path(key), errors, nulls);
}

} // namespace chimera
