// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers on a command line: one way to say what they may be, and to refuse others in a short line.
#ifndef CHIMERA_TOOLS_SUPPORT_NUMBERS_H
#define CHIMERA_TOOLS_SUPPORT_NUMBERS_H

#include "runtime/io/Numbers.h"

#include <CLI/CLI.hpp>

#include <cstdint>

namespace chimera::tools {

/// A whole number in low .. high, in decimal digits.
CLI::Validator wholeNumber(int64_t low, int64_t high);

/// A finite number in the range, in decimal: "nan", "inf", "0x1p3" and "0,5" are none.
CLI::Validator realNumber(io::NumberRange range);

} // namespace chimera::tools

#endif // CHIMERA_TOOLS_SUPPORT_NUMBERS_H
