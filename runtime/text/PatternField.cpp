// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/PatternField.h"

namespace chimera::text {

std::optional<Pattern> readPattern(Fields &fields, const char *name) {
  Fields pattern(fields.object(name), fields.where() + "." + name);
  bool isRegex = pattern.has("Regex");
  std::string text = pattern.string(isRegex ? "Regex" : "String");
  if (io::Status status = pattern.finish(); !status) {
    fields.fail(status.error());
    return std::nullopt;
  }
  if (!isRegex)
    return Pattern(std::move(text));
  io::Result<Regex> regex = Regex::fromOniguruma(text);
  if (!regex) {
    fields.fail(regex.error().message, name);
    return std::nullopt;
  }
  return Pattern(std::move(*regex));
}

} // namespace chimera::text
