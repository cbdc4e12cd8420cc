// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A config.json as text: with keys replaced, and for comparison.
#ifndef CHIMERA_TOOLS_CHIMERATRAIN_CONFIGTEXT_H
#define CHIMERA_TOOLS_CHIMERATRAIN_CONFIGTEXT_H

#include "dialect/frontend/Json.h"

#include <initializer_list>
#include <string>

namespace chimera::train {

/// The value as JSON: numbers as they were written. `indent` spaces a level; negative: in one line.
std::string jsonText(const JsonValue &value, int indent = -1);

JsonValue jsonNumber(double value);
JsonValue jsonInteger(int64_t value);
JsonValue jsonString(const std::string &text);

/// Sets a key in nested objects, which are made where they are not there. A value in the way that is no object is left
/// as it is: whoever reads the config names it.
void setKey(JsonValue &object, std::initializer_list<const char *> path, JsonValue value);

} // namespace chimera::train

#endif // CHIMERA_TOOLS_CHIMERATRAIN_CONFIGTEXT_H
