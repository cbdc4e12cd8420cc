// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/JsonReader.h"

#include "runtime/io/Result.h"

#include <sstream>

namespace chimera::runtime {

using nlohmann::json;

/// What a reader looks at after an error.
static const json &nothing() {
  static const json value;
  return value;
}

void JsonReader::fail(const std::string &what) const {
  if (!failed())
    *error = (path.empty() ? "" : path + ": ") + what;
}

JsonReader JsonReader::at(const char *key) const {
  if (!value->is_object())
    fail("must be an object");
  else if (auto found = value->find(key); found != value->end())
    return {&*found, path.empty() ? key : path + "." + key, error};
  else
    fail("lacks '" + std::string(key) + "'");
  return {&nothing(), path, error};
}

size_t JsonReader::size() const {
  if (!value->is_array()) {
    fail("must be an array");
    return 0;
  }
  return value->size();
}

JsonReader JsonReader::element(size_t index) const {
  if (index < size())
    return {&(*value)[index], path + "[" + std::to_string(index) + "]", error};
  fail("has fewer than " + std::to_string(index + 1) + " elements");
  return {&nothing(), path, error};
}

void JsonReader::each(const std::function<void(JsonReader)> &read, size_t most) const {
  size_t count = size();
  if (count > most)
    return fail("has more than " + std::to_string(most) + " elements");
  for (size_t i = 0; i < count && !failed(); ++i)
    read(element(i));
}

void JsonReader::eachMember(const std::function<void(const std::string &, JsonReader)> &read, size_t most) const {
  if (!value->is_object())
    return fail("must be an object");
  if (value->size() > most)
    return fail("has more than " + std::to_string(most) + " keys");
  for (auto item = value->begin(); item != value->end() && !failed(); ++item) {
    std::string key = io::escaped(item.key());
    read(item.key(), {&item.value(), path.empty() ? key : path + "." + key, error});
  }
}

int64_t JsonReader::integer(int64_t low, int64_t high) const {
  bool fits = value->is_number_unsigned() ? value->get<uint64_t>() <= uint64_t(INT64_MAX) : value->is_number_integer();
  if (!fits) {
    fail("must be an integer");
    return low;
  }
  int64_t number = value->get<int64_t>();
  if (number >= low && number <= high)
    return number;
  fail("must be in " + std::to_string(low) + " .. " + std::to_string(high) + ", is " + std::to_string(number));
  return low;
}

double JsonReader::number(double low, double high) const {
  double number = value->is_number() ? value->get<double>() : 0;
  if (value->is_number() && number >= low && number <= high)
    return number;
  std::ostringstream text;
  text << "must be a number in " << low << " .. " << high;
  fail(text.str());
  return low;
}

bool JsonReader::boolean() const {
  if (value->is_boolean())
    return value->get<bool>();
  fail("must be true or false");
  return false;
}

std::string JsonReader::string() const {
  if (!value->is_string()) {
    fail("must be a string");
    return {};
  }
  const std::string &text = value->get_ref<const std::string &>();
  if (text.empty() || text.size() > 65536)
    fail("must have 1 .. 65536 bytes");
  if (io::escaped(text) != text)
    fail("must not hold control characters");
  return text;
}

int JsonReader::oneOf(Names names) const {
  std::string text = string(), list;
  for (size_t index = 0; index < names.count; ++index) {
    if (text == names.first[index])
      return int(index);
    list += (index ? ", " : "") + std::string(names.first[index]);
  }
  fail("must be one of " + list + ", is " + io::quote(text));
  return 0;
}

std::vector<int64_t> JsonReader::integers(int64_t low, int64_t high, size_t most) const {
  std::vector<int64_t> numbers;
  each([&](const JsonReader &item) { numbers.push_back(item.integer(low, high)); }, most);
  return numbers;
}

} // namespace chimera::runtime
