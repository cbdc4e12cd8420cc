// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/Pattern.h"

#include <algorithm>

namespace chimera::text {

/// Appends to `spans` each part, or lengthens the one before: a match that follows no match, or, when `contiguous`,
/// whatever is of the same kind as what is before it.
static void merge(std::vector<Span> &spans, const Part &part, bool &previous, bool contiguous, bool backwards) {
  bool joins = contiguous ? part.matches == previous : part.matches && !previous;
  previous = part.matches;
  if (!joins || spans.empty())
    spans.push_back(part.span);
  else if (backwards)
    spans.back().begin = part.span.begin;
  else
    spans.back().end = part.span.end;
}

std::vector<Span> cut(const std::vector<Part> &parts, Behavior behavior) {
  std::vector<Span> spans;
  spans.reserve(parts.size());
  bool previous = false;
  if (behavior == Behavior::MergedWithNext) {
    for (size_t i = parts.size(); i-- > 0;)
      merge(spans, parts[i], previous, false, true);
    std::reverse(spans.begin(), spans.end());
  } else {
    for (const Part &part : parts)
      if (behavior == Behavior::Isolated || (behavior == Behavior::Removed && !part.matches))
        spans.push_back(part.span);
      else if (behavior != Behavior::Removed)
        merge(spans, part, previous, behavior == Behavior::Contiguous, false);
  }
  spans.erase(std::remove_if(spans.begin(), spans.end(), [](Span span) { return span.begin == span.end; }),
              spans.end());
  return spans;
}

PatternMatcher::PatternMatcher(const Pattern &pattern) : pattern(pattern) {
  if (pattern.regex)
    matcher.emplace(*pattern.regex);
}

io::Result<std::optional<Span>> PatternMatcher::find(std::string_view text, size_t from) {
  if (matcher)
    return matcher->find(text, from);
  size_t begin = text.find(*pattern.literal, from);
  if (begin == std::string_view::npos)
    return std::optional<Span>();
  return std::optional<Span>(Span{begin, begin + pattern.literal->size()});
}

io::Result<std::vector<Part>> PatternMatcher::parts(std::string_view text) {
  std::vector<Part> parts;
  size_t open = 0, from = 0;
  while (from <= text.size() && !text.empty()) {
    io::Result<std::optional<Span>> found = find(text, from);
    if (!found)
      return found.error();
    if (!*found)
      break;
    Span match = **found;
    if (match.begin == match.end && !parts.empty() && match.end == open) {
      from = match.end; // an empty match where one ends: search on one character further
      if (from == text.size())
        break;
      (void)next(text, from);
      continue;
    }
    if (open < match.begin)
      parts.push_back({{open, match.begin}, false});
    parts.push_back({match, true});
    open = from = match.end;
  }
  if (open < text.size())
    parts.push_back({{open, text.size()}, false});
  return parts;
}

io::Result<std::string> PatternMatcher::replace(std::string_view text, const std::string &content) {
  io::Result<std::vector<Part>> found = parts(text);
  if (!found)
    return found.error();
  std::string out;
  out.reserve(text.size());
  for (const Part &part : *found) {
    if (part.matches)
      out += content;
    else
      out += text.substr(part.span.begin, part.span.end - part.span.begin);
  }
  return out;
}

} // namespace chimera::text
