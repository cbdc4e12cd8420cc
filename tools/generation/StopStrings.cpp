// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/generation/StopStrings.h"

#include "runtime/io/Affixes.h"

#include <algorithm>
#include <utility>

namespace chimera::run {

std::string StopStrings::push(std::string_view part) {
  if (complete)
    return {};
  for (char byte : part) {
    held += byte;
    size_t longest = 0;
    for (const std::string &string : strings)
      if (io::endsWith(held, string))
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
      if (io::startsWith(string, std::string_view(held).substr(held.size() - length)))
        waits = length;
  std::string passed = held.substr(0, held.size() - waits);
  held.erase(0, passed.size());
  return passed;
}

std::string StopStrings::flush() {
  return std::exchange(held, {});
}

} // namespace chimera::run
