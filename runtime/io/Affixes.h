// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What texts begin and end with.
#ifndef CHIMERA_RUNTIME_IO_AFFIXES_H
#define CHIMERA_RUNTIME_IO_AFFIXES_H

#include <string_view>

namespace chimera::io {

inline bool startsWith(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

inline bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

} // namespace chimera::io

#endif // CHIMERA_RUNTIME_IO_AFFIXES_H
