// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/RegexSet.h"

#include "runtime/text/Unicode.h"

#include <cstdio>

namespace chimera::text {

void CharacterSet::add(const CharacterSet &more) {
  inside += more.inside;
  others.insert(others.end(), more.others.begin(), more.others.end());
}

std::string CharacterSet::expression() const {
  if (others.empty())
    return "[" + inside + "]";
  if (inside.empty() && others.size() == 1)
    return others[0];
  std::string out = "(?:";
  if (!inside.empty())
    out += "[" + inside + "]|";
  for (const std::string &other : others)
    out += other + "|";
  out.back() = ')';
  return out;
}

std::string CharacterSet::complement() const {
  return others.empty() ? "[^" + inside + "]" : "(?:(?!" + expression() + ")(?s:.))";
}

std::string literal(uint32_t point) {
  char text[16];
  std::snprintf(text, sizeof text, "\\x{%x}", point);
  return text;
}

static std::string inBrackets(Ranges ranges) {
  std::string out;
  for (const Range &range : ranges) {
    out += literal(range.begin);
    if (range.end != range.begin)
      out += "-" + literal(range.end);
  }
  return out;
}

static CharacterSet complementOf(const CharacterSet &set) {
  return {"", {set.complement()}};
}

std::optional<CharacterSet> propertySet(std::string_view name, bool negated) {
  const Property *property = findProperty(name);
  if (!property)
    return std::nullopt;
  std::string escape = (property->script ? "{sc:" : "{") + std::string(name) + "}";
  if (negated && !property->added.count && !property->removed.count)
    return CharacterSet{"\\P" + escape, {}};
  CharacterSet set{"\\p" + escape + inBrackets(property->added), {}};
  if (property->removed.count)
    set = {"", {"(?:(?![" + inBrackets(property->removed) + "])[" + set.inside + "])"}};
  return negated ? complementOf(set) : set;
}

static constexpr Range spaces[] = {{9, 13},          {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},
                                   {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                   {0x205F, 0x205F}, {0x3000, 0x3000}};

static CharacterSet unionOf(std::initializer_list<const char *> names) {
  CharacterSet set;
  for (const char *name : names)
    if (std::optional<CharacterSet> property = propertySet(name, false))
      set.add(*property);
  return set;
}

std::optional<CharacterSet> escapeSet(char letter, bool inBracketsOfPattern) {
  CharacterSet set;
  switch (letter | 0x20) {
  case 'd':
    set = unionOf({"Nd"});
    break;
  case 's':
    set.inside = inBrackets({spaces, std::size(spaces)});
    break;
  case 'w':
    set = unionOf({"Alphabetic", "M", "Nd", "Pc"});
    if (!inBracketsOfPattern)
      set.inside += "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}";
    break;
  case 'h':
    set.inside = "0-9A-Fa-f";
    break;
  default:
    return std::nullopt;
  }
  return letter & 0x20 ? set : complementOf(set);
}

std::optional<CharacterSet> posixSet(std::string_view name) {
  if (name == "alpha")
    return unionOf({"Alphabetic"});
  if (name == "alnum")
    return unionOf({"Alphabetic", "Nd"});
  if (name == "digit")
    return unionOf({"Nd"});
  if (name == "lower")
    return unionOf({"Lowercase"});
  if (name == "upper")
    return unionOf({"Uppercase"});
  if (name == "space")
    return escapeSet('s', true);
  if (name == "word")
    return escapeSet('w', true);
  if (name == "xdigit")
    return escapeSet('h', true);
  return std::nullopt;
}

} // namespace chimera::text
