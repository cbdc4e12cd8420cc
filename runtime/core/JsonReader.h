// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading fields of a JSON value with their types and ranges checked. The first thing wrong is kept, with its path
// ("phases.decode.launches[3].grid.divisor"); after it every read gives a default, so that a caller may ask once at the
// end.
#ifndef CHIMERA_RUNTIME_CORE_JSONREADER_H
#define CHIMERA_RUNTIME_CORE_JSONREADER_H

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace chimera::runtime {

/// Some strings: of an array, a part of one, or a list.
struct Names {
  const char *const *first;
  size_t count;

  Names(const char *const *first, size_t count) : first(first), count(count) {}
  template <size_t n> Names(const char *const (&names)[n]) : Names(names, n) {}
  Names(std::initializer_list<const char *> names) : Names(names.begin(), names.size()) {}
};

/// A node of a JSON document and the path to it. Copies share the place where the first error is kept.
class JsonReader {
public:
  /// `error` receives the first error and must outlive all readers.
  JsonReader(const nlohmann::json &value, std::string &error) : value(&value), error(&error) {}

  bool failed() const { return !error->empty(); }
  /// Keeps "path: what", unless something was wrong before.
  void fail(const std::string &what) const;

  bool has(const char *key) const { return value->is_object() && value->contains(key); }
  bool isNull() const { return value->is_null(); }
  /// The value of a key; an error when this is no object or lacks it.
  JsonReader at(const char *key) const;
  /// Calls `read` with each element; an error when this is no array or has more than `most` elements.
  void each(const std::function<void(JsonReader)> &read, size_t most = SIZE_MAX) const;
  /// Calls `read` with each key, and its value, in the order of the keys; an error when this is no object or has more
  /// than `most` keys.
  void eachMember(const std::function<void(const std::string &, JsonReader)> &read, size_t most = SIZE_MAX) const;
  /// The element at `index`; an error when this is no array or is too short.
  JsonReader element(size_t index) const;
  /// The number of elements; an error when this is no array.
  size_t size() const;

  /// An integer in low .. high.
  int64_t integer(int64_t low, int64_t high) const;
  /// A number in low .. high.
  double number(double low, double high) const;
  bool boolean() const;
  /// A string of at least one and at most 65536 bytes, none of them a control character.
  std::string string() const;
  /// The index of the string among `names`.
  int oneOf(Names names) const;
  std::vector<int64_t> integers(int64_t low, int64_t high, size_t most = SIZE_MAX) const;

private:
  JsonReader(const nlohmann::json *value, std::string path, std::string *error)
      : value(value), path(std::move(path)), error(error) {}

  const nlohmann::json *value;
  std::string path;
  std::string *error;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_JSONREADER_H
