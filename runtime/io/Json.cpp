// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Json.h"

#include <cstring>
#include <vector>

namespace chimera::io {

using nlohmann::json;

namespace {
/// Builds the value, and refuses what the library lets pass: a key twice in one object and any depth of nesting. Time
/// grows with the text; the library's own builder that can be watched looks through the whole object above at the end
/// of each one within.
class Builder : public nlohmann::json_sax<json> {
public:
  json root;
  std::string error;

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t &) override { return put(value); }
  bool string(string_t &value) override { return put(std::move(value)); }
  bool binary(binary_t &) override { return false; }
  bool start_object(size_t) override { return open(json::object()); }
  bool start_array(size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t &value) override {
    auto [member, added] = levels.back()->get_ref<json::object_t &>().emplace(value, nullptr);
    if (!added)
      error = "the key " + quote(value) + " occurs twice";
    next = &member->second;
    return added;
  }

  bool parse_error(size_t position, const std::string &, const nlohmann::detail::exception &failure) override {
    constexpr int outOfRange = 406;
    error = failure.id == outOfRange ? "not valid JSON: a number out of range"
                                     : "not valid JSON at byte " + std::to_string(position);
    return false;
  }

private:
  static constexpr size_t depthLimit = 64;

  /// Puts a value into its place, which stays where it is while it is filled.
  json *place(json value) {
    json *to = levels.empty() ? &root : next;
    if (!levels.empty() && levels.back()->is_array())
      to = &levels.back()->get_ref<json::array_t &>().emplace_back();
    *to = std::move(value);
    return to;
  }
  bool put(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json empty) {
    if (levels.size() >= depthLimit) {
      error = "not valid here: JSON nested deeper than " + std::to_string(depthLimit);
      return false;
    }
    levels.push_back(place(std::move(empty)));
    return true;
  }
  bool close() {
    levels.pop_back();
    return true;
  }

  std::vector<json *> levels; ///< The objects and arrays that are open, the innermost last.
  json *next = nullptr;       ///< Where the value of the last key goes.
};
} // namespace

Result<json> parseJson(const void *text, size_t size) {
  const char *begin = static_cast<const char *>(text);
  // The library takes a NUL for the end of the text, whatever follows.
  if (const void *nul = size ? std::memchr(begin, 0, size) : nullptr)
    return Error{"not valid JSON at byte " + std::to_string(static_cast<const char *>(nul) - begin + 1)};
  Builder builder;
  if (!json::sax_parse(begin, begin + size, &builder))
    return Error{builder.error.empty() ? "not valid JSON" : builder.error};
  return std::move(builder.root);
}

} // namespace chimera::io
