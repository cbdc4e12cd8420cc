// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Patterns as tokenizer files have them: {"String": "..."} or {"Regex": "..."}.
#ifndef CHIMERA_RUNTIME_TEXT_PATTERNFIELD_H
#define CHIMERA_RUNTIME_TEXT_PATTERNFIELD_H

#include "runtime/text/JsonFields.h"
#include "runtime/text/Pattern.h"

namespace chimera::text {

/// The pattern in the field `name`; nothing after an error, which `fields` keeps.
std::optional<Pattern> readPattern(Fields &fields, const char *name);

} // namespace chimera::text

#endif // CHIMERA_RUNTIME_TEXT_PATTERNFIELD_H
