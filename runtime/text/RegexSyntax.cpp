// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/RegexSyntax.h"

#include "runtime/text/RegexSet.h"
#include "runtime/text/Utf8.h"

#include <cctype>
#include <cstring>

namespace chimera::text {

namespace {
/// Reads a pattern from left to right and writes its translation. Functions return false once an error is set.
class Translator {
public:
  explicit Translator(const std::string &pattern) : in(pointsOf(pattern)) {}

  io::Result<std::string> run() {
    if (!alternatives())
      return error;
    if (more()) {
      (void)fail("a ')' that closes nothing");
      return error;
    }
    return out;
  }

private:
  static constexpr int depthLimit = 50;
  static constexpr size_t noAtom = ~size_t(0);

  bool more() const { return at < in.size(); }
  /// The character at `offset` from here; 0 behind the end.
  uint32_t peek(size_t offset = 0) const { return at + offset < in.size() ? in[at + offset] : 0; }
  bool take(const char *ascii) {
    size_t length = std::strlen(ascii);
    for (size_t i = 0; i < length; ++i)
      if (at + i >= in.size() || in[at + i] != uint8_t(ascii[i]))
        return false;
    at += length;
    return true;
  }
  bool fail(const std::string &what) {
    error.message = "regular expression, character " + std::to_string(at + 1) + ": " + what;
    return false;
  }

  bool alternatives();
  bool part(size_t &atom);
  bool group(size_t &atom);
  bool options(size_t &atom);
  bool quantify(size_t &atom);
  bool interval(size_t &atom, bool &taken);
  bool escape(size_t &atom);
  bool plain(uint32_t point);
  bool property(CharacterSet &set, bool negated);
  bool character(uint32_t &point);
  bool number(int base, size_t least, size_t most, uint32_t &value);
  bool brackets(std::string &expression);
  bool bracketItem(CharacterSet &set);
  /// Makes a group of what is quantified already, before it is again.
  void wrapQuantified(size_t atom) {
    if (quantified)
      out.insert(atom, "(?:") += ')';
    quantified = true;
  }

  std::vector<uint32_t> in;
  size_t at = 0;
  std::string out;
  io::Error error;
  int depth = 0;
  bool caseless = false;
  bool quantified = false;  ///< The last atom has a quantifier.
  uint32_t lastLiteral = 0; ///< The literal just before in a caseless part, in lower case.
};

/// Everything up to the end or the ')' that ends the group.
bool Translator::alternatives() {
  if (++depth > depthLimit)
    return fail("groups nested deeper than " + std::to_string(depthLimit));
  bool caselessBefore = caseless;
  size_t atom = noAtom;
  while (more() && peek() != ')') {
    uint32_t point = peek();
    if (point == '|') {
      ++at;
      out += '|';
      atom = noAtom;
      lastLiteral = 0;
    } else if (point == '*' || point == '+' || point == '?' || point == '{') {
      if (!quantify(atom))
        return false;
    } else {
      if (!part(atom))
        return false;
      quantified = false;
    }
  }
  caseless = caselessBefore;
  --depth;
  return true;
}

/// One character, set, group or assertion; `atom` becomes where its translation begins, or noAtom for an assertion.
bool Translator::part(size_t &atom) {
  uint32_t point = peek();
  uint32_t before = lastLiteral;
  lastLiteral = 0;
  atom = out.size();
  switch (point) {
  case '(':
    return group(atom);
  case '[': {
    ++at;
    std::string expression;
    if (!brackets(expression))
      return false;
    out += expression;
    return true;
  }
  case '\\':
    lastLiteral = before;
    return escape(atom);
  case '.':
    ++at;
    out += '.';
    return true;
  case '^':
  case '$':
    ++at;
    out += point == '^' ? "(?m:^)" : "(?m:$)";
    atom = noAtom;
    return true;
  default:
    ++at;
    lastLiteral = before;
    return plain(point);
  }
}

/// A literal. Where case is ignored, some pairs of letters also match one character (ss and U+00DF) in Oniguruma.
bool Translator::plain(uint32_t point) {
  if (caseless) {
    if (point >= 0x80)
      return fail("characters beyond ASCII where case is ignored are not supported");
    uint32_t lower = point >= 'A' && point <= 'Z' ? point + 32 : point;
    auto pair = [&](char a, char b) { return lastLiteral == uint32_t(a) && lower == uint32_t(b); };
    if (pair('s', 's') || pair('s', 't') || pair('f', 'f') || pair('f', 'i') || pair('f', 'l'))
      return fail("ss, st, ff, fi, fl where case is ignored are not supported");
    lastLiteral = lower;
  }
  out += literal(point);
  return true;
}

bool Translator::group(size_t &atom) {
  if (take("(?#")) {
    while (more() && peek() != ')')
      ++at;
    atom = noAtom;
    return take(")") || fail("a comment without end");
  }
  static constexpr const char *heads[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
  const char *head = nullptr;
  for (const char *candidate : heads)
    if (!head && take(candidate))
      head = candidate;
  if (!head && peek(1) == '?') {
    bool named =
        (peek(2) == '<' || peek(2) == '\'') && (peek(3) == '_' || peek(3) >= 0x80 || std::isalpha(int(peek(3))));
    if (!named)
      return options(atom);
    uint32_t end = peek(2) == '<' ? '>' : '\'';
    for (at += 3; more() && peek() != end;)
      ++at;
    if (!more())
      return fail("a group's name without end");
    ++at;
  } else if (!head) {
    ++at;
  }
  // Nothing can refer to a group, so none needs to capture.
  out += head ? head : "(?:";
  if (!alternatives())
    return false;
  out += ')';
  return take(")") || fail("a '(' that is not closed");
}

/// (?i) and (?i:...); the first holds up to the end of the group it is in, all alternatives included.
bool Translator::options(size_t &atom) {
  at += 2;
  bool on = true, ends = false, isCaseless = caseless;
  std::string set, unset;
  while (more() && !ends) {
    uint32_t letter = peek();
    if (letter == '-')
      on = false;
    else if (letter == 'i')
      isCaseless = on, (on ? set : unset) += 'i';
    else if (letter == 'm') // Oniguruma's m is what others call s
      (on ? set : unset) += 's';
    else if (letter == ':' || letter == ')')
      ends = true;
    else
      return fail("the group or option '(?" + std::string(1, letter < 0x80 ? char(letter) : '.') +
                  "' is not supported");
    ++at;
  }
  if (!ends)
    return fail("a '(' that is not closed");
  bool isolated = in[at - 1] == ')';
  bool before = caseless;
  caseless = isCaseless;
  out += "(?" + set + (unset.empty() ? "" : "-" + unset) + ":";
  if (!alternatives())
    return false;
  caseless = before;
  out += ')';
  if (isolated)
    atom = noAtom; // at the end of the group: the ')' is the group's
  return isolated || take(")") || fail("a '(' that is not closed");
}

/// What stands behind an atom: * + ? or an interval, each with ? (lazy) or + (possessive).
bool Translator::quantify(size_t &atom) {
  bool taken = false;
  if (peek() == '{') {
    if (!interval(atom, taken))
      return false;
    if (taken)
      return true;
    ++at;
    atom = out.size();
    return plain('{');
  }
  if (atom == noAtom)
    return fail("nothing to repeat");
  lastLiteral = 0;
  wrapQuantified(atom);
  out += char(in[at++]);
  if (peek() == '?' || peek() == '+')
    out += char(in[at++]);
  return true;
}

/// An interval {n}, {n,}, {,m}, {n,m}; `taken` stays false if what stands here is none.
bool Translator::interval(size_t &atom, bool &taken) {
  size_t start = at++;
  auto digits = [&](uint32_t &value) {
    size_t begin = at;
    for (value = 0; peek() >= '0' && peek() <= '9' && value <= 100000; ++at)
      value = value * 10 + (peek() - '0');
    return at > begin;
  };
  uint32_t least = 0, most = 0;
  bool hasLeast = digits(least), comma = take(","), hasMost = comma && digits(most);
  if (!take("}") || !(hasLeast || hasMost)) {
    at = start;
    return true;
  }
  if (atom == noAtom)
    return fail("nothing to repeat");
  if (least > 65535 || most > 65535 || (hasMost && most < least))
    return fail("a repetition that is not supported: the numbers must rise and be at most 65535");
  lastLiteral = 0;
  taken = true;
  wrapQuantified(atom);
  out += "{" + std::to_string(least) + (comma ? "," : "") + (hasMost ? std::to_string(most) : "") + "}";
  bool fixed = !comma;
  // A + here, and a ? behind a fixed number, repeats all of this.
  if (!fixed && take("?"))
    out += '?';
  return true;
}

bool Translator::escape(size_t &atom) {
  ++at;
  if (!more())
    return fail("a '\\' at the end");
  uint32_t letter = peek();
  if (std::optional<CharacterSet> set = letter < 0x80 ? escapeSet(char(letter), false) : std::nullopt) {
    ++at;
    lastLiteral = 0;
    out += set->expression();
    return true;
  }
  if (letter == 'p' || letter == 'P') {
    ++at;
    CharacterSet set;
    lastLiteral = 0;
    if (!property(set, letter == 'P'))
      return false;
    out += set.expression();
    return true;
  }
  if (letter == 'A' || letter == 'z' || letter == 'Z' || letter == 'b' || letter == 'B') {
    ++at;
    lastLiteral = 0;
    atom = noAtom;
    std::string word = escapeSet('w', false)->expression();
    if (letter == 'b')
      out += "(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))";
    else if (letter == 'B')
      out += "(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))";
    else
      out += std::string("\\") + char(letter);
    return true;
  }
  uint32_t point = 0;
  return character(point) && plain(point);
}

/// An escape that stands for one character; `at` is behind the backslash.
bool Translator::character(uint32_t &point) {
  uint32_t letter = peek();
  static constexpr const char *letters = "tnrfvae";
  static constexpr const char *values = "\t\n\r\f\v\a\x1b";
  if (const char *found = letter && letter < 0x80 ? std::strchr(letters, int(letter)) : nullptr) {
    ++at;
    point = uint8_t(values[found - letters]);
    return true;
  }
  if (letter == 'x' || letter == 'u') {
    ++at;
    if (letter == 'x' && take("{"))
      return number(16, 1, 8, point) && (take("}") || fail("\\x{ without its }"));
    if (letter == 'x' && peek() >= '8') // a byte above 0x7F is no character of its own
      return fail("\\x of a byte above 7F is not supported");
    return letter == 'x' ? number(16, 1, 2, point) : number(16, 4, 4, point);
  }
  if (letter == '0') {
    ++at;
    point = 0;
    return peek() < '0' || peek() > '7' || number(8, 1, 2, point);
  }
  bool named = letter < 0x80 && (std::isalnum(int(letter)) != 0);
  if (named)
    return fail(std::string("the escape '\\") + char(letter) + "' is not supported");
  ++at;
  point = letter;
  return true;
}

bool Translator::number(int base, size_t least, size_t most, uint32_t &value) {
  size_t begin = at;
  value = 0;
  while (at - begin < most && peek() && peek() < 0x80) {
    const char *digits = "0123456789abcdef";
    const char *found = std::strchr(digits, std::tolower(int(peek())));
    if (!found || found - digits >= base)
      break;
    value = value * uint32_t(base) + uint32_t(found - digits);
    ++at;
  }
  if (at - begin < least || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
    return fail("a number that is no character");
  return true;
}

/// {Name}, {^Name}; `at` is behind the p.
bool Translator::property(CharacterSet &set, bool negated) {
  if (!take("{"))
    return fail("\\p without {name} is not supported");
  if (take("^"))
    negated = !negated;
  std::string name;
  while (more() && peek() != '}' && name.size() < 40)
    name += peek() < 0x80 ? char(in[at++]) : (++at, '?');
  if (name == "Alpha")
    name = "Alphabetic";
  std::optional<CharacterSet> found = propertySet(name, negated);
  if (!found || !take("}"))
    return fail("the property " + io::quote(name) + " is not supported");
  bool hasCase = name == "Lu" || name == "Ll" || name == "Lt" || name == "Uppercase" || name == "Lowercase";
  if (caseless && hasCase)
    return fail("\\p{" + name + "} where case is ignored is not supported");
  set = *found;
  return true;
}

/// A set; `at` is behind its '['.
bool Translator::brackets(std::string &expression) {
  if (++depth > depthLimit)
    return fail("sets nested deeper than " + std::to_string(depthLimit));
  bool negated = take("^");
  std::vector<CharacterSet> parts(1);
  if (peek() == ']')
    return fail("a ']' first in a set is not supported; write it as \\]");
  while (more() && peek() != ']') {
    if (take("&&"))
      parts.emplace_back();
    else if (!bracketItem(parts.back()))
      return false;
  }
  if (!take("]"))
    return fail("a '[' that is not closed");
  for (const CharacterSet &part : parts)
    if (part.empty())
      return fail("an empty set");
  CharacterSet set = parts.back();
  for (size_t i = parts.size() - 1; i-- > 0;)
    set = {"", {"(?:(?=" + parts[i].expression() + ")" + set.expression() + ")"}};
  expression = negated ? set.complement() : set.expression();
  --depth;
  return true;
}

/// A character, a range, an escape, or a set within the set.
bool Translator::bracketItem(CharacterSet &set) {
  if (take("[:")) {
    bool negated = take("^");
    std::string name;
    while (peek() >= 'a' && peek() <= 'z' && name.size() < 16)
      name += char(in[at++]);
    std::optional<CharacterSet> found = posixSet(name);
    if (!found || caseless || negated || !take(":]"))
      return fail("the set [:" + name + ":] is not supported" + (caseless ? " where case is ignored" : ""));
    set.add(*found);
    return true;
  }
  if (take("[")) {
    std::string expression;
    if (!brackets(expression))
      return false;
    set.others.push_back(expression);
    return true;
  }
  auto one = [&](uint32_t &point, std::optional<CharacterSet> &many) {
    if (!take("\\")) {
      point = in[at++];
      return true;
    }
    uint32_t letter = peek();
    if (letter == 'p' || letter == 'P') {
      ++at;
      return property(many.emplace(), letter == 'P');
    }
    many = letter < 0x80 ? escapeSet(char(letter), true) : std::nullopt;
    if (many)
      ++at;
    if (many || (letter == 'b' && (++at, point = 8)))
      return true;
    return character(point);
  };
  uint32_t first = 0, last = 0;
  std::optional<CharacterSet> many, none;
  if (!one(first, many))
    return false;
  if (many) {
    set.add(*many);
    return true;
  }
  last = first;
  if (peek() == '-' && at + 1 < in.size() && peek(1) != ']') {
    ++at;
    if (peek() == '[' || !one(last, none) || none || last < first)
      return error.message.empty() ? fail("a range that is not supported") : false;
  }
  if (caseless && last >= 0x80)
    return fail("characters beyond ASCII where case is ignored are not supported");
  set.inside += literal(first) + (last == first ? "" : "-" + literal(last));
  return true;
}
} // namespace

io::Result<std::string> translateOniguruma(const std::string &pattern) {
  if (pattern.size() > 20'000)
    return io::Error{"a regular expression of more than 20000 bytes"};
  return Translator(pattern).run();
}

} // namespace chimera::text
