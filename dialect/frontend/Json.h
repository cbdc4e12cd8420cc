// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// JSON as a config needs it: duplicate keys are found, integers are told from other numbers, and hostile text ends in
// one line of error.
#ifndef CHIMERA_DIALECT_FRONTEND_JSON_H
#define CHIMERA_DIALECT_FRONTEND_JSON_H

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace chimera {

/// One JSON value. Objects keep their keys in the order of the text.
struct JsonValue {
  enum class Kind : uint8_t {
    Null,
    Bool,
    Integer,  ///< written without point and exponent, and fits in 64 bits
    Number,   ///< any other finite number
    Infinity, ///< the bare word Infinity, which Python writes and JSON lacks
    String,
    Array,
    Object
  };
  Kind kind = Kind::Null;
  bool boolean = false;
  int64_t integer = 0;
  double number = 0.0; ///< of Integer, Number and Infinity
  std::string text;    ///< a String's content; a number as it was written
  std::vector<JsonValue> items;
  std::vector<std::pair<std::string, JsonValue>> members;

  bool isNumber() const { return kind == Kind::Integer || kind == Kind::Number; }
  /// The member of that name, or null.
  const JsonValue *find(std::string_view key) const;
  /// A few words for messages: a number as written, a string in quotes (cut when long), "a list", ...
  std::string describe() const;
};

/// Makes text fit for a one-line message: control characters and bytes beyond ASCII become '?', long text is cut.
std::string printable(std::string_view text, size_t most = 60);

/// The value in `text`, or what is wrong and where: syntax errors with line and column (1-based, in bytes), duplicate
/// keys and numbers beyond the range of a double with the path of the key. Nesting deeper than 64 and text longer than
/// 4 MiB are errors.
std::variant<JsonValue, std::string> parseJson(std::string_view text);

} // namespace chimera

#endif // CHIMERA_DIALECT_FRONTEND_JSON_H
