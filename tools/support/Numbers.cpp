// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/support/Numbers.h"

#include "runtime/io/Result.h"

namespace chimera::tools {

static std::string refusal(const std::string &wanted, const std::string &text) {
  return io::quote(text.size() > 60 ? text.substr(0, 60) + "..." : text) + " is not " + wanted;
}

CLI::Validator wholeNumber(int64_t low, int64_t high) {
  auto check = [low, high](const std::string &text) {
    std::optional<int64_t> value = io::parseWhole(text);
    if (value && *value >= low && *value <= high)
      return std::string();
    return refusal("a whole number from " + std::to_string(low) + " to " + std::to_string(high), text);
  };
  return CLI::Validator(check, "");
}

CLI::Validator realNumber(io::NumberRange range) {
  auto check = [range](const std::string &text) {
    std::optional<double> value = io::parseReal(text);
    if (value && range.has(*value))
      return std::string();
    std::string bounds = range.text();
    return refusal("a number" + (bounds.empty() ? "" : " " + bounds), text);
  };
  return CLI::Validator(check, "");
}

} // namespace chimera::tools
