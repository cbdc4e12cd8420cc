// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tokenizer files take characters for. The reference library (Hugging Face tokenizers) brings five tables of five
// versions of Unicode: Oniguruma's for regular expressions (16), the regex crate's for words (16), the standard
// library's for spaces, numbers and lower case (17), unicode_categories' for punctuation (8), and
// unicode-normalization-alignments' for normal forms and marks (9). These functions give its answers: the libraries' of
// this machine (PCRE2, utf8proc), put right by UnicodeDelta.inc.
#ifndef CHIMERA_RUNTIME_TEXT_UNICODE_H
#define CHIMERA_RUNTIME_TEXT_UNICODE_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace chimera::text {

/// Characters from `begin` to `end`, both included.
struct Range {
  uint32_t begin, end;
};

/// Some ranges in order.
struct Ranges {
  const Range *data = nullptr;
  size_t count = 0;

  const Range *begin() const { return data; }
  const Range *end() const { return data + count; }
  bool contain(uint32_t point) const;
};

/// A property as regular expressions know it.
struct Property {
  const char *name;
  bool script;
  Ranges added;   ///< Characters that have it although PCRE2 does not know.
  Ranges removed; ///< Characters that do not have it although PCRE2 says so.
};

/// The property of that exact name: a general category of one or two letters, Alphabetic, Uppercase, Lowercase, or one
/// of the frequent scripts. Null if it is none of these.
const Property *findProperty(std::string_view name);

bool isWhitespace(uint32_t point);  ///< White_Space
bool isNumeric(uint32_t point);     ///< Nd, Nl, No
bool isPunctuation(uint32_t point); ///< P, and ASCII's symbols
bool isMark(uint32_t point);        ///< M
bool isWord(uint32_t point);        ///< Alphabetic, M, Nd, Pc, Join_Control

/// Appends `point` in lower case, which may be two characters. It does not look at its neighbours.
void appendLower(std::string &out, uint32_t point);

/// Unicode's normal forms (UAX 15).
enum class NormalForm { C, D, KC, KD };

/// Well-formed text in a normal form.
std::string normalize(std::string_view text, NormalForm form);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_UNICODE_H
