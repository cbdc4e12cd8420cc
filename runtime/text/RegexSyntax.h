// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokenizer files hold regular expressions in Oniguruma's syntax (its own, which is near Ruby's); PCRE2 is near Perl's.
// The same text can mean different things in both:
//
//   text        Oniguruma                              PCRE2
//   x{1,3}+     one or more times x{1,3}               possessive
//   x{2}?       x{2} or nothing                        lazy
//   x{,3}       none to three times                    these very characters
//   \h  \v      a hexadecimal digit; U+000B            horizontal, vertical space
//   \s          White_Space                            also U+180E
//   \w          Alphabetic, M, Nd, Pc                  L, N, _
//   ^  $        of each line                           of the text
//   (?m)        . matches a line feed too              ^ and $ of each line
//   (?i)a|b     all alternatives of the group          what follows
//   [a[bc]]     a set within a set; && intersects      the characters themselves
//   \p{Greek}   the script                             also script extensions
//
// and the two know different versions of Unicode (UnicodeDelta.h).
#ifndef CHIMERA_RUNTIME_TEXT_REGEXSYNTAX_H
#define CHIMERA_RUNTIME_TEXT_REGEXSYNTAX_H

#include "runtime/io/Result.h"

#include <string>

namespace chimera::text {

/// The pattern in PCRE2's syntax (options UTF, UCP; newline LF) that matches what `pattern` matches in Oniguruma's.
/// Groups capture nothing. What has no counterpart here (back references, calls, conditions, the options x and others,
/// caseless matching beyond ASCII) is an error that names it and its place, counted in characters from 1.
io::Result<std::string> translateOniguruma(const std::string &pattern);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_REGEXSYNTAX_H
