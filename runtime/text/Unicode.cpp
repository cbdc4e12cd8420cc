// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/Unicode.h"

#include "runtime/text/Regex.h"
#include "runtime/text/Utf8.h"

#include <algorithm>
#include <cstdlib>
#include <utf8proc.h>
#include <vector>

namespace chimera::text {

namespace {
template <size_t Count> constexpr Ranges span(const Range (&ranges)[Count]) {
  return {ranges, Count};
}

#include "runtime/text/UnicodeDelta.inc"
} // namespace

bool Ranges::contain(uint32_t point) const {
  const Range *found = std::upper_bound(begin(), end(), point, [](uint32_t p, const Range &r) { return p < r.begin; });
  return found != begin() && point <= found[-1].end;
}

const Property *findProperty(std::string_view name) {
  for (const Property &property : properties)
    if (name == property.name)
      return &property;
  return nullptr;
}

bool isWhitespace(uint32_t point) {
  if (point < 0x80)
    return point == ' ' || (point >= 9 && point <= 13);
  return point == 0x85 || point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
         point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

bool isNumeric(uint32_t point) {
  if (point < 0x80)
    return point >= '0' && point <= '9';
  utf8proc_category_t category = utf8proc_category(utf8proc_int32_t(point));
  bool known = category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
  return known ? !span(notNumeric).contain(point) : span(alsoNumeric).contain(point);
}

bool isPunctuation(uint32_t point) {
  if (point < 0x80)
    return point > 0x20 && point < 0x7F && !(point >= '0' && point <= '9') &&
           !((point | 0x20) >= 'a' && (point | 0x20) <= 'z');
  utf8proc_category_t category = utf8proc_category(utf8proc_int32_t(point));
  bool known = category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
  return known ? !span(notPunctuation).contain(point) : span(alsoPunctuation).contain(point);
}

bool isMark(uint32_t point) {
  utf8proc_category_t category = utf8proc_category(utf8proc_int32_t(point));
  bool known = category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
  return known ? !span(notMark).contain(point) : span(alsoMark).contain(point);
}

/// The ranges of word characters. PCRE2 alone of this machine's libraries knows which characters are alphabetic.
static std::vector<Range> wordRanges() {
  std::string all;
  for (uint32_t point = 0; point < 0x110000; ++point)
    if (point < 0xD800 || point >= 0xE000)
      append(all, point);
  std::vector<Range> found;
  io::Result<Regex> regex = Regex::fromOniguruma("[\\w\\x{200C}\\x{200D}]+");
  if (!regex)
    return found;
  Matcher matcher(*regex);
  for (size_t at = 0; at < all.size();) {
    io::Result<std::optional<Span>> match = matcher.find(all, at);
    if (!match || !*match)
      break;
    size_t first = (*match)->begin, last = before(all, (*match)->end);
    found.push_back({next(all, first), next(all, last)});
    at = (*match)->end;
  }
  return found;
}

bool isWord(uint32_t point) {
  if (point < 0x80)
    return point == '_' || (point >= '0' && point <= '9') || ((point | 0x20) >= 'a' && (point | 0x20) <= 'z');
  static const std::vector<Range> ranges = wordRanges();
  return Ranges{ranges.data(), ranges.size()}.contain(point);
}

void appendLower(std::string &out, uint32_t point) {
  if (point < 0x80) {
    out += char(point >= 'A' && point <= 'Z' ? point + 32 : point);
    return;
  }
  if (point == 0x130) { // the only character whose lower case is two: i and a dot above
    out += "i\xCC\x87";
    return;
  }
  const Range *found = std::lower_bound(std::begin(lowered), std::end(lowered), point,
                                        [](const Range &pair, uint32_t p) { return pair.begin < p; });
  bool listed = found != std::end(lowered) && found->begin == point;
  append(out, listed ? found->end : uint32_t(utf8proc_tolower(utf8proc_int32_t(point))));
}

/// Characters that stay in every form, and which nothing is composed with or moved across: those that the reference
/// does not know, and U+11A7. It lies before the first final consonant of Hangul, and utf8proc takes it for one that is
/// silent.
static bool isInert(uint32_t point) {
  return point == 0x11A7 || (point >= 0x7FD && span(inert).contain(point));
}

/// Appends `part`, which holds no inert character, in a normal form.
static void normalizePart(std::string &out, std::string_view part, NormalForm form) {
  bool composes = form == NormalForm::C || form == NormalForm::KC;
  bool compatible = form == NormalForm::KC || form == NormalForm::KD;
  int options = UTF8PROC_STABLE | (composes ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE);
  if (compatible)
    options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t *result = nullptr;
  utf8proc_ssize_t size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(part.data()),
                                       utf8proc_ssize_t(part.size()), &result, utf8proc_option_t(options));
  if (size >= 0)
    out.append(reinterpret_cast<const char *>(result), size_t(size));
  else
    out += part; // more than 2^30 characters, or no memory
  std::free(result);
}

std::string normalize(std::string_view text, NormalForm form) {
  // Below these no character changes, is a mark, or is composed with one behind it that is below too.
  uint32_t plain = form == NormalForm::C ? 0x300 : form == NormalForm::D ? 0xC0 : 0xA0;
  std::string out;
  out.reserve(text.size());
  size_t at = 0;
  while (at < text.size()) {
    // What is plain is copied, but for its last character, which what follows may be composed with.
    size_t begin = at, last = at;
    while (at < text.size()) {
      size_t here = at;
      if (next(text, at) >= plain) {
        at = here;
        break;
      }
      last = here;
    }
    size_t part = at < text.size() ? last : at;
    out += text.substr(begin, part - begin);
    // The others, up to an inert one.
    while (at < text.size()) {
      size_t here = at;
      uint32_t point = next(text, at);
      bool stays = isInert(point);
      if (point >= plain && !stays)
        continue;
      if (here > part)
        normalizePart(out, text.substr(part, here - part), form);
      part = at;
      if (stays) {
        out += text.substr(here, at - here);
        continue;
      }
      at = part = here;
      break;
    }
    if (at > part)
      normalizePart(out, text.substr(part, at - part), form);
  }
  return out;
}

} // namespace chimera::text
