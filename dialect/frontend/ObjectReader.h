// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Typed, range-checked access to the keys of one JSON object. The first thing wrong is kept; later reads go on with
// harmless values, so that reading code has no error paths of its own.
#ifndef CHIMERA_DIALECT_FRONTEND_OBJECTREADER_H
#define CHIMERA_DIALECT_FRONTEND_OBJECTREADER_H

#include "dialect/frontend/Json.h"
#include "dialect/frontend/KeyLog.h"
#include "runtime/io/Numbers.h"

#include <initializer_list>
#include <limits>
#include <optional>

namespace chimera {

/// Holds the first error of a config, and tells a log, if there is one, what becomes of its keys.
class ErrorSink {
public:
  explicit ErrorSink(KeyLog *log = nullptr) : log(log) {}

  /// Keeps "key 'KEY': TEXT" unless there is an error already.
  void atKey(std::string_view key, std::string_view text);
  /// Keeps `text` unless there is an error already.
  void plain(std::string_view text);
  const std::string &message() const { return first; }
  bool failed() const { return !first.empty(); }
  /// Notes it of a key of the whole text.
  void note(std::string_view key, KeyUse use, std::string_view reason = {}) {
    if (log)
      log->note(key, use, reason);
  }

private:
  std::string first;
  KeyLog *log;
};

using io::NumberRange;

/// A name in the text and what it stands for.
template <typename T> struct Choice {
  std::string_view name;
  T value;
};

class ObjectReader {
public:
  /// What a key whose value is null stands for.
  enum class Nulls : uint8_t {
    AreValues, ///< a value of its own, which most keys do not take
    AreAbsent  ///< the same as leaving the key out, as programs mean it that write every key
  };

  /// Reads `object`; `prefix` is its path ("" for the whole text, "router"). A value that is no object is an error.
  ObjectReader(const JsonValue *object, std::string prefix, ErrorSink &errors, Nulls nulls = Nulls::AreValues);

  /// Reports each key that is in none of the lists, with `text`.
  void allowOnly(const std::vector<std::string_view> &known, const std::vector<std::string_view> &ignored = {},
                 std::string_view text = "unknown");

  /// The object's keys and values, whatever they are.
  const std::vector<std::pair<std::string, JsonValue>> &members() const { return object->members; }
  /// Whether the key is there (`null` counts where it is a value).
  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// Whether the key is there and not null.
  bool hasValue(std::string_view key) const;
  /// Whether the key is there and null, whatever that stands for.
  bool isNull(std::string_view key) const;
  const JsonValue *find(std::string_view key) const;
  /// The full path of a key, for messages.
  std::string path(std::string_view key) const;
  void error(std::string_view key, std::string_view text) { errors.atKey(path(key), text); }
  ErrorSink &sink() { return errors; }
  /// Says what becomes of a key, where this is the object of the whole text.
  void note(std::string_view key, KeyUse use, std::string_view reason = {}) {
    if (prefix.empty())
      errors.note(key, use, reason);
  }

  /// A whole number in low..high, written as one (3, not 3.0). Without default the key must be there.
  int64_t integer(std::string_view key, std::optional<int64_t> byDefault, int64_t low, int64_t high);
  /// A finite number in the range.
  double number(std::string_view key, std::optional<double> byDefault, NumberRange range);
  bool boolean(std::string_view key, bool byDefault);
  /// The value of the string at `key`; any other string is an error that lists the choices.
  template <typename T> T choice(std::string_view key, T byDefault, std::initializer_list<Choice<T>> choices) {
    const JsonValue *value = find(key);
    if (!value)
      return byDefault;
    std::string names;
    for (const Choice<T> &c : choices) {
      if (value->kind == JsonValue::Kind::String && value->text == c.name)
        return c.value;
      names += (names.empty() ? "\"" : ", \"") + std::string(c.name) + "\"";
    }
    error(key, "must be one of " + names + ", got " + value->describe());
    return byDefault;
  }
  /// A reader of the object at `key`; one of an empty object when the key is absent.
  ObjectReader child(std::string_view key);

private:
  const JsonValue *object;
  std::string prefix;
  ErrorSink &errors;
  Nulls nulls;
};

} // namespace chimera

#endif // CHIMERA_DIALECT_FRONTEND_OBJECTREADER_H
