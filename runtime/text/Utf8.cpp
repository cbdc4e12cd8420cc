// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/Utf8.h"

namespace chimera::text {

Scan scan(std::string_view text, size_t at) {
  uint8_t lead = uint8_t(text[at]);
  if (lead < 0x80)
    return {Scan::Kind::Character, 1};
  size_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
  if (!length)
    return {Scan::Kind::Invalid, 1};
  for (size_t i = 1; i < length; ++i) {
    if (at + i == text.size())
      return {Scan::Kind::Incomplete, i};
    uint8_t byte = uint8_t(text[at + i]);
    // Overlong forms, surrogates and what lies above U+10FFFF are seen in the second byte.
    uint8_t low = i == 1 && lead == 0xE0 ? 0xA0 : i == 1 && lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = i == 1 && lead == 0xED ? 0x9F : i == 1 && lead == 0xF4 ? 0x8F : 0xBF;
    if (byte < low || byte > high)
      return {Scan::Kind::Invalid, i};
  }
  return {Scan::Kind::Character, length};
}

std::optional<size_t> findIllFormed(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (uint8_t(text[at]) < 0x80) {
      ++at;
      continue;
    }
    Scan found = scan(text, at);
    if (found.kind != Scan::Kind::Character)
      return at;
    at += found.length;
  }
  return std::nullopt;
}

void append(std::string &out, uint32_t point) {
  if (point < 0x80) {
    out += char(point);
  } else if (point < 0x800) {
    out += char(0xC0 | point >> 6);
    out += char(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    out += char(0xE0 | point >> 12);
    out += char(0x80 | (point >> 6 & 0x3F));
    out += char(0x80 | (point & 0x3F));
  } else {
    out += char(0xF0 | point >> 18);
    out += char(0x80 | (point >> 12 & 0x3F));
    out += char(0x80 | (point >> 6 & 0x3F));
    out += char(0x80 | (point & 0x3F));
  }
}

std::vector<uint32_t> pointsOf(std::string_view text) {
  std::vector<uint32_t> points;
  points.reserve(text.size());
  for (size_t at = 0; at < text.size();)
    points.push_back(next(text, at));
  return points;
}

void erase(std::string &text, std::string_view part) {
  if (part.empty() || text.find(part) == std::string::npos)
    return;
  std::string rest;
  size_t at = 0;
  for (size_t found; (found = text.find(part, at)) != std::string::npos; at = found + part.size())
    rest.append(text, at, found - at);
  text = rest.append(text, at, std::string::npos);
}

void LossyDecoder::push(std::string_view bytes, std::string &out) {
  held += bytes;
  size_t at = 0;
  while (at < held.size()) {
    Scan found = scan(held, at);
    if (found.kind == Scan::Kind::Incomplete)
      break;
    if (found.kind == Scan::Kind::Character)
      out.append(held, at, found.length);
    else
      out += replacement;
    at += found.length;
  }
  held.erase(0, at);
}

void LossyDecoder::finish(std::string &out) {
  if (!held.empty())
    out += replacement;
  held.clear();
}

std::string wellFormed(std::string_view bytes) {
  std::string out;
  LossyDecoder decoder;
  decoder.push(bytes, out);
  decoder.finish(out);
  return out;
}

} // namespace chimera::text
