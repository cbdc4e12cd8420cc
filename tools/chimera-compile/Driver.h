// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The stages of a compilation, one after the other.
#ifndef CHIMERA_TOOLS_CHIMERACOMPILE_DRIVER_H
#define CHIMERA_TOOLS_CHIMERACOMPILE_DRIVER_H

#include "llvm/Support/Error.h"

namespace chimera::compile {

struct Options;

/// Compiles options.input as far as options.emit says and writes the result to options.output, whole or not at all. An
/// error is one line that says what is wrong and where.
llvm::Error compile(const Options &options);

} // namespace chimera::compile

#endif // CHIMERA_TOOLS_CHIMERACOMPILE_DRIVER_H
