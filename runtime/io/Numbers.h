// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Numbers that somebody typed, and how a range of them is told.
#ifndef CHIMERA_RUNTIME_IO_NUMBERS_H
#define CHIMERA_RUNTIME_IO_NUMBERS_H

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace chimera::io {

/// A whole number in decimal digits, perhaps with a minus, and nothing else. Nothing for other text, or what does not
/// fit.
std::optional<int64_t> parseWhole(std::string_view text);

/// A finite number in decimal, with or without point and exponent, and nothing else: no "nan", no "inf", no "0x1".
/// Nothing for other text, or what is beyond the largest double.
std::optional<double> parseReal(std::string_view text);

/// The fewest digits, at most 17, that read back as the same number.
std::string shortestText(double value);

/// The bounds of a number, which is finite.
struct NumberRange {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool lowIsOpen = false; ///< The number must be above `low`, not equal to it.
  bool highIsOpen = false;

  static NumberRange positive() { return {0.0, std::numeric_limits<double>::infinity(), true}; }
  static NumberRange atLeast(double low) { return {low, std::numeric_limits<double>::infinity(), false}; }
  static NumberRange any() { return {}; }

  bool has(double value) const;
  /// "> 0", ">= 0 and < 1"; empty for any finite number.
  std::string text() const;
};

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_NUMBERS_H
