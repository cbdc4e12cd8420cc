// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/support/ByteCount.h"

#include <charconv>

namespace chimera::tools {

io::Result<int64_t> parseByteCount(const std::string &option, std::string_view text) {
  constexpr int64_t most = int64_t(1) << 50;
  std::string_view digits = text;
  int shift = 0;
  for (auto [letter, bits] : {std::pair('K', 10), std::pair('M', 20), std::pair('G', 30)}) {
    if (digits.empty() || digits.back() != letter)
      continue;
    shift = bits;
    digits.remove_suffix(1);
    break;
  }
  int64_t number = 0;
  auto [stop, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (code != std::errc() || stop != digits.data() + digits.size() || number < 1 || number > most >> shift)
    return io::Error{option + ": " + io::quote(std::string(text)) +
                     " is not a number of bytes: a whole number, or one with K, M or G"};
  return number << shift;
}

} // namespace chimera::tools
