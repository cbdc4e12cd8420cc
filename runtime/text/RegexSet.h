// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sets of characters while a regular expression is translated.
#ifndef CHIMERA_RUNTIME_TEXT_REGEXSET_H
#define CHIMERA_RUNTIME_TEXT_REGEXSET_H

#include "runtime/io/Result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::text {

/// A set of characters in PCRE2's syntax: what may stand in brackets, and expressions for one character each for what
/// may not (complements, differences, intersections).
struct CharacterSet {
  std::string inside;
  std::vector<std::string> others;

  void add(const CharacterSet &more);
  bool empty() const { return inside.empty() && others.empty(); }
  /// An expression that matches one character of the set.
  std::string expression() const;
  /// One character that is not in it.
  std::string complement() const;
};

/// `point` as it may stand in brackets and outside.
std::string literal(uint32_t point);

/// The set of the property `name`; nothing if it is not known. `negated`: the characters without it.
std::optional<CharacterSet> propertySet(std::string_view name, bool negated);

/// The set of an escape: one of d D s S w W h H; nothing for another letter. `inBrackets`: there Oniguruma's \w lacks
/// superscript digits and vulgar fractions of Latin-1, which it has outside.
std::optional<CharacterSet> escapeSet(char letter, bool inBrackets);

/// The set of a POSIX bracket's name (alpha, digit, ...); nothing if it is not known.
std::optional<CharacterSet> posixSet(std::string_view name);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_REGEXSET_H
