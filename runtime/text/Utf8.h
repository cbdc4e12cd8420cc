// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// UTF-8: reading, writing, and finding what is not well-formed (Unicode, table 3-7).
#ifndef CHIMERA_RUNTIME_TEXT_UTF8_H
#define CHIMERA_RUNTIME_TEXT_UTF8_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chimera::text {

/// What stands at a place of some bytes.
struct Scan {
  enum class Kind { Character, Incomplete, Invalid } kind;
  size_t length; ///< Of the character, of the beginning of one, or of the bytes that one U+FFFD replaces.
};

/// Scans at `at` (less than text.size()). Incomplete: the text ends within what may become a character.
Scan scan(std::string_view text, size_t at);

/// The place of the first byte that is in no character, or nothing if all of `text` is UTF-8.
std::optional<size_t> findIllFormed(std::string_view text);

/// Takes every occurrence of `part` out of `text`, from left to right; nothing where `part` is empty.
void erase(std::string &text, std::string_view part);

/// Reads the character at `at` of well-formed text and moves `at` behind it.
inline uint32_t next(std::string_view text, size_t &at) {
  auto byte = [&](size_t i) { return uint32_t(uint8_t(text[at + i])); };
  uint32_t lead = byte(0);
  if (lead < 0x80) {
    at += 1;
    return lead;
  }
  uint32_t point;
  if (lead < 0xE0) {
    point = (lead & 0x1F) << 6 | (byte(1) & 0x3F);
    at += 2;
  } else if (lead < 0xF0) {
    point = (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    at += 3;
  } else {
    point = (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    at += 4;
  }
  return point;
}

/// The place where the character before `at` (greater than 0) of well-formed text begins.
inline size_t before(std::string_view text, size_t at) {
  do
    --at;
  while (at > 0 && (uint8_t(text[at]) & 0xC0) == 0x80);
  return at;
}

/// Appends a character (a Unicode scalar value).
void append(std::string &out, uint32_t point);

/// The characters of well-formed text.
std::vector<uint32_t> pointsOf(std::string_view text);

/// The replacement character, U+FFFD.
inline constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Makes UTF-8 of bytes that come in parts: each longest part that can begin no character becomes one U+FFFD, as
/// Unicode recommends (section 3.9) and Rust's String::from_utf8_lossy does.
class LossyDecoder {
public:
  /// Appends to `out` what is complete; the beginning of a character is kept.
  void push(std::string_view bytes, std::string &out);
  /// Ends the text: what is kept becomes U+FFFD.
  void finish(std::string &out);

private:
  std::string held;
};

/// `bytes` as such a decoder gives them when they are all there.
std::string wellFormed(std::string_view bytes);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_UTF8_H
