// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Many strings in little memory, and finding one of them.
#ifndef CHIMERA_RUNTIME_TEXT_STRINGTABLE_H
#define CHIMERA_RUNTIME_TEXT_STRINGTABLE_H

#include "runtime/text/FlatMap.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace chimera::text {

/// Strings one behind the other, numbered from 0.
class StringList {
public:
  void add(std::string_view text) {
    characters += text;
    ends.push_back(characters.size());
  }
  size_t size() const { return ends.size(); }
  std::string_view operator[](size_t index) const {
    size_t begin = index ? ends[index - 1] : 0;
    return std::string_view(characters).substr(begin, ends[index] - begin);
  }

private:
  std::string characters;
  std::vector<size_t> ends;
};

/// Different strings, numbered from 0 in the order in which they were added.
class StringTable {
public:
  /// Adds `text`, which must not be in the table.
  void add(std::string_view text) {
    uint32_t &head = heads[hash(text)];
    before.push_back(head);
    head = uint32_t(before.size());
    strings.add(text);
  }
  std::optional<size_t> find(std::string_view text) const {
    const uint32_t *head = heads.find(hash(text));
    for (uint32_t at = head ? *head : 0; at; at = before[at - 1])
      if (strings[at - 1] == text)
        return at - 1;
    return std::nullopt;
  }
  size_t size() const { return strings.size(); }
  std::string_view operator[](size_t index) const { return strings[index]; }

private:
  static uint64_t hash(std::string_view text) { return std::hash<std::string_view>()(text) >> 1; }

  StringList strings;
  FlatMap<uint32_t> heads;      ///< By hash: the number of the last string that has it, plus one.
  std::vector<uint32_t> before; ///< The number of the string before with the same hash, plus one.
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_STRINGTABLE_H
