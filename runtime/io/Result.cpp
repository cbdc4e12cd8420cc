// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Result.h"

#include <cstdint>
#include <cstdio>

namespace chimera::io {

/// The length of the well-formed UTF-8 sequence at `at` (Unicode, table 3-7), or 0.
static size_t utf8Length(const std::string &text, size_t at) {
  auto byte = [&](size_t i) { return i < text.size() ? uint8_t(text[i]) : 0; };
  uint8_t lead = byte(at);
  if (lead < 0x80)
    return 1;
  size_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
  if (!length)
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(at + i) & 0xC0) != 0x80)
      return 0;
  uint8_t second = byte(at + 1);
  bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  bool outside = (lead == 0xED && second >= 0xA0) || (lead == 0xF4 && second >= 0x90);
  return overlong || outside ? 0 : length;
}

std::string escaped(const std::string &text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    uint8_t lead = uint8_t(text[at]);
    size_t length = utf8Length(text, at);
    // Control characters, among them C1 (U+0080 .. U+009F) and the line separators U+2028 and U+2029.
    bool control = lead < 0x20 || lead == 0x7F || (length == 2 && lead == 0xC2 && uint8_t(text[at + 1]) < 0xA0) ||
                   (length == 3 && text.compare(at, 2, "\xE2\x80") == 0 && (uint8_t(text[at + 2]) & 0xFE) == 0xA8);
    if (length && !control) {
      out.append(text, at, length);
      at += length;
      continue;
    }
    char escape[8];
    for (size_t i = 0; i < (length ? length : 1); ++i) {
      std::snprintf(escape, sizeof escape, "\\x%02x", uint8_t(text[at + i]));
      out += escape;
    }
    at += length ? length : 1;
  }
  return out;
}

std::string quote(const std::string &text) {
  constexpr size_t limit = 200;
  if (text.size() <= limit)
    return "'" + escaped(text) + "'";
  return "'" + escaped(text.substr(0, limit)) + "...'";
}

} // namespace chimera::io
