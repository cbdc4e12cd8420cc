// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/StopStrings.h"

#include <algorithm>
#include <utility>

namespace chimera::run {

/// Whether the first bytes of `text` are `beginning`.
static bool beginsWith(std::string_view text, std::string_view beginning) {
  return text.substr(0, beginning.size()) == beginning;
}

std::string StopStrings::push(std::string_view part) {
  if (complete)
    return {};
  for (char byte : part) {
    held += byte;
    size_t longest = 0;
    for (const std::string &string : strings)
      if (held.size() >= string.size() &&
          beginsWith(std::string_view(held).substr(held.size() - string.size()), string))
        longest = std::max(longest, string.size());
    if (longest) {
      complete = true;
      held.resize(held.size() - longest);
      return flush();
    }
  }
  size_t waits = 0; // The longest end of the text that begins one of the strings.
  for (const std::string &string : strings)
    for (size_t length = std::min(string.size() - 1, held.size()); length > waits; --length)
      if (beginsWith(string, std::string_view(held).substr(held.size() - length)))
        waits = length;
  std::string passed = held.substr(0, held.size() - waits);
  held.erase(0, passed.size());
  return passed;
}

std::string StopStrings::flush() {
  return std::exchange(held, {});
}

} // namespace chimera::run
