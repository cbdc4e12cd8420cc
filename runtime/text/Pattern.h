// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where something occurs in a text, and cutting a text there.
#ifndef CHIMERA_RUNTIME_TEXT_PATTERN_H
#define CHIMERA_RUNTIME_TEXT_PATTERN_H

#include "runtime/text/Regex.h"
#include "runtime/text/Utf8.h"

#include <optional>
#include <vector>

namespace chimera::text {

/// A part of a text and whether it is a match or what lies between two.
struct Part {
  Span span;
  bool matches;
};

/// What becomes of the matches when a text is cut at them.
enum class Behavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };

/// The spans of `parts`, which cover a text, that remain. Empty ones are left out.
std::vector<Span> cut(const std::vector<Part> &parts, Behavior behavior);

/// The characters for which `is` holds, one by one, and what lies between.
template <typename Predicate> std::vector<Part> partsOf(std::string_view text, Predicate is) {
  std::vector<Part> parts;
  size_t open = 0;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    if (!is(next(text, at)))
      continue;
    if (open < begin)
      parts.push_back({{open, begin}, false});
    parts.push_back({{begin, at}, true});
    open = at;
  }
  if (open < text.size())
    parts.push_back({{open, text.size()}, false});
  return parts;
}

/// Characters as they are, or a regular expression.
class Pattern {
public:
  explicit Pattern(std::string literal) : literal(std::move(literal)) {}
  explicit Pattern(Regex regex) : regex(std::move(regex)) {}

  const std::optional<std::string> &asLiteral() const { return literal; }

private:
  friend class PatternMatcher;
  std::optional<std::string> literal;
  std::optional<Regex> regex;
};

/// Searches texts for a pattern; for one thread.
class PatternMatcher {
public:
  explicit PatternMatcher(const Pattern &pattern);

  /// The parts of `text`: matches, from left to right and not overlapping, and what lies between. An empty match is a
  /// part too, unless a match ends there.
  io::Result<std::vector<Part>> parts(std::string_view text);
  /// `text` with each match replaced by `content`.
  io::Result<std::string> replace(std::string_view text, const std::string &content);

private:
  io::Result<std::optional<Span>> find(std::string_view text, size_t from);

  const Pattern &pattern;
  std::optional<Matcher> matcher;
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_PATTERN_H
