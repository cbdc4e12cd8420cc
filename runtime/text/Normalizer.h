// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tokenizer does to a text before it is cut.
#ifndef CHIMERA_RUNTIME_TEXT_NORMALIZER_H
#define CHIMERA_RUNTIME_TEXT_NORMALIZER_H

#include "runtime/io/Result.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace chimera::text {

/// A text under way: a part of what was given to encode.
struct Section {
  std::string text;
  /// Its first character stands for the first of the whole text (for Metaspace's "first").
  bool atStart = false;
};

/// One step of normalization.
class Normalizer {
public:
  /// Reads the object at `where` of a tokenizer.json. The error names what is not supported and where.
  static io::Result<std::unique_ptr<Normalizer>> read(const nlohmann::json &object, const std::string &where);

  virtual ~Normalizer() = default;
  /// The error: a regular expression takes too long.
  virtual io::Status apply(Section &section) const = 0;
};

/// The character that stands for a byte in byte-level vocabularies: GPT-2's map, in which none is a space.
uint32_t byteCharacter(uint8_t byte);
/// The byte that a character of that map stands for, or -1.
int characterByte(uint32_t point);
/// Appends `text` byte by byte in that map.
void appendByteCharacters(std::string &out, std::string_view text);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_NORMALIZER_H
