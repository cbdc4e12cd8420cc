// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/frontend/Json.h"

#include <nlohmann/json.hpp>

#include <limits>
#include <unordered_set>

namespace chimera {

namespace {

constexpr size_t mostBytes = size_t{4} << 20;
constexpr size_t deepest = 64;

// The bare word Infinity is rewritten to a string of the same length, so that positions in messages stay true.
constexpr std::string_view infinityWord = "Infinity";
constexpr std::string_view infinityString = "\"\\u0001\"";
static_assert(infinityWord.size() == infinityString.size());

std::string place(std::string_view text, size_t offset) {
  size_t line = 1, column = 1;
  for (char c : text.substr(0, offset)) {
    column = c == '\n' ? 1 : column + 1;
    line += c == '\n';
  }
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

/// Builds the tree; stops at the first thing wrong, which `error` then holds.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit TreeBuilder(std::string_view text) : text(text) {}

  JsonValue root;
  std::string error;

  bool null() override { return add({}); }
  bool boolean(bool value) override {
    JsonValue v;
    v.kind = JsonValue::Kind::Bool;
    v.boolean = value;
    return add(std::move(v));
  }
  bool number_integer(number_integer_t value) override {
    JsonValue v;
    v.kind = JsonValue::Kind::Integer;
    v.integer = value;
    v.number = static_cast<double>(value);
    v.text = std::to_string(value);
    return add(std::move(v));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max()))
      return number_integer(static_cast<int64_t>(value));
    return number_float(static_cast<double>(value), std::to_string(value));
  }
  bool number_float(number_float_t value, const string_t &written) override {
    JsonValue v;
    v.kind = JsonValue::Kind::Number;
    v.number = value;
    v.text = written;
    return add(std::move(v));
  }
  bool string(string_t &value) override {
    JsonValue v;
    v.kind = JsonValue::Kind::String;
    v.text = value;
    if (value == "\x01") {
      v.kind = JsonValue::Kind::Infinity;
      v.number = std::numeric_limits<double>::infinity();
      v.text = infinityWord;
    }
    return add(std::move(v));
  }
  bool binary(binary_t &) override { return false; }
  bool start_object(size_t) override { return open(JsonValue::Kind::Object); }
  bool start_array(size_t) override { return open(JsonValue::Kind::Array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t &value) override {
    if (!stack.back().keys.insert(value).second) {
      error = "key '" + path(value) + "': given twice";
      return false;
    }
    stack.back().value.members.emplace_back(value, JsonValue());
    return true;
  }

  bool parse_error(size_t position, const std::string &token, const nlohmann::detail::exception &failure) override {
    if (failure.id == 406) { // a number beyond the range of a double
      error = "key '" + path() + "': the number " + printable(token) + " is out of range";
      return false;
    }
    // The library says "[...] parse error at line L, column C: what"; the place is said in our own form.
    std::string_view what = failure.what();
    size_t colon = what.find(": ");
    if (colon != std::string_view::npos)
      what.remove_prefix(colon + 2);
    error = place(text, position == 0 ? 0 : position - 1) + ": not valid JSON: " + printable(what, 200);
    return false;
  }

private:
  struct Level {
    JsonValue value;
    std::unordered_set<std::string> keys;
  };

  bool open(JsonValue::Kind kind) {
    if (stack.size() == deepest) {
      error = "key '" + path() + "': nested deeper than " + std::to_string(deepest) + " levels";
      return false;
    }
    stack.emplace_back();
    stack.back().value.kind = kind;
    return true;
  }

  bool close() {
    JsonValue done = std::move(stack.back().value);
    stack.pop_back();
    return add(std::move(done));
  }

  bool add(JsonValue value) {
    if (stack.empty())
      root = std::move(value);
    else if (stack.back().value.kind == JsonValue::Kind::Array)
      stack.back().value.items.push_back(std::move(value));
    else
      stack.back().value.members.back().second = std::move(value);
    return true;
  }

  /// Where the builder stands: router.max_tokens, modes[3][1]; `last` replaces the innermost key.
  std::string path(const std::string &last = {}) const {
    std::string result;
    for (const Level &level : stack) {
      if (level.value.kind == JsonValue::Kind::Array) {
        result += "[" + std::to_string(level.value.items.size()) + "]";
        continue;
      }
      bool innermost = &level == &stack.back();
      if (!innermost && level.value.members.empty())
        continue;
      if (!result.empty())
        result += '.';
      if (innermost && !last.empty())
        result += printable(last);
      else if (!level.value.members.empty())
        result += printable(level.value.members.back().first);
    }
    return result.size() > 200 ? result.substr(0, 200) + "..." : result;
  }

  std::string_view text;
  std::vector<Level> stack;
};

/// Rewrites each bare Infinity; the error of text that no JSON may hold, or an empty string.
std::string rewriteInfinity(std::string &text) {
  size_t begin = std::string::npos; // of the string that the scan is in
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\0')
      return place(text, i) + ": not valid JSON: a zero byte";
    if (begin != std::string::npos) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        if (std::string_view(text).substr(begin, i - begin + 1) == infinityString)
          return place(text, begin) + ": not valid JSON: a string of one control character";
        begin = std::string::npos;
      }
    } else if (c == '"') {
      begin = i;
    } else if (c == infinityWord[0] && text.compare(i, infinityWord.size(), infinityWord) == 0) {
      text.replace(i, infinityWord.size(), infinityString);
      i += infinityWord.size() - 1;
    }
  }
  return {};
}

} // namespace

const JsonValue *JsonValue::find(std::string_view key) const {
  for (const auto &[name, value] : members)
    if (name == key)
      return &value;
  return nullptr;
}

std::string printable(std::string_view text, size_t most) {
  std::string result;
  for (char c : text.substr(0, most))
    result += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > most ? result + "..." : result;
}

std::string JsonValue::describe() const {
  switch (kind) {
  case Kind::Null:
    return "null";
  case Kind::Bool:
    return boolean ? "true" : "false";
  case Kind::Integer:
  case Kind::Number:
  case Kind::Infinity:
    return printable(text);
  case Kind::String:
    return "\"" + printable(text) + "\"";
  case Kind::Array:
    return items.empty() ? "an empty list" : "a list";
  case Kind::Object:
    return "an object";
  }
  return {};
}

std::variant<JsonValue, std::string> parseJson(std::string_view text) {
  if (text.size() > mostBytes)
    return "longer than " + std::to_string(mostBytes) + " bytes";
  std::string rewritten(text);
  if (std::string error = rewriteInfinity(rewritten); !error.empty())
    return error;
  TreeBuilder builder(rewritten);
  if (!nlohmann::json::sax_parse(rewritten, &builder))
    return builder.error.empty() ? std::string("not valid JSON") : builder.error;
  return std::move(builder.root);
}

} // namespace chimera
