// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Numbers.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace chimera::io {

template <typename T> static std::optional<T> parseAll(std::string_view text) {
  T value = 0;
  auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc() || stop != text.data() + text.size())
    return std::nullopt;
  return value;
}

std::optional<int64_t> parseWhole(std::string_view text) {
  return parseAll<int64_t>(text);
}

std::optional<double> parseReal(std::string_view text) {
  std::optional<double> value = parseAll<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::string shortestText(double value) {
  char buffer[32];
  for (int digits = 6; digits <= 17; ++digits) {
    std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
    if (std::strtod(buffer, nullptr) == value)
      break;
  }
  return buffer;
}

bool NumberRange::has(double value) const {
  return std::isfinite(value) && (lowIsOpen ? value > low : value >= low) &&
         (highIsOpen ? value < high : value <= high);
}

std::string NumberRange::text() const {
  std::string text;
  if (std::isfinite(low))
    text = (lowIsOpen ? "> " : ">= ") + shortestText(low);
  if (std::isfinite(high))
    text += (text.empty() ? "" : " and ") + std::string(highIsOpen ? "< " : "<= ") + shortestText(high);
  return text;
}

} // namespace chimera::io
