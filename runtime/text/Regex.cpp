// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/Regex.h"

#include "runtime/text/RegexSyntax.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace chimera::text {

static std::string pcreMessage(int code) {
  char buffer[256] = {};
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR *>(buffer), sizeof buffer);
  return buffer;
}

io::Result<Regex> Regex::fromPcre(const std::string &pattern) {
  std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  if (!context)
    return io::Error{"out of memory"};
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF); // as Oniguruma's
  pcre2_set_parens_nest_limit(context.get(), 100);
  int code = 0;
  PCRE2_SIZE offset = 0;
  Regex regex;
  regex.code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP,
                                 &code, &offset, context.get()),
                   pcre2_code_free);
  if (!regex.code)
    return io::Error{pcreMessage(code)};
  // Without JIT (a machine that it does not know, memory that may not be executed) the interpreter matches.
  (void)pcre2_jit_compile(regex.code.get(), PCRE2_JIT_COMPLETE);
  return regex;
}

io::Result<Regex> Regex::fromOniguruma(const std::string &pattern) {
  io::Result<std::string> translated = translateOniguruma(pattern);
  if (!translated)
    return translated.error();
  return fromPcre(*translated);
}

Matcher::Matcher(const Regex &regex)
    : regex(regex), data(pcre2_match_data_create(1, nullptr)), context(pcre2_match_context_create(nullptr)) {
  if (!context)
    return;
  pcre2_set_match_limit(context, stepLimit);
  pcre2_set_heap_limit(context, 64 << 10); // KiB
}

Matcher::~Matcher() {
  pcre2_match_context_free(context);
  pcre2_match_data_free(data);
}

io::Result<std::optional<Span>> Matcher::find(std::string_view text, size_t from) {
  if (!data || !context)
    return io::Error{"out of memory"};
  auto match = [&](uint32_t options) {
    return pcre2_match(regex.code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                       PCRE2_NO_UTF_CHECK | options, data, context);
  };
  int result = match(0);
  // Compiled code has 32 KiB of stack, which the expressions of tokenizers do not fill; the interpreter uses the heap.
  if (result == PCRE2_ERROR_JIT_STACKLIMIT)
    result = match(PCRE2_NO_JIT);
  if (result == PCRE2_ERROR_NOMATCH)
    return std::optional<Span>();
  if (result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_HEAPLIMIT || result == PCRE2_ERROR_DEPTHLIMIT)
    return io::Error{"the regular expression takes too many steps at byte " + std::to_string(from) + " of the text"};
  if (result < 0)
    return io::Error{"the regular expression fails: " + pcreMessage(result)};
  const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
  return std::optional<Span>(Span{ends[0], ends[1]});
}

} // namespace chimera::text
