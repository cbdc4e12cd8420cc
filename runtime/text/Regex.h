// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Regular expressions by PCRE2, with the meaning that they have in tokenizer files.
#ifndef CHIMERA_RUNTIME_TEXT_REGEX_H
#define CHIMERA_RUNTIME_TEXT_REGEX_H

#include "runtime/io/Result.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;

namespace chimera::text {

/// A part of a text, in bytes.
struct Span {
  size_t begin, end;
};

/// A compiled regular expression; copies share it, and threads may.
class Regex {
public:
  /// Compiles Oniguruma's syntax (RegexSyntax.h), as tokenizer files have it. The error says what is not understood
  /// and at which character of the pattern.
  static io::Result<Regex> fromOniguruma(const std::string &pattern);
  /// Compiles PCRE2's own syntax, in UTF mode.
  static io::Result<Regex> fromPcre(const std::string &pattern);

private:
  friend class Matcher;
  std::shared_ptr<pcre2_real_code_8> code;
};

/// Searches texts for one expression; what it needs to search is kept from call to call. For one thread.
class Matcher {
public:
  explicit Matcher(const Regex &regex);
  ~Matcher();
  Matcher(const Matcher &) = delete;
  Matcher &operator=(const Matcher &) = delete;

  /// The first match in `text` (well-formed UTF-8) that begins at `from` or behind it. The error: the search takes more
  /// than `stepLimit` steps or too much memory.
  io::Result<std::optional<Span>> find(std::string_view text, size_t from);

  /// How often an expression may try again within one search.
  static constexpr unsigned stepLimit = 20'000'000;

private:
  Regex regex;
  pcre2_real_match_data_8 *data;
  pcre2_real_match_context_8 *context;
};

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_REGEX_H
